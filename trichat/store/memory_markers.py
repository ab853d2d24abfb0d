"""The twin in memory of `store/markers.py`."""

from __future__ import annotations

from trichat.core.conversation import InboxRoom, Level, Marker, Mention, Moved, ReadUpTo, Told
from trichat.core.events import EVERYBODY, Event
from trichat.core.judging import no_such_room
from trichat.core.names import RoomId, UserId
from trichat.core.standing import Actor
from trichat.store.markers import beyond, demand_member, make_key, parse_key, too_many_members
from trichat.store.memory_moderation import standing_in
from trichat.store.memory_present import deleted_between, present_in
from trichat.store.memory_state import MemoryState, StoredRoom, StoredStanding


class MemoryMarkers:
    """Implements `Markers`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def read(self, room_id: RoomId, viewer: Actor, seq: int) -> Moved:
        await self._state.begin()
        room, stored = self._member(room_id, viewer)
        if seq > len(room.events):
            raise beyond(len(room.events))
        moved = seq > stored.read_seq
        if moved:
            stored.read_seq, stored.read_no = seq, no_at(room, seq)
        marker = marker_in(room, viewer.user_id)
        assert marker is not None
        self._state.end()
        return Moved(marker, moved)

    async def seen(self, room_id: RoomId, viewer: Actor, *, most: int) -> list[ReadUpTo]:
        await self._state.begin()
        room, _ = self._member(room_id, viewer)
        people = [
            ReadUpTo(self._name(user_id, stored), user_id, stored.read_seq)
            for user_id, stored in room.standings.items()
            if stored.standing.role is not None
        ]
        if len(people) > most:
            raise too_many_members(most)
        self._state.end()
        return sorted(people, key=lambda one: (one.user, one.user_id))

    async def inbox(self, user_id: UserId, *, after: str, limit: int) -> list[InboxRoom]:
        await self._state.begin()
        mine = sorted((room for room in self._rooms(user_id) if room.name > after), key=lambda room: room.name)
        listed = [self._inbox_room(room, user_id) for room in mine[:limit]]
        self._state.end()
        return listed

    async def mentions(self, user_id: UserId, *, before: str, limit: int) -> list[Mention]:
        end = parse_key(before)
        await self._state.begin()
        found = [
            ((event.ts * 1000, room.id, seq), room)
            for room in self._rooms(user_id)
            for seq, whom in room.mentions.items()
            for event in [room.events[seq - 1]]
            if mentions_one(whom, user_id) and _may_see(room, user_id, seq) and (event.ts * 1000, room.id, seq) < end
        ]
        found.sort(key=lambda one: one[0], reverse=True)
        listed = [
            Mention(
                make_key(*key), room.name, present_in(room, key[2], user_id), key[2] > room.standings[user_id].read_seq
            )
            for key, room in found[:limit]
        ]
        self._state.end()
        return listed

    async def notify(self, room_id: RoomId, viewer: Actor, level: Level | None, quiet_until: int | None) -> Told:
        await self._state.begin()
        _, stored = self._member(room_id, viewer)
        stored.level = stored.level if level is None else level
        stored.quiet_until = stored.quiet_until if quiet_until is None else quiet_until
        told = self._told(stored)
        self._state.end()
        return told

    def _member(self, room_id: RoomId, viewer: Actor) -> tuple[StoredRoom, StoredStanding]:
        room = self._state.rooms.get(room_id)
        if room is None:
            raise no_such_room()
        demand_member(room.rules, viewer, standing_in(room, viewer.user_id), self._state.now)
        return room, room.standings[viewer.user_id]

    def _rooms(self, user_id: UserId) -> list[StoredRoom]:
        return [room for room in self._state.rooms.values() if standing_in(room, user_id).role is not None]

    def _name(self, user_id: UserId, stored: StoredStanding) -> str:
        user = self._state.users.get(user_id)
        return stored.name if user is None else user.account.name

    def _told(self, stored: StoredStanding) -> Told:
        return Told(stored.level, stored.quiet_until if stored.quiet_until > self._state.now else 0)

    def _inbox_room(self, room: StoredRoom, user_id: UserId) -> InboxRoom:
        stored, marker = room.standings[user_id], marker_in(room, user_id)
        assert stored.standing.role is not None
        assert marker is not None
        last = max((event.seq for event in room.events if _is_countable(event)), default=0)
        return InboxRoom(
            id=room.id, room=room.name, kind=room.rules.kind, title=room.rules.title, epoch=room.epoch,
            head=len(room.events), role=stored.standing.role, read=marker, told=self._told(stored),
            last=present_in(room, last, user_id) if last and _may_see(room, user_id, last) else None,
            peer=self._state.peer_in(room, user_id),
        )  # fmt: skip


def _is_countable(event: Event) -> bool:
    return event.kind == "message" and event.thread is None


def _may_see(room: StoredRoom, user_id: UserId, seq: int) -> bool:
    return seq >= max(room.first, standing_in(room, user_id).first_readable(room.rules))


def mentions_one(whom: tuple[UserId, ...], user_id: UserId) -> bool:
    """Whether a message that mentions these mentions this member."""
    return user_id in whom or EVERYBODY in whom


def no_at(room: StoredRoom, seq: int) -> int:
    """How many countable messages there are up to the event `seq`; up to the last one gone, if that is gone."""
    last = max(seq, room.first - 1)
    return room.events[last - 1].no if last else 0


def marker_in(room: StoredRoom, user_id: UserId) -> Marker | None:
    """How far a member has read, and what that leaves; None of who is no member."""
    stored = room.standings.get(user_id)
    if stored is None or stored.standing.role is None:
        return None
    after = max(stored.read_seq, room.first - 1)
    unread = room.last_no - max(stored.read_no, no_at(room, 0)) - deleted_between(room, None, after)
    mentions = sum(seq > after and mentions_one(whom, user_id) for seq, whom in room.mentions.items())
    return Marker(stored.read_seq, unread, mentions)
