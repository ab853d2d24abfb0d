"""The twin of the PostgreSQL store: in memory, without threads, and deterministic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import trio

from trichat.chat.conversation_ports import Between, CompactPage
from trichat.chat.ports import EventPage, Look, MessagePage, NodeRecord, PresenceChange
from trichat.core.account_names import skeleton
from trichat.core.chance import Chance
from trichat.core.events import (
    CidReused,
    Committed,
    Denial,
    Denied,
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
from trichat.core.names import Incarnation, RoomId, RoomName, UserId
from trichat.core.standing import Role, RoomRules, is_account
from trichat.store.memory_accounts import MemoryAccounts
from trichat.store.memory_acts import MemoryActs
from trichat.store.memory_administration import MemoryAdministration
from trichat.store.memory_governance import MemoryGovernance
from trichat.store.memory_markers import MemoryMarkers
from trichat.store.memory_moderation import standing_in
from trichat.store.memory_search import MemorySearching
from trichat.store.memory_state import MemoryState, StoredNode, StoredRoom
from trichat.store.memory_threads import MemoryThreads
from trichat.store.paging import cut, cut_tails


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

    # the log

    async def append(self, drafts: Sequence[Draft]) -> list[Outcome]:
        await self.begin()
        ts = self.now
        outcomes = [self._append(draft, ts) for draft in drafts]
        self.end()
        return outcomes

    def _append(self, draft: Draft, ts: int) -> Outcome:
        room = self.rooms.get(draft.room_id)
        if room is None:
            return RoomGone()
        if draft.cid is not None and (draft.user_id, draft.cid) in room.cids:
            seq, digest = room.cids[draft.user_id, draft.cid]
            return Repeated(seq) if digest == draft.digest() else CidReused(seq)
        if (denial := _denial(room, draft.user_id, ts)) is not None:
            return Denied(denial)
        seq = len(room.events) + 1
        if draft.cid is not None:
            room.cids[draft.user_id, draft.cid] = (seq, draft.digest())
        counts = draft.kind == "message" and draft.thread is None
        no = room.last_no + counts
        event = Event(seq, draft.kind, draft.user_id, draft.user, ts, draft.cid, draft.body, thread=draft.thread, no=no)
        room.events.append(event)
        stored = room.standings.get(draft.user_id)
        if stored is not None and counts:  # who says something has read what came before it
            stored.read_seq, stored.read_no = seq, no
        if room.rules.slow_s and _paced(room, draft.user_id):
            room.spoke_at[draft.user_id] = ts
        return Committed(seq, ts)

    async def read_events(self, room_id: RoomId, *, after: int, limit: int, max_bytes: int) -> EventPage:
        await self.begin()
        found = self._events(room_id)[max(after, 0) :]
        events = cut(found, limit=limit, max_bytes=max_bytes)
        self.end()
        return EventPage(events, more=len(events) < len(found))

    async def read_tails(
        self, positions: Mapping[RoomId, int], *, limit: int, max_bytes: int
    ) -> dict[RoomId, list[Event]]:
        await self.begin()
        found = ((room_id, self._events(room_id)[max(after, 0) :]) for room_id, after in positions.items())
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
        found = [event for event in self._events(room_id) if event.kind == "message"]
        if after is not None:
            found = [event for event in found if event.seq > after]
        else:
            found = [event for event in reversed(found) if before is None or event.seq < before]
        messages = cut(found, limit=limit, max_bytes=max_bytes)
        self.end()
        return MessagePage(messages if after is not None else messages[::-1], more=len(messages) < len(found))

    async def read_compact(
        self, room_id: RoomId, *, since: int, limit: int, max_bytes: int, viewer: UserId | None = None
    ) -> CompactPage:
        raise NotImplementedError

    async def between(self, room_id: RoomId, first: int, last: int, viewer: UserId) -> Between:
        await self.begin()
        count = sum(event.kind == "message" for event in self._events(room_id) if first <= event.seq <= last)
        self.end()
        return Between(count, 0, 0)

    def _events(self, room_id: RoomId) -> list[Event]:
        room = self.rooms.get(room_id)
        return [] if room is None else room.events

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
        listed = [ListedRoom(room.name, len(self._people(room.id)), len(room.events)) for room in rooms]
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
        nodes = {incarnation: node.record.degraded for incarnation, node in self._live().items()}
        self.end()
        return Look(heads, nodes, self.changes)

    async def list_members(self, room_id: RoomId, *, after: str, limit: int) -> list[Person]:
        await self.begin()
        people = sorted((name, user_id) for user_id, name in self._people(room_id).items() if name > after)
        self.end()
        return [Person(name, user_id) for name, user_id in people[:limit]]

    async def record_node(self, record: NodeRecord, changes: Sequence[PresenceChange]) -> bool:
        await self.begin()
        self.nodes = self._live()
        node = self.nodes.get(record.incarnation)
        if node is None:
            self.nodes[record.incarnation] = StoredNode(record, self.clock(), {})
        else:
            node.record, node.seen_at = record, self.clock()
            for change in changes:
                _apply(node, change)
        self.end()
        return node is not None

    async def forget_node(self, me: Incarnation) -> None:
        await self.begin()
        self.nodes.pop(me, None)
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
        self.end()

    async def ping(self) -> None:
        await self.begin()
        self.end()

    def _live(self) -> dict[Incarnation, StoredNode]:
        oldest = self.clock() - self.limits.node_gone_s
        return {incarnation: node for incarnation, node in self.nodes.items() if node.seen_at > oldest}

    def _people(self, room_id: RoomId) -> dict[UserId, str]:
        """Each person at a live node, once; of several names the first in order."""
        people: dict[UserId, str] = {}
        for node in self._live().values():
            for user_id, name in node.here.get(room_id, {}).items():
                people[user_id] = min(name, people.get(user_id, name))
        return people

    def _elsewhere(self, room_id: RoomId, me: Incarnation) -> int:
        mine = self.nodes[me].here.get(room_id, {}) if me in self.nodes else {}
        others = (node for incarnation, node in self._live().items() if incarnation != me)
        return len({user_id for node in others for user_id in node.here.get(room_id, {})} - mine.keys())


def _apply(node: StoredNode, change: PresenceChange) -> None:
    people = node.here.setdefault(change.room_id, {})
    if change.here:
        people[change.person.user_id] = change.person.user
    else:
        people.pop(change.person.user_id, None)


def _denial(room: StoredRoom, user_id: UserId, now: int) -> Denial | None:
    """Why this author may not send now, as `trichat.append` says."""
    standing = standing_in(room, user_id)
    if room.rules.archived:
        return "archived"
    if standing.banned_at(now):
        return "banned"
    if now < standing.muted_until:
        return "muted"
    if standing.role is None and is_account(user_id):
        return "not_member"
    if (standing.role or Role.GUEST) < room.rules.least_sender:
        return "role"
    too_soon = room.spoke_at.get(user_id, 0) > now - room.rules.slow_s * 1000
    return "slow" if room.rules.slow_s and too_soon and _paced(room, user_id) else None


def _paced(room: StoredRoom, user_id: UserId) -> bool:
    return (standing_in(room, user_id).role or Role.GUEST) < Role.MODERATOR
