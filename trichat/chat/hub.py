"""The hub: one node's chat. Knows its rooms and sessions, and runs what serves them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import trio
from msgspec import structs

from trichat.chat.committer import Committer
from trichat.chat.expiry import Expiry
from trichat.chat.figures import Figures
from trichat.chat.indexing import run_indexing
from trichat.chat.pages import Pages
from trichat.chat.password_throttle import PasswordThrottle
from trichat.chat.ports import Batch, Bridge, Store, StoreUnavailable
from trichat.chat.presence import Presence
from trichat.chat.relay import Relay
from trichat.chat.revocation import Revocation
from trichat.chat.room import Room
from trichat.chat.session import Session
from trichat.chat.throttle import Throttle
from trichat.chat.tracing import Tracer
from trichat.chat.typists import Typists
from trichat.chat.vault_port import Vault
from trichat.chat.watching import Watching
from trichat.chat.whispers import Whispers
from trichat.core.chance import Chance
from trichat.core.codec import encode_event, encode_reply, text_frame
from trichat.core.events import Event, RoomRecord
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId, RoomName, UserId
from trichat.core.replies import Status
from trichat.core.tokens import Signer

#: How many rooms may wait for their broadcaster to be started.
_STARTING_ROOMS = 100_000
#: Beyond the head of any log: who hears of it looks, and finds that the room is gone.
_BEYOND_ALL = 2**62


class Hub:
    """What all sessions of a node share.

    `run` lives as long as the node: the committer's lanes, the relay, the broadcasters, presence. Sessions
    come and go inside that time.
    """

    def __init__(
        self,
        store: Store,
        bridge: Bridge,
        limits: Limits,
        *,
        node: str,
        incarnation: Incarnation,
        chance: Chance,
        signer: Signer,
        vault: Vault,
        allow_guests: bool = True,
        allow_registration: bool = True,
        wall_clock: Callable[[], float] = time.time,
        lanes: int = 2,
        figures: Figures | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.store = store
        self.bridge = bridge
        self.limits = limits
        self.node = node
        self.incarnation = incarnation
        self.chance = chance
        self.signer = signer
        self.vault = vault
        self.allow_guests = allow_guests
        self.allow_registration = allow_registration
        self.wall_clock = wall_clock  # seconds since 1970
        self.figures = figures or Figures()
        self.tracer = tracer  # None: nothing is traced
        self.draining = False
        self.sessions: dict[Session, None] = {}
        self.throttle = Throttle(limits)
        self.password_throttle = PasswordThrottle(limits, lifted=self.throttle.lifted)
        self.revocation = Revocation(self)
        self.expiry = Expiry(limits.expiring_s)
        self.presence = Presence(store, limits, incarnation, node)
        self.pages = Pages(store, limits)
        self.relay = Relay(self)
        self.whispers = Whispers(self)
        self.typists = Typists(self)
        self.watching = Watching(self)
        self.committer = Committer(store, limits, lanes, self.announce, figures=self.figures, tracer=tracer)
        self._rooms: dict[RoomName, Room] = {}
        self._rooms_by_id: dict[RoomId, Room] = {}
        self._opening: dict[RoomName, _Opening] = {}
        self._start_room, self._started_rooms = trio.open_memory_channel[Room](_STARTING_ROOMS)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Everything that serves the sessions. Lives until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.committer.run)
            nursery.start_soon(self._run_rooms)
            nursery.start_soon(self.relay.run)
            nursery.start_soon(self.revocation.run)
            nursery.start_soon(self.expiry.run)
            nursery.start_soon(self.presence.run, self)
            nursery.start_soon(self.typists.run)
            nursery.start_soon(self.watching.run)
            nursery.start_soon(self._run_forgetting)
            nursery.start_soon(run_indexing, self.store.searching, self.limits, lambda: self.committer.waiting)
            task_status.started()

    # rooms

    def rooms(self) -> list[Room]:
        """All rooms that this node knows now."""
        return list(self._rooms.values())

    def room(self, name: str) -> Room | None:
        """The room, if this node knows it now."""
        return self._rooms.get(RoomName(name))

    def room_by_id(self, room_id: RoomId) -> Room | None:
        return self._rooms_by_id.get(room_id)

    async def open_rooms(self, names: Iterable[RoomName], *, create: bool) -> dict[RoomName, Room]:
        """The rooms of these names, read from the store unless this node knows them already.

        Rooms that do not exist are made if `create`, else left out. Raises StoreUnavailable.
        """
        wanted = list(names)
        while opening := next((self._opening[name] for name in wanted if name in self._opening), None):
            await opening.done.wait()  # somebody else reads it: share that read, and its failure
            if opening.failed:
                raise StoreUnavailable("the read that was shared failed")
        unknown = [name for name in wanted if name not in self._rooms]
        if unknown:
            await self._read_rooms(unknown, create=create)
        rooms = {name: self._rooms[name] for name in wanted if name in self._rooms}
        for room in rooms.values():
            room.idle_since = trio.current_time()  # not forgotten while the command goes on
        return rooms

    async def _read_rooms(self, names: list[RoomName], *, create: bool) -> None:
        opening = _Opening()
        self._opening.update(dict.fromkeys(names, opening))
        try:
            for record in (await self.store.open_rooms(names, create=create)).values():
                self._add_room(record)
        except StoreUnavailable:
            opening.failed = True
            raise
        finally:
            for name in names:
                del self._opening[name]
            opening.done.set()

    def _add_room(self, record: RoomRecord) -> None:
        room = Room(
            record, self.limits, self.relay.on_hole, lambda room: self.pages.forget(room.id), figures=self.figures
        )
        room.idle_since = trio.current_time()
        self._rooms[room.name] = room
        self._rooms_by_id[room.id] = room
        self._start_room.send_nowait(room)
        # what others commit from here on comes by the bridge; what came before, by the look at Subscribed
        self.bridge.subscribe(room.id)

    def lose_room(self, room: Room) -> None:
        """The room's log is gone or another one: its listeners have to resume."""
        self._forget(room)
        for session in list(self.sessions):
            session.lose(room)

    def _forget(self, room: Room) -> None:
        if self._rooms_by_id.get(room.id) is room:  # else it was forgotten before, and perhaps opened again
            del self._rooms_by_id[room.id]
            del self._rooms[room.name]
            self.bridge.unsubscribe(room.id)
            room.end()
            self.pages.forget(room.id)  # nobody tells us any more when what is in them changes

    async def _run_rooms(self) -> None:
        async with trio.open_nursery() as nursery:
            async for room in self._started_rooms:
                nursery.start_soon(room.run_broadcaster)

    async def _run_forgetting(self) -> None:
        idle_s = self.limits.room_idle_s
        while True:
            await trio.sleep(idle_s / 2)
            now = trio.current_time()
            for room in self.rooms():
                if not room.people and now - room.idle_since > idle_s:
                    self._forget(room)

    def announce(self, batch: Batch) -> None:
        """Newly committed here: to this node's listeners at once, to the other nodes by the bridge."""
        self.figures.events += batch.count
        room = self._rooms_by_id.get(batch.room_id)
        if room is not None:
            room.take(batch)
        if batch.trace is not None:
            self.trace_delivery(room, batch.trace.context, batch.first)
        self._tell_others(batch)

    def announce_event(self, room_id: RoomId, room: RoomName, event: Event) -> None:
        """One newly committed event, as `announce` does it: call it with no checkpoint after the commit."""
        self.announce(Batch(room_id, event.seq, 1, text_frame(encode_event(room, event))))

    def announce_head(self, room_id: RoomId, head: int) -> None:
        """Events up to `head` were committed that are not at hand: every node that knows the room reads them soon."""
        room = self._rooms_by_id.get(room_id)
        if room is not None and room.head < head:
            self.relay.look_now()
        self._tell_others(Batch(room_id, head + 1, 0, b""))

    def announce_deleted(self, room_id: RoomId) -> None:
        """The room was deleted: its listeners have to go, here now and at the other nodes as soon as they look."""
        room = self._rooms_by_id.get(room_id)
        if room is not None:
            self.lose_room(room)
        self._tell_others(Batch(room_id, _BEYOND_ALL, 0, b""))

    def _tell_others(self, batch: Batch) -> None:
        if not self.relay.alone:
            self.relay.announced(batch)
            if batch.trace is not None and self.tracer is not None:
                batch = structs.replace(batch, trace=self.tracer.begin_publish(batch.trace, batch.room_id, batch.first))
            self.bridge.publish(batch)

    def trace_delivery(self, room: Room | None, context: str, first: int) -> None:
        """What is handed out of the room with the event `first` is part of the trace of `context`."""
        if room is not None and self.tracer is not None:
            span = self.tracer.begin_delivery(context, room.id, first)
            if span is not None:
                room.trace(first, span)

    async def forget_what_changed(self) -> None:
        """Signing secrets, or texts that were erased, are others in the store now. Raises StoreUnavailable."""
        await self.read_secrets()
        self.pages.forget()
        for room in self.rooms():
            room.forget_recent()

    async def read_secrets(self) -> None:
        """Sign and check guests' tokens with the secrets that the store has now. Raises StoreUnavailable."""
        self.signer = Signer(await self.store.signing_secrets())

    # sessions

    def tell_presence(self, rooms: Iterable[RoomId]) -> None:
        """Somebody's presence in these rooms is another one in the store: every node looks there soon."""
        for room_id in rooms:
            if (room := self._rooms_by_id.get(room_id)) is not None:
                self.watching.look_soon(room)
            self.whispers.presence(room_id)

    def named_guests(self) -> list[UserId]:
        """Guests who are here under a name that they reserved."""
        return [s.user_id for s in self.sessions if s.named and s.user_id is not None]

    def used_logins(self) -> list[str]:
        """The logins that connections here rest on, each once."""
        used = {s.login_id: None for s in self.sessions if s.login_id is not None and s.key is None}
        return list(used)

    def tell_status(self) -> None:
        """Tell every client how fan-out is; who does not read is not told."""
        frame = encode_reply(self.status())
        for session in list(self.sessions):
            session.outbox.post_ephemeral(frame)

    def status(self) -> Status:
        return Status(fanout="ok" if self.relay.fanout_ok else "degraded")


class _Opening:
    """A read of rooms that is under way, for those who want one of them too."""

    __slots__ = ("done", "failed")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.failed = False  # the store was unavailable; a reader that was cancelled says nothing
