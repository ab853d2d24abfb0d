"""The relay: what other nodes committed comes to this node's rooms, by Redis while it can, else from the store."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final, assert_never

import trio

from trichat.chat.liveness import BeatWatch
from trichat.chat.ports import CLUSTER, Batch, Beat, Cut, Linked, Missed, News, StoreUnavailable, Subscribed, Whisper
from trichat.chat.room import Room
from trichat.core.codec import encode_events
from trichat.core.events import Event
from trichat.core.names import Incarnation, RoomId

if TYPE_CHECKING:
    from trichat.chat.hub import Hub

log = logging.getLogger("trichat.relay")

#: Events of one room, and bytes of all rooms together, that one read brings when rooms are behind.
_TAIL_EVENTS: Final = 500
_TAIL_BYTES: Final = 4_194_304
#: Seconds for which a node counts as degraded after it could not publish something: several looks.
_MISSED_S: Final = 2.0
#: Seconds that a new node has for its first link to Redis before it counts as degraded.
_GRACE_S: Final = 1.0
#: Looks at the clock per beat: how soon after `beat_missing_s` a missing node is noticed.
_LOOKS_PER_BEAT: Final = 5
#: Seconds after which what was published counts as carried: longer than a dead link goes unnoticed.
_CARRIED_S: Final = 1.0


class Relay:
    """Brings other nodes' events into this node's rooms, and knows whether Redis can be relied on.

    Redis carries news, not truth: every `heads_slow_s` the heads of the rooms are compared with the store's,
    and every `heads_fast_s` while this node or any live one is degraded (cannot publish or hear).
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._limits = hub.limits
        self._watch = BeatWatch(hub.limits.beat_missing_s)
        self.linked = False  # Redis is there: this node publishes and hears
        self._grace_until = math.inf  # a node that starts is not yet degraded for not being linked
        self._missed_until = 0.0
        self._others_degraded = False
        self._others_missing = False
        self._company_until = math.inf  # until then, at least, other nodes may live; inf: not looked yet
        self._look_now = trio.Event()
        self._holes: dict[Room, None] = {}
        self._hole = trio.Event()
        self._store_away = False
        self._nodes: frozenset[Incarnation] = frozenset()  # that live, as the last look said
        self._changes = -1  # the store's count of what nodes have to forget, at the last look
        self._said: dict[RoomId, int] = {}  # where this node's announcements of the last moment ended, by room
        self._said_before: dict[RoomId, int] = {}  # the same of the moment before
        self._said_since = 0.0
        self.fanout_ok = True

    @property
    def alone(self) -> bool:
        """No other node lives, as far as the store and the beats tell: there is nobody to publish to.

        One that starts is heard before it subscribes to any room; what it might miss all the same, its look at
        the heads finds.
        """
        return trio.current_time() >= self._company_until

    def announced(self, batch: Batch) -> None:
        """This node has published `batch`, or has tried to."""
        self._said[batch.room_id] = batch.first + batch.count

    def on_hole(self, room: Room) -> None:
        """A room has later events but not the next one: wait a moment for it, then read it from the store."""
        self._holes[room] = None
        self._hole.set()

    def look_now(self) -> None:
        """Have the heads of this node's rooms looked at within a moment."""
        self._look_now.set()

    async def catch_up(self, room: Room, position: int) -> None:
        """Have `room` take in the store's events up to `position`, or its end. Raises StoreUnavailable."""
        while room.head < position and not room.ended:
            after = room.head
            page = await self._hub.store.read_events(
                room.id, after=after, limit=self._limits.page, max_bytes=self._limits.page_bytes
            )
            if page.first > after + 1:
                self._hub.lose_room(room)  # kept no more: who listens resumes, and hears that there is a gap
                return
            if not page.events:
                return
            _take(room, page.events)

    async def run(self) -> None:
        """Lives until cancelled."""
        self._grace_until = trio.current_time() + _GRACE_S
        self._hub.bridge.subscribe(CLUSTER)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_news)
            nursery.start_soon(self._run_looks)
            nursery.start_soon(self._run_holes)
            nursery.start_soon(self._run_watch)

    async def _run_news(self) -> None:
        async for news in self._hub.bridge.news:
            self._hear(news)

    def _hear(self, news: News) -> None:
        match news:
            case Batch(room_id=room_id, first=first, count=0):
                room = self._hub.room_by_id(room_id)
                if room is not None and room.head < first - 1:
                    self._look_now.set()
                elif room_id == CLUSTER:
                    self._hub.revocation.look_soon()
            case Batch(room_id=room_id):
                room = self._hub.room_by_id(room_id)
                if room is not None:
                    room.take(news)
            case Beat():
                self._hear_beat(news)
            case Whisper():
                self._hub.whispers.hear(news)
            case Linked() | Cut():
                self._hear_of_link(news)
            case Subscribed():
                self._look_now.set()
            case Missed():
                self._missed_until = trio.current_time() + _MISSED_S
                if self.linked:
                    self._say_heads()
                self._look_now.set()
            case _:
                assert_never(news)
        self._judge()

    def _hear_of_link(self, news: Linked | Cut) -> None:
        if isinstance(news, Linked):
            self.linked = True
            self._say_heads()
            self._hub.watching.look_everywhere()  # nobody has heard what was whispered
        else:
            log.warning("cut off from Redis: %s", news.why)
            self.linked = False
            self._grace_until = 0.0
        self._look_now.set()

    def _hear_beat(self, beat: Beat) -> None:
        now = trio.current_time()
        if beat.leaving:
            self._watch.left(beat.incarnation, now)
            return
        self._watch.heard(beat.incarnation, now)
        if beat.incarnation != self._hub.incarnation:
            self._company_until = now + self._limits.node_gone_s

    def _judge(self) -> None:
        """Is fan-out as it should be? Tells the other nodes and the clients when that changes."""
        now = trio.current_time()
        degraded = (not self.linked and now > self._grace_until) or now < self._missed_until
        self._hub.presence.declare(degraded=degraded)
        ok = not (degraded or self._others_degraded or self._others_missing)
        if ok != self.fanout_ok:
            self.fanout_ok = ok
            log.log(logging.INFO if ok else logging.WARNING, "fan-out is %s", "ok" if ok else "degraded")
            self._look_now.set()
            self._hub.watching.look_everywhere()  # and from then on more often, or no more so
            self._hub.tell_status()

    def _say_heads(self) -> None:
        """What was published of late may be lost: say where it ended, so that who has not heard it looks.

        The others cannot know: when the link is back before they miss a beat, they rely on it.
        """
        for room_id, end in {**self._said_before, **self._said}.items():
            self._hub.bridge.publish(Batch(room_id, end, 0, b""))

    async def _run_watch(self) -> None:
        while True:
            due = trio.current_time() + self._limits.beat_s / _LOOKS_PER_BEAT
            await trio.sleep_until(due)
            now = trio.current_time()
            # only here, where it is known how late we are: beats that came meanwhile may still wait to be heard
            self._watch.late(now - due, now)
            self._hub.figures.late_s.observe(now - due)
            self._others_missing = self._watch.missing(now)
            self._judge()
            if self.linked and now - self._said_since > _CARRIED_S:
                self._said_since = now
                self._said_before, self._said = self._said, {}

    async def _run_looks(self) -> None:
        while True:
            self._look_now = trio.Event()
            self._hub.revocation.look_soon()
            try:
                await self._look()
                self._store_away = False
                self._hub.figures.looks["ok"] += 1
            except StoreUnavailable:
                if not self._store_away:
                    log.warning("the store does not answer")
                self._store_away = True
                self._hub.figures.looks["unavailable"] += 1
            # a look that failed was asked for, perhaps, and what it would have shown is still not heard
            slow = self.fanout_ok and not self._store_away
            with trio.move_on_after(self._limits.heads_slow_s if slow else self._limits.heads_fast_s):
                await self._look_now.wait()
            # many things may ask for a look at once (200 rooms subscribed): one look serves them all
            await trio.sleep(self._limits.elder_wait_s)

    async def _look(self) -> None:
        hub = self._hub
        rooms = hub.rooms()
        look = await hub.store.look([room.id for room in rooms], hub.incarnation)
        self._watch.expect(look.nodes, trio.current_time())
        self._others_degraded = any(look.nodes[node] for node in look.nodes if node != hub.incarnation)
        if look.changes != self._changes:
            await hub.forget_what_changed()
            self._changes = look.changes
        self._note_company(any(node != hub.incarnation for node in look.nodes))
        if look.nodes.keys() != self._nodes:
            self._nodes = frozenset(look.nodes)
            hub.watching.look_everywhere()
        self._judge()
        behind: dict[Room, int] = {}
        for room in rooms:
            head = look.heads.get(room.id)
            if head is None or head.epoch != room.epoch:
                hub.lose_room(room)
                continue
            room.members_elsewhere = head.members_elsewhere
            if head.head > room.head:
                behind[room] = head.head
        while behind:
            await self._read_tails(behind)

    def _note_company(self, others: bool) -> None:
        now = trio.current_time()
        if others:
            self._company_until = now + self._limits.node_gone_s
        elif math.isinf(self._company_until):
            self._company_until = now + _GRACE_S  # four beats: who is there has been heard by then

    async def _read_tails(self, behind: dict[Room, int]) -> None:
        """Read what `behind` lacks, and strike off the rooms that have reached their head."""
        positions = {room.id: room.head for room in behind}
        tails = await self._hub.store.read_tails(positions, limit=_TAIL_EVENTS, max_bytes=_TAIL_BYTES)
        progress = False
        for room in list(behind):
            events = tails.get(room.id, [])
            if room.id in tails and (not events or events[0].seq > positions[room.id] + 1):
                # what is missing is kept no more: who listens resumes, and hears that there is a gap
                progress = True
                self._hub.lose_room(room)
            elif events:
                progress = True
                self._hub.figures.gaps_healed += 1
                self._hub.figures.events_healed += len(events)
                _take(room, events)
            if room.ended or room.head >= behind[room]:
                del behind[room]
        if not progress:
            behind.clear()
        await trio.lowlevel.checkpoint()

    async def _run_holes(self) -> None:
        while True:
            await self._hole.wait()
            await trio.sleep(self._limits.elder_wait_s)
            self._hole = trio.Event()
            holes, self._holes = self._holes, {}
            behind = {room: room.needs for room in holes if room.needs > room.head}
            try:
                if behind:
                    await self._read_tails(behind)
            except StoreUnavailable:
                pass  # the next look, or the next hole, reads it
            for room in behind:
                self.on_hole(room)


def _take(room: Room, events: list[Event]) -> None:
    frames = encode_events(room.name, events)
    room.take(Batch(room.id, events[0].seq, len(frames), b"".join(frames)))
