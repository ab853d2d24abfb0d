"""The in-process twin of Redis Pub/Sub: pure Trio, and its faults are named in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio
from msgspec import structs

from trichat.bridge.feed import NewsFeed
from trichat.bridge.subscriptions import Subscriptions
from trichat.chat.ports import Batch, Beat, Bridge, Cut, Linked, News, Subscribed, Whisper
from trichat.chat.whispers import trace_of
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId


class MemoryBus:
    """What Redis is to real bridges. A fault is noticed at once, by Cut; what is lost meanwhile is Missed."""

    def __init__(self) -> None:
        self._bridges: dict[Incarnation, _MemoryBridge] = {}
        self._cut: set[Incarnation] = set()
        self._stopped = False
        self._to_lose = 0

    def open_bridge(
        self, *, incarnation: Incarnation, node: str, limits: Limits
    ) -> AbstractAsyncContextManager[Bridge]:
        """A bridge over this bus, with the contract of `open_redis_bridge`."""
        return self._running(_MemoryBridge(self, Beat(incarnation, node, leaving=False), limits))

    def cut(self, incarnation: Incarnation) -> None:
        """The link of this node alone is lost, until `heal`."""
        self._cut.add(incarnation)
        self._tell_links()

    def heal(self, incarnation: Incarnation) -> None:
        self._cut.discard(incarnation)
        self._tell_links()

    def stop(self) -> None:
        """The bus is away for all, until `start`."""
        self._stopped = True
        self._tell_links()

    def start(self) -> None:
        self._stopped = False
        self._tell_links()

    def lose_next(self, batches: int) -> None:
        """The next `batches` that are published reach nobody, and nobody is told."""
        self._to_lose += batches

    def reaches(self, incarnation: Incarnation) -> bool:
        return not self._stopped and incarnation not in self._cut

    def carry(self, speaker: Incarnation, news: Batch | Beat) -> None:
        """Give `news` to all that are linked: beats to the speaker too, batches to those that hear the room."""
        if isinstance(news, Batch) and self._to_lose:
            self._to_lose -= 1
            return
        for incarnation, bridge in list(self._bridges.items()):
            if isinstance(news, Beat) or incarnation != speaker:
                bridge.hear(news)

    def carry_whisper(self, speaker: Incarnation, whisper: Whisper) -> None:
        """Give it to the others that are linked and hear the room."""
        for incarnation, bridge in list(self._bridges.items()):
            if incarnation != speaker:
                bridge.hear_whisper(whisper)

    def _tell_links(self) -> None:
        for incarnation, bridge in list(self._bridges.items()):
            bridge.set_reached(self.reaches(incarnation))

    @asynccontextmanager
    async def _running(self, bridge: _MemoryBridge) -> AsyncIterator[Bridge]:
        incarnation = bridge.beat.incarnation
        assert incarnation not in self._bridges
        self._bridges[incarnation] = bridge
        bridge.set_reached(self.reaches(incarnation))
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(bridge.run)
                try:
                    yield bridge
                finally:
                    bridge.say_last_word()
                    nursery.cancel_scope.cancel(reason="the bridge is closed")
        finally:
            del self._bridges[incarnation]


class _MemoryBridge:
    """One node's bridge. Publishing is immediate; links and subscriptions come about in its task, as in Redis."""

    def __init__(self, bus: MemoryBus, beat: Beat, limits: Limits) -> None:
        self.beat = beat
        self._bus = bus
        self._limits = limits
        self._feed = NewsFeed(limits.news_queue, missed_every_s=limits.beat_s)
        self._rooms = Subscriptions()
        self._subscribed: set[RoomId] = set()
        self._reached = False
        self._linked = False
        self._left = False
        self._is_cut = False  # and Cut was told
        self._work = trio.Event()

    @property
    def news(self) -> trio.MemoryReceiveChannel[News]:
        return self._feed.news

    def publish(self, batch: Batch) -> None:
        if not self._linked:
            self._feed.post_missed()
            return
        if batch.trace is not None:
            self._bus.carry_whisper(self.beat.incarnation, trace_of(batch, batch.trace))
            batch.trace.end()
            batch = structs.replace(batch, trace=None)
        self._bus.carry(self.beat.incarnation, batch)

    def whisper(self, whisper: Whisper) -> None:
        if self._linked:
            self._bus.carry_whisper(self.beat.incarnation, whisper)

    def subscribe(self, room_id: RoomId) -> None:
        if self._rooms.want(room_id):
            self._work.set()

    def unsubscribe(self, room_id: RoomId) -> None:
        if self._rooms.unwant(room_id):
            self._feed.forget(room_id)
            self._work.set()

    def hear(self, news: Batch | Beat) -> None:
        """The bus carried `news` to here."""
        if not self._linked:
            return
        if isinstance(news, Beat) or self._hears(news.room_id):
            self._feed.post(news)

    def hear_whisper(self, whisper: Whisper) -> None:
        """The bus carried it to here."""
        if self._linked and self._hears(whisper.room_id):
            self._feed.post_whisper(whisper)

    def _hears(self, room_id: RoomId) -> bool:
        return room_id in self._subscribed and room_id in self._rooms

    def set_reached(self, reached: bool) -> None:
        """Whether the bus can be reached changed, perhaps: a lost link is Cut at once."""
        self._reached = reached
        if not reached:
            self._linked = False
            self._subscribed.clear()
            if not self._is_cut:
                self._is_cut = True
                self._feed.post(Cut("the bus is away"))
        self._work.set()

    def say_last_word(self) -> None:
        """The last beat: nothing is said after it."""
        if self._linked:
            self._bus.carry(self.beat.incarnation, Beat(self.beat.incarnation, self.beat.node, leaving=True))
        self._linked = False
        self._left = True

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Links, subscribes and beats until cancelled. Started when linked or cut."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._feed.run)
            self._catch_up()
            nursery.start_soon(self._run_beats)
            task_status.started()
            while True:
                await self._work.wait()
                self._work = trio.Event()
                self._catch_up()

    async def _run_beats(self) -> None:
        while True:
            if self._linked:
                self._bus.carry(self.beat.incarnation, self.beat)
            await trio.sleep(self._limits.beat_s)

    def _catch_up(self) -> None:
        """Become linked when the bus is back, and subscribe to what is wanted."""
        if not self._reached or self._left:
            return
        if not self._linked:
            self._linked, self._is_cut = True, False
            self._feed.post(Linked())
            self._be_subscribed(self._rooms.begin())
        changes = self._rooms.take()
        self._subscribed.difference_update(changes.drop)
        self._be_subscribed(changes.ask + changes.kept)

    def _be_subscribed(self, rooms: list[RoomId]) -> None:
        self._subscribed.update(rooms)
        for room_id in rooms:
            self._feed.post(Subscribed(room_id))
