"""What the chat needs of the outside: a store that commits, and a bridge to the other nodes.

Each port has two adapters that pass the same contract suite: the real one (`store/`, `bridge/`) and a
verified in-memory twin for tests and simulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import trio
from msgspec import Struct

from trichat.chat.administration_port import Administration
from trichat.chat.attendance_port import Attendance
from trichat.chat.conversation_ports import Acts, Between, CompactPage, Markers, Searching, Threads
from trichat.chat.people_ports import Accounts, Governance
from trichat.chat.tracing import Span
from trichat.core.attendance import State
from trichat.core.events import Draft, Event, ListedRoom, Outcome, Person, RoomHead, RoomRecord
from trichat.core.names import Incarnation, RoomId, RoomName, UserId

#: No room (PostgreSQL counts from 1) but the cluster's own channel: every node hears it from its start. A batch of it
#: has a `count` of 0 and says that logins, keys or accounts were ended: look at what.
CLUSTER: Final = RoomId(0)


class StoreUnavailable(Exception):
    """The store did not answer in time, or is away. What was asked may or may not have taken effect."""


class StoreUnusable(Exception):
    """The store cannot be used as it is (no fsync, another schema, not PostgreSQL 14 or newer). Says what to do."""


class MessagePage(Struct, frozen=True):
    """Messages, oldest first, and whether there are more in the direction that was asked for."""

    messages: list[Event]
    more: bool


class EventPage(Struct, frozen=True):
    """Events, oldest first, and whether there are more after them.

    What came before the `seq` `first` is kept no more; 1 unless the page has to tell: unless it begins, or (empty)
    would begin, later than where it was asked to.
    """

    events: list[Event]
    more: bool
    first: int = 1


class NodeRecord(Struct, frozen=True):
    """What a node says of itself to the others by way of the store."""

    incarnation: Incarnation
    node: str
    degraded: bool


class Look(Struct, frozen=True):
    """One look at the cluster: the heads that were asked for (rooms that exist), and the nodes that live.

    `nodes` are those recorded in the last `node_gone_s`, by incarnation, with whether each is degraded. `changes`
    grows when what nodes keep in memory is not so any more: signing secrets, texts that were erased.
    """

    heads: Mapping[RoomId, RoomHead]
    nodes: Mapping[Incarnation, bool]
    changes: int = 0


class PresenceChange(Struct, frozen=True):
    """Somebody has come to a room at this node (their first connection), or gone (their last)."""

    room_id: RoomId
    person: Person
    here: bool


class DeviceChange(Struct, frozen=True):
    """A device of somebody is online or away at this node, or is connected to it no more (None).

    `device` is a login's id, or what has no login: see `core.attendance`. Of guests it is said only while they are
    away: where they are, their presence in a room tells.
    """

    user_id: UserId
    device: str
    state: State | None


class Store(Protocol):
    """PostgreSQL, or its twin. Every method may raise StoreUnavailable within `limits.store_call_s`.

    A method that is cancelled waits for the call that it has begun: a begun commit finishes.
    """

    @property
    def accounts(self) -> Accounts: ...

    @property
    def governance(self) -> Governance: ...

    @property
    def administration(self) -> Administration: ...

    @property
    def acts(self) -> Acts: ...

    @property
    def threads(self) -> Threads: ...

    @property
    def markers(self) -> Markers: ...

    @property
    def searching(self) -> Searching: ...

    @property
    def attendance(self) -> Attendance: ...

    async def append(self, drafts: Sequence[Draft]) -> list[Outcome]:
        """Commit the drafts in one transaction, numbered in the order given; one outcome for each.

        The rooms' rows are locked in the order of their ids. A `cid` that the same author used in the same
        room before (also earlier in `drafts`) is Repeated or CidReused and takes no number. When this
        returns, what is Committed is on disk. After StoreUnavailable it may or may not be.
        """
        ...

    async def open_rooms(self, names: Sequence[RoomName], *, create: bool) -> dict[RoomName, RoomRecord]:
        """The rooms of these names; those that do not exist are made if `create`, else left out."""
        ...

    async def look(self, rooms: Sequence[RoomId], me: Incarnation) -> Look:
        """The heads of `rooms` as last committed, and the live nodes; `me` is not counted as elsewhere."""
        ...

    async def read_events(self, room_id: RoomId, *, after: int, limit: int, max_bytes: int) -> EventPage:
        """Up to `limit` events after the `seq` `after`, ended early by `max_bytes` of bodies, but at least one.

        They begin later than at `after` + 1 where what was between is kept no more.
        """
        ...

    async def read_tails(
        self, positions: Mapping[RoomId, int], *, limit: int, max_bytes: int
    ) -> dict[RoomId, list[Event]]:
        """For each room the first `limit` events after its position; `max_bytes` is for all of them together.

        Rooms that are left out for want of bytes are asked for again by the caller.
        """
        ...

    async def read_messages(
        self,
        room_id: RoomId,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        max_bytes: int,
        viewer: UserId | None = None,
        thread: int | None = None,
    ) -> MessagePage:
        """With `after`: the first `limit` messages after it. Else the last `limit` before `before` (None: of all).

        Those that are in no thread, or the replies of `thread`. In their present state (`core.present`) as `viewer`
        sees it, with `rev`; oldest first. Ended early by `max_bytes` of bodies, at least one: what is left out is what
        lies farthest from the place asked for, and then there is `more`.
        """
        ...

    async def read_compact(
        self, room_id: RoomId, *, since: int, limit: int, max_bytes: int, viewer: UserId | None = None
    ) -> CompactPage:
        """What has become of the events after `since`, as `viewer` sees it; see CompactPage."""
        ...

    async def between(self, room_id: RoomId, first: int, last: int, viewer: UserId) -> Between:
        """What lies in the events `first` … `last`, in a time that does not depend on how many those are."""
        ...

    async def list_rooms(self, *, after: str, limit: int) -> list[ListedRoom]:
        """Up to `limit` public rooms by name (code points), after `after`, with how many people are connected."""
        ...

    async def list_members(self, room_id: RoomId, *, after: str, limit: int) -> list[Person]:
        """Up to `limit` people connected to the room at any live node, by name, after `after`; each person once, and
        nobody who hides their presence."""
        ...

    async def claim_name(self, user_id: UserId, name: str) -> bool:
        """Reserve `name` for the guest; False while another holds it (used in the last day). Frees their other name."""
        ...

    async def name_of(self, user_id: UserId) -> str | None:
        """The name that this guest holds, if any."""
        ...

    async def touch_names(self, user_ids: Sequence[UserId]) -> None:
        """These guests are here: the day after which a name is free begins again."""
        ...

    async def signing_secrets(self) -> dict[int, bytes]:
        """The cluster's secrets for guests' tokens, by number; the first is made when there is none."""
        ...

    async def record_node(self, record: NodeRecord, changes: Sequence[PresenceChange | DeviceChange]) -> bool:
        """Say that this node lives, and who and what came and went since the last time.

        False when this node was not recorded (new, or taken for gone): then `changes` were not applied, and
        the caller says everybody who is here. Nodes without a record for `node_gone_s` are removed, and
        their presence and devices with them. An account of which a device went was last seen then; where the node
        is gone, when that was recorded last.
        """
        ...

    async def forget_node(self, me: Incarnation) -> None:
        """This node stops: its record and its presence go."""
        ...

    async def tidy(self) -> None:
        """Remove, in small portions, what has expired: logins, codes, old names, the events of deleted rooms."""
        ...

    async def ping(self) -> None:
        """Returns when the store answers."""
        ...


class Batch(Struct, frozen=True):
    """Events of one room on their way to its members: `joined` is `count` whole text frames, from `first` on.

    With a `count` of 0 it brings nothing, and says that everything before `first` is in the store. `trace`, if what it
    brings is traced: its commit; on its way to the bridge, its publishing, which the bridge ends.
    """

    room_id: RoomId
    first: int
    count: int
    joined: bytes
    trace: Span | None = None


class Beat(Struct, frozen=True):
    """A node was heard through Redis. `leaving` is its last word when it stops."""

    incarnation: Incarnation
    node: str
    leaving: bool


class Linked(Struct, frozen=True):
    """The bridge hears again (or for the first time). What was published before is lost: look at the heads."""


class Cut(Struct, frozen=True):
    """The bridge hears nothing and publishes nothing until the next Linked."""

    why: str


class Subscribed(Struct, frozen=True):
    """From now on the room's batches are heard: look at its head."""

    room_id: RoomId


class Missed(Struct, frozen=True):
    """Batches for others could not be published (queue full, or no link): the others must look at the heads."""


class Whisper(Struct, frozen=True):
    """What may be lost, from another node, about a room that this one hears: `said` as `chat.whispers` writes it."""

    room_id: RoomId
    said: bytes


News = Batch | Beat | Linked | Cut | Subscribed | Missed | Whisper


class Bridge(Protocol):
    """Redis Pub/Sub, or its twin: carries news between nodes, and may lose it. No method waits or raises."""

    def publish(self, batch: Batch) -> None:
        """Send to all other nodes that subscribe to the batch's room; what cannot be sent becomes Missed."""
        ...

    def whisper(self, whisper: Whisper) -> None:
        """The same for what may be lost: behind the batches, and dropped without a word when too many of either wait,
        at either end, or there is no link."""
        ...

    def subscribe(self, room_id: RoomId) -> None:
        """Hear the room from now on; Subscribed comes when that is so, and again after each Linked."""
        ...

    def unsubscribe(self, room_id: RoomId) -> None:
        """Hear the room no more."""
        ...

    @property
    def news(self) -> trio.MemoryReceiveChannel[News]:
        """What is heard, in order: other nodes' batches, and the beats of all nodes (this one's too, heard back)."""
        ...
