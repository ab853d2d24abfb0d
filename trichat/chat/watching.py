"""Rooms whose presence somebody at this node wants to know: looked at in the store, once for all of them.

The store is the truth (decision 8). A room is looked at soon when somebody's presence in it was recorded, here or (as a
whisper says) at another node; when a node came or went; when Redis is back; and every `presence_look_s` in any case.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import trio
from msgspec import UNSET, structs

from trichat.chat.membership import Membership
from trichat.chat.ports import StoreUnavailable
from trichat.chat.room import Room
from trichat.core.attendance import Attendee, RoomAttendance, changes, counted
from trichat.core.codec import Frame, encode_reply, format_ts
from trichat.core.errors import CommandId
from trichat.core.replies_conversation import DevicePresence, PersonPresence, PresenceDiff, PresenceState

if TYPE_CHECKING:
    from trichat.chat.hub import Hub
    from trichat.chat.session import Session

#: Seconds between two rounds: what is wanted within them goes together.
_ROUND_S: Final = 0.05
#: A look rests so many times as long as it took: rooms of many thousands take a twentieth of one connection.
_REST_TIMES: Final = 20


class _Watch:
    """One room, and those who follow it; `told` is what they all know."""

    __slots__ = ("followers", "lock", "looked_at", "rest_s", "told", "wanted")

    def __init__(self) -> None:
        self.followers: dict[Session, Membership] = {}
        self.told: RoomAttendance | None = None
        self.looked_at = -math.inf
        self.rest_s = 0.0
        self.wanted = False  # something has changed since the last look, perhaps
        self.lock = trio.Lock()  # one look at a time


class Watching:
    """The rooms of this node that are watched."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._limits = hub.limits
        self._watches: dict[Room, _Watch] = {}
        self._wanted = trio.Event()

    def look_soon(self, room: Room) -> None:
        """Somebody's presence in the room is another one, perhaps."""
        if (watch := self._watches.get(room)) is not None:
            watch.wanted = True
            self._wanted.set()

    def look_everywhere(self) -> None:
        """Anybody's presence may be another one."""
        for room in list(self._watches):
            self.look_soon(room)

    async def attendance(self, room: Room) -> RoomAttendance:
        """How it is now, or was up to `presence_rest_s` ago. Raises StoreUnavailable."""
        watch = self._watches.setdefault(room, _Watch())
        async with watch.lock:
            if watch.told is None or trio.current_time() - watch.looked_at >= watch.rest_s:
                return await self._look(room, watch)
            return watch.told

    def follow(self, session: Session, membership: Membership) -> RoomAttendance | None:
        """Tell the client from now on what changes of what this returns, while it listens to the room."""
        self._wanted.set()
        watch = self._watches.setdefault(membership.room, _Watch())
        watch.followers[session] = membership
        return watch.told

    def unfollow(self, session: Session, room: Room) -> None:
        """Tell the client no more."""
        if (watch := self._watches.get(room)) is not None:
            watch.followers.pop(session, None)

    async def run(self) -> None:
        """Look where it is due. Lives until cancelled."""
        while True:
            self._wanted = trio.Event()
            try:
                await self._round()
            except StoreUnavailable:
                await trio.sleep(self._limits.presence_rest_s)
            await trio.sleep(_ROUND_S)
            with trio.move_on_at(min(map(self._due, self._watches.values()), default=math.inf)):
                await self._wanted.wait()

    def _due(self, watch: _Watch) -> float:
        if watch.wanted or watch.told is None:
            return watch.looked_at + watch.rest_s
        limits = self._limits
        look_s = limits.presence_look_s if self._hub.relay.fanout_ok else limits.presence_look_fast_s
        return watch.looked_at + max(watch.rest_s, look_s)

    async def _round(self) -> None:
        now = trio.current_time()
        for room, watch in list(self._watches.items()):
            if self._due(watch) > now:
                continue
            _prune(watch)
            if room.ended or (not watch.followers and not watch.lock.locked()):
                del self._watches[room]
                continue
            async with watch.lock:
                if self._due(watch) <= trio.current_time():  # else somebody has looked meanwhile
                    await self._look(room, watch)

    async def _look(self, room: Room, watch: _Watch) -> RoomAttendance:
        began = trio.current_time()
        watch.wanted = False
        try:
            found = await self._hub.store.attendance.attendance(room.id, most=self._limits.presence)
        except BaseException:
            watch.wanted = True
            watch.looked_at, watch.rest_s = trio.current_time(), self._limits.presence_rest_s
            raise
        watch.looked_at = trio.current_time()
        watch.rest_s = max(self._limits.presence_rest_s, _REST_TIMES * (watch.looked_at - began))
        now = self._with_those_here(room, found)
        before, watch.told = watch.told, now
        self._tell(room, watch, before, now)
        return now

    def _with_those_here(self, room: Room, found: RoomAttendance) -> RoomAttendance:
        """The store hears of this node's people a moment later than this node does."""
        if found.people is None:
            return found
        known = {user_id for user_id, one in found.people.items() if one.devices}
        unknown = [user_id for user_id in room.people if user_id not in known]
        local = [one for user_id in unknown if (one := self._hub.presence.attendee(room, user_id)) is not None]
        if not local or len(found.people) + len(local) > self._limits.presence:
            return found
        return counted({**found.people, **{one.user_id: one for one in local}})

    def _tell(self, room: Room, watch: _Watch, before: RoomAttendance | None, now: RoomAttendance) -> None:
        _prune(watch)
        changed = changes(before, now)
        if not watch.followers or (not changed and before is not None and _counts(before) == _counts(now)):
            return
        people = UNSET if now.people is None else [_shown(one) for one in changed]
        frame = encode_reply(PresenceDiff(room=room.name, people=people, online=now.online, away=now.away))
        for session in watch.followers:
            session.outbox.post_ephemeral(frame)


def _counts(one: RoomAttendance) -> tuple[int, int, bool]:
    return one.online, one.away, one.people is None


def _prune(watch: _Watch) -> None:
    for session in [session for session, membership in watch.followers.items() if membership.left]:
        del watch.followers[session]


def state_frame(command_id: CommandId, room: Room, now: RoomAttendance) -> Frame:
    """The whole, as an answer."""
    people = UNSET if now.people is None else [_shown(one) for one in now.people.values()]
    state = PresenceState(id=command_id, room=room.name, people=people, online=now.online, away=now.away)
    return encode_reply(state)


def _shown(one: Attendee) -> PersonPresence:
    devices = [DevicePresence(device.name, device.state) for device in one.devices]
    shown = PersonPresence(user=one.user, user_id=one.user_id, state=one.state, devices=devices)
    return shown if one.last_seen is None else structs.replace(shown, last_seen=format_ts(one.last_seen))
