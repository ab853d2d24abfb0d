"""The twin of the PostgreSQL store: in memory, without threads, and deterministic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import trio
from msgspec import Struct

from trichat.chat.ports import EventPage, Look, MessagePage, NodeRecord, PresenceChange, StoreUnavailable
from trichat.core.chance import Chance
from trichat.core.events import (
    CidReused,
    Committed,
    Draft,
    Event,
    ListedRoom,
    Outcome,
    Person,
    Repeated,
    RoomGone,
    RoomHead,
    RoomRecord,
)
from trichat.core.limits import Limits
from trichat.core.names import Epoch, Incarnation, RoomId, RoomName, UserId, name_key
from trichat.store.paging import cut, cut_tails

#: The time at which the clock says 0: 2026-01-01, in milliseconds since 1970.
_DAWN_MS: Final = 1_767_225_600_000


class _Room(Struct):
    id: RoomId
    name: RoomName
    epoch: Epoch
    events: list[Event]
    cids: dict[tuple[UserId, str], tuple[int, int]]  # of the author's cid: seq and digest

    @property
    def record(self) -> RoomRecord:
        return RoomRecord(self.id, self.name, self.epoch, len(self.events))


class _Name(Struct):
    name: str
    user_id: UserId
    used_at: float


class _Node(Struct):
    record: NodeRecord
    seen_at: float
    here: dict[RoomId, dict[UserId, str]]


class MemoryStore:
    """Implements `Store` for all nodes of a simulated cluster, which share one instance.

    `clock` is in seconds. Faults: while `down` every call fails; while `answers_lost` every call takes effect and
    then fails. Each call takes `delay_s`; as with a thread, one that has begun is not cancelled.
    """

    def __init__(self, limits: Limits, *, chance: Chance, clock: Callable[[], float] = trio.current_time) -> None:
        self._limits = limits
        self._chance = chance
        self._clock = clock
        self._rooms: dict[RoomId, _Room] = {}
        self._by_name: dict[RoomName, _Room] = {}
        self._names: dict[str, _Name] = {}
        self._secrets: dict[int, bytes] = {}
        self._nodes: dict[Incarnation, _Node] = {}
        self.down = False
        self.answers_lost = False
        self.delay_s = 0.0

    async def _begin(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        with trio.CancelScope(shield=True):  # its clock is the sleep
            await trio.sleep(self.delay_s)
        if self.down:
            raise StoreUnavailable("the store is down")

    def _end(self) -> None:
        if self.answers_lost:
            raise StoreUnavailable("the store's answer was lost")

    # the log

    async def append(self, drafts: Sequence[Draft]) -> list[Outcome]:
        await self._begin()
        ts = _DAWN_MS + round(self._clock() * 1000)
        outcomes = [self._append(draft, ts) for draft in drafts]
        self._end()
        return outcomes

    def _append(self, draft: Draft, ts: int) -> Outcome:
        room = self._rooms.get(draft.room_id)
        if room is None:
            return RoomGone()
        if draft.cid is not None:
            seq, digest = room.cids.setdefault((draft.user_id, draft.cid), (len(room.events) + 1, draft.digest()))
            if seq <= len(room.events):
                return Repeated(seq) if digest == draft.digest() else CidReused(seq)
        seq = len(room.events) + 1
        room.events.append(Event(seq, draft.kind, draft.user_id, draft.user, ts, draft.cid, draft.body))
        return Committed(seq, ts)

    async def read_events(self, room_id: RoomId, *, after: int, limit: int, max_bytes: int) -> EventPage:
        await self._begin()
        found = self._events(room_id)[max(after, 0) :]
        events = cut(found, limit=limit, max_bytes=max_bytes)
        self._end()
        return EventPage(events, more=len(events) < len(found))

    async def read_tails(
        self, positions: Mapping[RoomId, int], *, limit: int, max_bytes: int
    ) -> dict[RoomId, list[Event]]:
        await self._begin()
        found = ((room_id, self._events(room_id)[max(after, 0) :]) for room_id, after in positions.items())
        tails = cut_tails(found, limit=limit, max_bytes=max_bytes)
        self._end()
        return tails

    async def read_messages(
        self, room_id: RoomId, *, before: int | None, after: int | None, limit: int, max_bytes: int
    ) -> MessagePage:
        await self._begin()
        found = [event for event in self._events(room_id) if event.kind == "message"]
        if after is not None:
            found = [event for event in found if event.seq > after]
        else:
            found = [event for event in reversed(found) if before is None or event.seq < before]
        messages = cut(found, limit=limit, max_bytes=max_bytes)
        self._end()
        return MessagePage(messages if after is not None else messages[::-1], more=len(messages) < len(found))

    async def count_messages(self, room_id: RoomId, first: int, last: int) -> int:
        await self._begin()
        count = sum(event.kind == "message" for event in self._events(room_id) if first <= event.seq <= last)
        self._end()
        return count

    def _events(self, room_id: RoomId) -> list[Event]:
        room = self._rooms.get(room_id)
        return [] if room is None else room.events

    # rooms

    async def open_rooms(self, names: Sequence[RoomName], *, create: bool) -> dict[RoomName, RoomRecord]:
        await self._begin()
        for name in names:
            if create and name not in self._by_name:
                room = _Room(RoomId(len(self._rooms) + 1), name, self._chance.epoch(), [], {})
                self._rooms[room.id] = self._by_name[name] = room
        rooms = {name: self._by_name[name].record for name in names if name in self._by_name}
        self._end()
        return rooms

    async def list_rooms(self, *, after: str, limit: int) -> list[ListedRoom]:
        await self._begin()
        names = sorted(name for name in self._by_name if name > after)[:limit]
        rooms = [self._by_name[name] for name in names]
        listed = [ListedRoom(room.name, len(self._people(room.id)), len(room.events)) for room in rooms]
        self._end()
        return listed

    # people

    async def claim_name(self, user_id: UserId, name: str) -> bool:
        await self._begin()
        key = name_key(name)
        held = self._names.get(key)
        free = held is None or held.user_id == user_id or not self._kept(held)
        if free:
            self._names = {k: other for k, other in self._names.items() if other.user_id != user_id}
            self._names[key] = _Name(name, user_id, self._clock())
        self._end()
        return free

    async def name_of(self, user_id: UserId) -> str | None:
        await self._begin()
        held = [name.name for name in self._names.values() if name.user_id == user_id and self._kept(name)]
        self._end()
        return held[0] if held else None

    async def touch_names(self, user_ids: Sequence[UserId]) -> None:
        await self._begin()
        present = set(user_ids)
        for name in self._names.values():
            if name.user_id in present and self._kept(name):
                name.used_at = self._clock()
        self._end()

    def _kept(self, name: _Name) -> bool:
        return self._clock() - name.used_at <= self._limits.name_kept_s

    async def signing_secrets(self) -> dict[int, bytes]:
        await self._begin()
        if not self._secrets:
            self._secrets[1] = self._chance.bytes(32)
        self._end()
        return dict(self._secrets)

    # the cluster

    async def look(self, rooms: Sequence[RoomId], me: Incarnation) -> Look:
        await self._begin()
        found = [self._rooms[room_id] for room_id in rooms if room_id in self._rooms]
        heads = {room.id: RoomHead(len(room.events), room.epoch, self._elsewhere(room.id, me)) for room in found}
        nodes = {incarnation: node.record.degraded for incarnation, node in self._live().items()}
        self._end()
        return Look(heads, nodes)

    async def list_members(self, room_id: RoomId, *, after: str, limit: int) -> list[Person]:
        await self._begin()
        people = sorted((name, user_id) for user_id, name in self._people(room_id).items() if name > after)
        self._end()
        return [Person(name, user_id) for name, user_id in people[:limit]]

    async def record_node(self, record: NodeRecord, changes: Sequence[PresenceChange]) -> bool:
        await self._begin()
        self._nodes = self._live()
        node = self._nodes.get(record.incarnation)
        if node is None:
            self._nodes[record.incarnation] = _Node(record, self._clock(), {})
        else:
            node.record, node.seen_at = record, self._clock()
            for change in changes:
                _apply(node, change)
        self._end()
        return node is not None

    async def forget_node(self, me: Incarnation) -> None:
        await self._begin()
        self._nodes.pop(me, None)
        self._end()

    async def ping(self) -> None:
        await self._begin()
        self._end()

    def _live(self) -> dict[Incarnation, _Node]:
        oldest = self._clock() - self._limits.node_gone_s
        return {incarnation: node for incarnation, node in self._nodes.items() if node.seen_at > oldest}

    def _people(self, room_id: RoomId) -> dict[UserId, str]:
        """Each person at a live node, once; of several names the first in order."""
        people: dict[UserId, str] = {}
        for node in self._live().values():
            for user_id, name in node.here.get(room_id, {}).items():
                people[user_id] = min(name, people.get(user_id, name))
        return people

    def _elsewhere(self, room_id: RoomId, me: Incarnation) -> int:
        mine = self._nodes[me].here.get(room_id, {}) if me in self._nodes else {}
        others = (node for incarnation, node in self._live().items() if incarnation != me)
        return len({user_id for node in others for user_id in node.here.get(room_id, {})} - mine.keys())


def _apply(node: _Node, change: PresenceChange) -> None:
    people = node.here.setdefault(change.room_id, {})
    if change.here:
        people[change.person.user_id] = change.person.user
    else:
        people.pop(change.person.user_id, None)
