"""What the chat needs of the store for conversations: messages that change, people who read, and searching.

Like `chat.ports.Store`: every method may raise StoreUnavailable, a begun call finishes, and PostgreSQL and the twin in
memory pass the same contract suite. What is refused raises `core.errors.Refusal`, and nothing is written. Whoever
reads is a `viewer`: they see what `Standing.first_readable` allows, from the room's `first_seq` on; methods with a
viewer look themselves, in the same snapshot, and refuse as `core.governance.permit` does for `read`. All times are
milliseconds since 1970 by the store's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from trichat.core.acts import Act, Acted
from trichat.core.conversation import (
    Found,
    InboxRoom,
    Level,
    Mention,
    Moved,
    Pinned,
    Reaction,
    ReadUpTo,
    Revision,
    Thread,
    Told,
)
from trichat.core.events import Event, Person
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.query import Query
from trichat.core.standing import Actor


class CompactPage(Struct, frozen=True):
    """What has become of a stretch of the log, in the order of the last changes.

    `entries` are messages in their present state (placed at `rev`, or `seq` if they never changed), and events of
    members and rooms as they were. All up to the `seq` `to` is in it; `more` when the log goes on.
    """

    entries: list[Event]
    to: int
    more: bool


class Between(Struct, frozen=True):
    """Of the events from one `seq` to another: messages in no thread (deleted ones too), those that mention the
    viewer, and the first of the messages that the viewer has not read (0: none). What came before the `seq` `first`
    is kept no more, and not counted.

    Mentions are counted up to a thousand. The first unread message is never a deleted one; where a thousand before it
    are deleted, it is not looked for.
    """

    messages: int
    mentions: int
    first_unread: int
    first: int = 1


class Acts(Protocol):
    """Messages that are edited, deleted, reacted to and pinned."""

    async def act(self, room_id: RoomId, actor: Actor, seq: int, act: Act, *, cid: str | None, address: str) -> Acted:
        """Judge and write `act` about the message `seq` under the room's lock, in one transaction.

        A `cid` that the actor used in this room before, for whatever, gives the event of then (`repeated`), or
        `cid_reused` when that was another (`core.acts.act_fingerprint`).
        """
        ...

    async def revisions(self, room_id: RoomId, viewer: Actor, seq: int) -> list[Revision]:
        """The old texts, oldest first: for the message's author, and by the permission `revisions`."""
        ...

    async def reactions(self, room_id: RoomId, viewer: Actor, seq: int, *, after: str, limit: int) -> list[Reaction]:
        """Who has reacted, by emoji and user_id (code points), after the key `after` (`emoji` + "/" + `user_id`)."""
        ...

    async def pins(self, room_id: RoomId, viewer: Actor) -> list[Pinned]:
        """The pinned messages, the last pinned first."""
        ...


class Threads(Protocol):
    """Replies, threads, and whom a message mentions."""

    async def check_places(
        self, room_id: RoomId, viewer: Actor, *, reply_to: int | None, thread: int | None, cid: str | None = None
    ) -> None:
        """Whether a message may reply to this one, and be in the thread of that: messages of this room that exist,
        are not deleted, and that the viewer may see; a thread hangs on a message that is in no thread. `bad_field`
        names the field. What is deleted a moment later is no harm. Under a `cid` that the viewer has used in this room
        nothing is refused: it is said again, and `append` knows that."""
        ...

    async def mentioned(self, room_id: RoomId, names: Sequence[str]) -> list[Person]:
        """Whom these names mean in this room: accounts that are members, and guests where they may come in. By
        `core.account_names.skeleton`; each person once, in the order of `names`."""
        ...

    async def threads(
        self, room_id: RoomId, viewer: Actor, *, every: bool, before: int | None, limit: int
    ) -> list[Thread]:
        """Threads that the viewer follows (or `every` one), the last replied to first, before the reply `before`."""
        ...

    async def follow(self, room_id: RoomId, viewer: Actor, root: int, *, following: bool) -> Thread:
        """Follow a thread (of a message that may have no reply yet), or follow it no more. For members."""
        ...

    async def read_thread(self, room_id: RoomId, viewer: Actor, root: int, seq: int) -> Moved:
        """Move the marker of a thread, which is followed from then on; `bad_field` beyond the room's head."""
        ...


class Markers(Protocol):
    """How far people have read, and what is new for them. For accounts, of rooms that they are members of."""

    async def read(self, room_id: RoomId, viewer: Actor, seq: int) -> Moved:
        """Move the marker forward to `seq`; `bad_field` beyond the head. One row, without the room's lock."""
        ...

    async def seen(self, room_id: RoomId, viewer: Actor, *, most: int) -> list[ReadUpTo]:
        """How far each member has read, by name; `limit_reached` in a room of more than `most` members."""
        ...

    async def inbox(self, user_id: UserId, *, after: str, limit: int) -> list[InboxRoom]:
        """All rooms of an account by name, after `after`; one statement, by indexes."""
        ...

    async def mentions(self, user_id: UserId, *, before: str, limit: int) -> list[Mention]:
        """Messages that mention an account in rooms that it is a member of (and may see), the last first."""
        ...

    async def notify(self, room_id: RoomId, viewer: Actor, level: Level | None, quiet_until: int | None) -> Told:
        """Keep what a member wants to be told; None leaves it as it is."""
        ...


class Searching(Protocol):
    """Full text. Finds what was committed before it was asked, whether it is in the index yet or not."""

    async def search(
        self, viewer: Actor, rooms: Sequence[RoomName] | None, query: Query, *, before: str, limit: int
    ) -> list[Found]:
        """Messages that fit `query`, newest first, after the key `before`: in these rooms, or (None) in those that the
        viewer is a member of. Only what the viewer may read. `limit_reached` where it would take too long, or is in
        too many rooms; `unavailable` while much of it is not in the index yet."""
        ...

    async def index(self) -> bool:
        """Put one portion of what is not in the index into it; whether anything was done. Any node may, at any time."""
        ...
