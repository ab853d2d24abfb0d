"""The twin of the PostgreSQL store: in memory, without threads, and deterministic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import trio

from trichat.chat.conversation_ports import Between, CompactPage
from trichat.chat.ports import DeviceChange, EventPage, Look, MessagePage, NodeRecord, PresenceChange
from trichat.core.account_names import skeleton
from trichat.core.chance import Chance
from trichat.core.events import (
    Draft,
    Event,
    ListedRoom,
    Outcome,
    Person,
    RoomHead,
    RoomRecord,
)
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId, RoomName, UserId
from trichat.core.standing import RoomRules, is_account
from trichat.store import memory_append, memory_attendance, memory_history, memory_retention
from trichat.store.memory_accounts import MemoryAccounts
from trichat.store.memory_acts import MemoryActs
from trichat.store.memory_administration import MemoryAdministration
from trichat.store.memory_attendance import MemoryAttendance, hides, live_nodes, people_of
from trichat.store.memory_governance import MemoryGovernance
from trichat.store.memory_markers import MemoryMarkers
from trichat.store.memory_search import MemorySearching
from trichat.store.memory_state import MemoryState, StoredNode
from trichat.store.memory_threads import MemoryThreads
from trichat.store.paging import cut_tails


class MemoryStore(MemoryState):
    """Implements `Store` for all nodes of a simulated cluster, which share one instance.

    Its clock and its faults are those of MemoryState.
    """

    def __init__(self, limits: Limits, *, chance: Chance, clock: Callable[[], float] = trio.current_time) -> None:
        super().__init__(limits, chance=chance, clock=clock)
        self.accounts = MemoryAccounts(self)
        self.governance = MemoryGovernance(self)
        self.administration = MemoryAdministration(self)
        self.acts = MemoryActs(self)
        self.threads = MemoryThreads(self)
        self.markers = MemoryMarkers(self)
        self.searching = MemorySearching(self)
        self.attendance = MemoryAttendance(self)

    # the log

    async def append(self, drafts: Sequence[Draft]) -> list[Outcome]:
        await self.begin()
        ts = self.now
        outcomes = [memory_append.append(self, draft, ts) for draft in drafts]
        self.end()
        return outcomes

    async def read_events(self, room_id: RoomId, *, after: int, limit: int, max_bytes: int) -> EventPage:
        await self.begin()
        page = memory_history.event_page(self.rooms.get(room_id), after=after, limit=limit, max_bytes=max_bytes)
        self.end()
        return page

    async def read_tails(
        self, positions: Mapping[RoomId, int], *, limit: int, max_bytes: int
    ) -> dict[RoomId, list[Event]]:
        await self.begin()
        found = ((room_id, memory_history.kept(self.rooms.get(room_id), after)) for room_id, after in positions.items())
        tails = cut_tails(found, limit=limit, max_bytes=max_bytes)
        self.end()
        return tails

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
        await self.begin()
        page = memory_history.message_page(
            self.rooms.get(room_id), before=before, after=after, limit=limit, max_bytes=max_bytes, viewer=viewer,
            thread=thread,
        )  # fmt: skip
        self.end()
        return page

    async def read_compact(
        self, room_id: RoomId, *, since: int, limit: int, max_bytes: int, viewer: UserId | None = None
    ) -> CompactPage:
        await self.begin()
        page = memory_history.read_compact(
            self.rooms.get(room_id), since=since, limit=limit, max_bytes=max_bytes, viewer=viewer,
            looked_at=self.limits.compact_events,
        )  # fmt: skip
        self.end()
        return page

    async def between(self, room_id: RoomId, first: int, last: int, viewer: UserId) -> Between:
        await self.begin()
        between = memory_history.between(self.rooms.get(room_id), first, last, viewer)
        self.end()
        return between

    # rooms

    async def open_rooms(self, names: Sequence[RoomName], *, create: bool) -> dict[RoomName, RoomRecord]:
        await self.begin()
        for name in names:
            if create and name not in self.rooms_by_name:
                self.make_room(name, RoomRules())
        rooms = {name: self.rooms_by_name[name].record for name in names if name in self.rooms_by_name}
        self.end()
        return rooms

    async def list_rooms(self, *, after: str, limit: int) -> list[ListedRoom]:
        await self.begin()
        names = sorted(
            name for name, room in self.rooms_by_name.items() if name > after and room.rules.kind == "public"
        )[:limit]
        rooms = [self.rooms_by_name[name] for name in names]
        listed = [ListedRoom(room.name, len(people_of(self, room.id)), len(room.events)) for room in rooms]
        self.end()
        return listed

    # people

    async def claim_name(self, user_id: UserId, name: str) -> bool:
        await self.begin()
        taken = self.take_name(user_id, name, kept_s=self.limits.name_kept_s)
        if taken:
            key = skeleton(name)
            self.names = {k: held for k, held in self.names.items() if held.user_id != user_id or k == key}
        self.end()
        return taken

    async def name_of(self, user_id: UserId) -> str | None:
        await self.begin()
        held = [name for name in self.names.values() if name.user_id == user_id and self.kept(name)]
        self.end()
        return max(held, key=lambda name: name.free_at).name if held else None

    async def touch_names(self, user_ids: Sequence[UserId]) -> None:
        await self.begin()
        present = {user_id for user_id in user_ids if not is_account(user_id)}
        for name in self.names.values():
            if name.user_id in present and self.kept(name):
                name.free_at = self.clock() + self.limits.name_kept_s
        self.end()

    async def signing_secrets(self) -> dict[int, bytes]:
        await self.begin()
        if not self.secrets:
            self.secrets[1] = self.chance.bytes(32)
        self.end()
        return dict(self.secrets)

    # the cluster

    async def look(self, rooms: Sequence[RoomId], me: Incarnation) -> Look:
        await self.begin()
        found = [self.rooms[room_id] for room_id in rooms if room_id in self.rooms]
        heads = {room.id: RoomHead(len(room.events), room.epoch, self._elsewhere(room.id, me)) for room in found}
        nodes = {incarnation: node.record.degraded for incarnation, node in live_nodes(self).items()}
        self.end()
        return Look(heads, nodes, self.changes)

    async def list_members(self, room_id: RoomId, *, after: str, limit: int) -> list[Person]:
        await self.begin()
        people = sorted(
            (name, user_id)
            for user_id, name in people_of(self, room_id).items()
            if name > after and not hides(self, user_id)
        )
        self.end()
        return [Person(name, user_id) for name, user_id in people[:limit]]

    async def record_node(self, record: NodeRecord, changes: Sequence[PresenceChange | DeviceChange]) -> bool:
        await self.begin()
        memory_attendance.sweep(self)
        node = self.nodes.get(record.incarnation)
        if node is None:
            self.nodes[record.incarnation] = StoredNode(record, self.clock(), {})
        else:
            node.record, node.seen_at = record, self.clock()
            memory_attendance.apply(self, node, changes)
        self.end()
        return node is not None

    async def forget_node(self, me: Incarnation) -> None:
        await self.begin()
        memory_attendance.forget(self, me, self.clock())
        self.end()

    async def tidy(self) -> None:
        await self.begin()
        self.names = {key: name for key, name in self.names.items() if self.kept(name)}
        self.invites = [i for i in self.invites if i.expires > self.now and i.uses_left > 0 and i.room_id in self.rooms]
        self.reports = [report for report in self.reports if report.room_id in self.rooms]
        for login_id in [login_id for login_id, login in self.logins.items() if login.expires <= self.now]:
            self.end_login(login_id)
        oldest = self.now - self.limits.revoked_kept_s * 1000
        self.ended = [(at, ended) for at, ended in self.ended if at >= oldest]
        oldest = self.now - self.limits.outgoing_kept_s * 1000
        self.outgoing = [told for told in self.outgoing if told.at >= oldest and told.room_id in self.rooms]
        for room in self.rooms.values():
            self.changes += memory_retention.remove_expired(room, self.now, days=self.limits.kept_days)
        self.end()

    async def ping(self) -> None:
        await self.begin()
        self.end()

    def _elsewhere(self, room_id: RoomId, me: Incarnation) -> int:
        mine = self.nodes[me].here.get(room_id, {}) if me in self.nodes else {}
        others = (node for incarnation, node in live_nodes(self).items() if incarnation != me)
        return len({user_id for node in others for user_id in node.here.get(room_id, {})} - mine.keys())
