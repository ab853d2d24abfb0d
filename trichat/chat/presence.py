"""Who is connected: counted here, recorded in the store so that every node can tell, gone with its node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import starmap
from typing import TYPE_CHECKING, Final

import trio

from trichat.chat.connected import Connected
from trichat.chat.ports import DeviceChange, NodeRecord, PresenceChange, Store, StoreUnavailable
from trichat.chat.room import Room
from trichat.core.attendance import Attendee
from trichat.core.events import Person
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId, UserId

if TYPE_CHECKING:
    from trichat.chat.hub import Hub
    from trichat.chat.session import Session

#: Seconds between two records when somebody came or went: many changes go together.
_CHANGES_S: Final = 0.5
#: Changes in one call of the store: 30 ms, where a node's 50,000 people at once would overrun it.
_PORTION: Final = 2_000
#: Seconds between two renewals of the names and the logins of those who are here.
_TOUCH_S: Final = 3600.0
#: Seconds between two times at which this node removes what has expired, in portions: a deleted room of 100,000
#: events is gone after 20 minutes with one node, and nobody notices.
_TIDY_S: Final = 60.0


class Presence:
    """Counts each person's connections to each room at this node, and keeps the node's record in the store.

    Which devices are connected at all, `Connected` knows.
    """

    def __init__(self, store: Store, limits: Limits, incarnation: Incarnation, node: str) -> None:
        self._store = store
        self._limits = limits
        self._incarnation = incarnation
        self._node = node
        self._here: dict[tuple[RoomId, UserId], str] = {}
        self._changed: dict[tuple[RoomId, UserId], None] = {}
        self._connected = Connected()
        self._devices_changed: dict[tuple[UserId, str], None] = {}
        self._changes = trio.Event()
        self._urgent = trio.Event()
        self._degraded = False

    def come(self, room: Room, user_id: UserId, user: str) -> None:
        """A connection of this person listens to the room."""
        room.people[user_id] = room.people.get(user_id, 0) + 1
        if room.people[user_id] == 1:
            self._here[room.id, user_id] = user
            self._note(room.id, user_id)

    def go(self, room: Room, user_id: UserId) -> None:
        """A connection of this person listens no more."""
        room.people[user_id] -= 1
        if not room.people[user_id]:
            del room.people[user_id]
            del self._here[room.id, user_id]
            self._note(room.id, user_id)
            if not room.people:
                room.idle_since = trio.current_time()

    def arrive(self, session: Session) -> None:
        """The connection is this person's from now on."""
        if session.present:
            self._note_device(self._connected.add(session))

    def depart(self, session: Session) -> None:
        """The connection is nobody's any more, or another's soon."""
        self._note_device(self._connected.remove(session))

    def set_away(self, session: Session, away: bool) -> None:
        """Nobody sits at this device, or somebody again."""
        if session.away != away:
            session.away = away
            self._note_device(self._connected.changed(session))

    def sessions_of(self, user_id: UserId) -> Sequence[Session]:
        """The person's connections to this node."""
        return self._connected.sessions_of(user_id)

    def rooms_of(self, user_id: UserId) -> set[RoomId]:
        """The rooms that the person listens to at this node."""
        sessions = self.sessions_of(user_id)
        return {membership.room.id for session in sessions for membership in session.memberships.values()}

    def hide(self, user_id: UserId, hidden: bool) -> None:
        """The account hides its presence, or does so no more; nothing when it is not connected here."""
        self._connected.hide(user_id, hidden)

    def hides(self, user_id: UserId) -> bool:
        """Whether this person, who is connected here, hides their presence."""
        return user_id in self._connected.hidden

    def attendee(self, room: Room, user_id: UserId) -> Attendee | None:
        """Somebody who listens to the room at this node, as far as it knows; None when they hide, or are not here."""
        user = self._here.get((room.id, user_id))
        devices = self._connected.devices_of(user_id)
        return None if user is None or not devices or self.hides(user_id) else Attendee(user, user_id, devices)

    def people_of(self, room_id: RoomId, *, after: str, limit: int) -> list[Person]:
        """Up to `limit` people connected to the room at this node, but for who hides it, by name, after `after`."""
        people = [
            Person(user, who)
            for (room, who), user in self._here.items()
            if room == room_id and user > after and not self.hides(who)
        ]
        return sorted(people, key=lambda person: (person.user, person.user_id))[:limit]

    def declare(self, *, degraded: bool) -> None:
        """Tell the other nodes, by way of the store, that this one cannot publish or hear (or can again)."""
        if degraded != self._degraded:
            self._degraded = degraded
            self._urgent.set()

    async def run(self, hub: Hub) -> None:
        """Record this node every `node_record_s`, sooner when there is news. Lives until cancelled."""
        touched = tidied = looked = trio.current_time()
        while True:
            try:
                hub.tell_presence(await self._record())
                if trio.current_time() - looked >= self._limits.presence_look_s:
                    looked = trio.current_time()
                    await self._look_who_hides()
                if trio.current_time() - touched >= _TOUCH_S:
                    touched = trio.current_time()
                    await self._touch(hub)
                if trio.current_time() - tidied >= _TIDY_S:
                    tidied = trio.current_time()
                    await self._store.tidy()
            except StoreUnavailable:
                pass  # the others take this node for gone after `node_gone_s`; the next record brings it back
            await self._pause()

    async def _touch(self, hub: Hub) -> None:
        """Those who stay connected keep what would expire without use: guests their names, accounts their logins."""
        await self._store.touch_names(hub.named_guests())
        logins = hub.used_logins()
        for start in range(0, len(logins), _PORTION):
            await self._store.accounts.touch_logins(logins[start : start + _PORTION])

    async def _look_who_hides(self) -> None:
        """What another node has said of it may be lost."""
        accounts, changes = self._connected.accounts(), self._connected.hidings
        for start in range(0, len(accounts), _PORTION):
            portion = accounts[start : start + _PORTION]
            hidden = await self._store.attendance.hidden_among(portion)
            if changes != self._connected.hidings:
                return  # what was read may be older than what was heard: the next look tells
            self._connected.know_hidden(portion, hidden)

    async def _pause(self) -> None:
        with trio.move_on_after(self._limits.node_record_s):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._after_changes, nursery.cancel_scope)
                await self._urgent.wait()
                nursery.cancel_scope.cancel(reason="urgent news")

    async def _after_changes(self, pause: trio.CancelScope) -> None:
        await self._changes.wait()
        await trio.sleep(_CHANGES_S)
        pause.cancel(reason="somebody came or went")

    async def _record(self) -> set[RoomId]:
        """The rooms of which something was recorded."""
        self._urgent, self._changes = trio.Event(), trio.Event()
        record = NodeRecord(self._incarnation, self._node, self._degraded)
        taken, self._changed = self._changed, {}
        devices, self._devices_changed = self._devices_changed, {}
        try:
            changes = self._say_of(taken, devices)
            while not await self._say(record, changes):
                changes = self._say_of(self._here, self._connected.devices())
        except StoreUnavailable:
            # what took effect is unknown, perhaps that the node is new: next time say everybody, and who went
            self._changed = {**dict.fromkeys(self._here), **taken, **self._changed}
            self._devices_changed = {**dict.fromkeys(self._connected.devices()), **devices, **self._devices_changed}
            raise
        rooms = {change.room_id for change in changes if isinstance(change, PresenceChange)}
        return rooms.union(*(self.rooms_of(user_id) for user_id, _ in devices))

    async def _say(self, record: NodeRecord, changes: Sequence[PresenceChange | DeviceChange]) -> bool:
        """Record the node and these changes, in portions; False as soon as the node was not known."""
        for start in range(0, max(1, len(changes)), _PORTION):
            if not await self._store.record_node(record, changes[start : start + _PORTION]):
                return False
        return True

    def _say_of(
        self, people: Iterable[tuple[RoomId, UserId]], devices: Iterable[tuple[UserId, str]]
    ) -> list[PresenceChange | DeviceChange]:
        """How these are now."""
        return [*starmap(self._change, people), *starmap(self._device_change, devices)]

    def _note(self, room_id: RoomId, user_id: UserId) -> None:
        self._changed[room_id, user_id] = None
        self._changes.set()

    def _note_device(self, device: tuple[UserId, str] | None) -> None:
        if device is not None:
            self._devices_changed[device] = None
            self._changes.set()

    def _device_change(self, user_id: UserId, device: str) -> DeviceChange:
        return DeviceChange(user_id, device, self._connected.recorded_state(user_id, device))

    def _change(self, room_id: RoomId, user_id: UserId) -> PresenceChange:
        user = self._here.get((room_id, user_id))
        return PresenceChange(room_id, Person(user or "", user_id), user is not None)
