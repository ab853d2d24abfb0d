"""The twin in memory of `store/devices.py`, and of what nodes record in `store/cluster.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from trichat.chat.ports import DeviceChange, PresenceChange
from trichat.core.attendance import (
    BOT_DEVICE,
    GUEST_DEVICE,
    UNKNOWN_DEVICE,
    Device,
    Listening,
    MemberSeen,
    RoomAttendance,
    attendance_of,
    counted,
)
from trichat.core.names import Incarnation, RoomId, UserId
from trichat.store.memory_state import DAWN_MS, MemoryState, StoredNode


class MemoryAttendance:
    """Implements `Attendance`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def attendance(self, room_id: RoomId, *, most: int) -> RoomAttendance:
        await self._state.begin()
        people = people_of(self._state, room_id)
        here = {i: Listening(name, self._away(room_id, i)) for i, name in people.items() if not hides(self._state, i)}
        members = self._members(room_id)
        found = attendance_of(here, members if len(members) <= most else [], self._devices())
        if len(here) > most:
            counts = counted({user_id: one for user_id, one in (found.people or {}).items() if user_id in here})
            found = RoomAttendance(None, counts.online, counts.away)
        self._state.end()
        return found

    async def set_hidden(self, user_id: UserId, hidden: bool) -> None:
        await self._state.begin()
        if (user := self._state.users.get(user_id)) is not None:
            user.account = structs.replace(user.account, hidden=hidden)
        self._state.end()

    async def hidden_among(self, user_ids: Sequence[UserId]) -> set[UserId]:
        await self._state.begin()
        hidden = {user_id for user_id in user_ids if hides(self._state, user_id)}
        self._state.end()
        return hidden

    def _away(self, room_id: RoomId, user_id: UserId) -> bool:
        nodes = [node for node in live_nodes(self._state).values() if user_id in node.here.get(room_id, {})]
        return all(node.devices.get((user_id, GUEST_DEVICE), False) for node in nodes)

    def _members(self, room_id: RoomId) -> list[MemberSeen]:
        room = self._state.rooms.get(room_id)
        users = self._state.users
        members = [] if room is None else [i for i, s in room.standings.items() if s.standing.role is not None]
        return [
            MemberSeen(users[i].account.name, i, None if hides(self._state, i) else self._last_seen(i))
            for i in members
            if i in users
        ]

    def _last_seen(self, user_id: UserId) -> int | None:
        """When a device of theirs went, or was at a node that was recorded for the last time."""
        nodes = [node for node in self._state.nodes.values() if any(who == user_id for who, _ in node.devices)]
        seen = [DAWN_MS + round(node.seen_at * 1000) for node in nodes]
        return max([self._state.users[user_id].last_seen or 0, *seen]) or None

    def _devices(self) -> dict[UserId, list[Device]]:
        away: dict[tuple[UserId, str], bool] = {}
        for node in live_nodes(self._state).values():
            for key, is_away in node.devices.items():
                away[key] = is_away and away.get(key, True)
        devices: dict[UserId, list[Device]] = {}
        for (user_id, device), is_away in away.items():
            if not hides(self._state, user_id):
                named = Device(self._name_of(device), "away" if is_away else "online")
                devices.setdefault(user_id, []).append(named)
        return devices

    def _name_of(self, device: str) -> str:
        login = self._state.logins.get(device)
        if login is not None:
            return login.session.device or UNKNOWN_DEVICE
        return device if device == BOT_DEVICE else UNKNOWN_DEVICE


def hides(state: MemoryState, user_id: UserId) -> bool:
    """Whether this is an account that hides its presence."""
    user = state.users.get(user_id)
    return user is not None and user.account.hidden


def live_nodes(state: MemoryState) -> dict[Incarnation, StoredNode]:
    """The nodes that are not gone."""
    oldest = state.clock() - state.limits.node_gone_s
    return {incarnation: node for incarnation, node in state.nodes.items() if node.seen_at > oldest}


def people_of(state: MemoryState, room_id: RoomId) -> dict[UserId, str]:
    """Each person at a live node, once; of several names the first in order."""
    people: dict[UserId, str] = {}
    for node in live_nodes(state).values():
        for user_id, name in node.here.get(room_id, {}).items():
            people[user_id] = min(name, people.get(user_id, name))
    return people


def sweep(state: MemoryState) -> None:
    """Nodes that are gone are removed; who was there was seen when they were recorded last."""
    live = live_nodes(state)
    for incarnation in state.nodes.keys() - live.keys():
        forget(state, incarnation, state.nodes[incarnation].seen_at)


def forget(state: MemoryState, incarnation: Incarnation, seen_at: float) -> None:
    """The node goes with its presence and devices, which were seen at this time (seconds of the clock)."""
    node = state.nodes.pop(incarnation, None)
    if node is not None:
        _note_seen(state, [user_id for user_id, _ in node.devices], seen_at)


def apply(state: MemoryState, node: StoredNode, changes: Sequence[PresenceChange | DeviceChange]) -> None:
    """What came and went at the node."""
    for change in changes:
        if isinstance(change, PresenceChange):
            people = node.here.setdefault(change.room_id, {})
            people.pop(change.person.user_id, None)
            if change.here:
                people[change.person.user_id] = change.person.user
        elif change.state is not None:
            node.devices[change.user_id, change.device] = change.state == "away"
    last = {(change.user_id, change.device): change for change in changes if isinstance(change, DeviceChange)}
    gone = [key for key, change in last.items() if change.state is None]
    for key in gone:
        node.devices.pop(key, None)
    _note_seen(state, [user_id for user_id, _ in gone], state.clock())


def _note_seen(state: MemoryState, user_ids: Iterable[UserId], at: float) -> None:
    for user_id in user_ids:
        if (user := state.users.get(user_id)) is not None:
            user.last_seen = max(user.last_seen or 0, DAWN_MS + round(at * 1000))
