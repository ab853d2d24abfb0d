"""The bridge over Redis Pub/Sub: keeps a link while it can, and says when it cannot.

Trio decides (when to connect, whether the beats come back, what is told); asyncio only moves bytes, in the
functions that end in `_aio`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Final

import trio

from trichat.bridge.address import Address, BridgeUnusable, Host, parse_address
from trichat.bridge.channels import NO_ROOM, Channels
from trichat.bridge.conversation import Conversation, Node
from trichat.bridge.feed import NewsFeed
from trichat.bridge.island import aio, open_island
from trichat.bridge.link import Link, LinkDown, LinkRefused
from trichat.bridge.sentinel import ask_sentinel_aio
from trichat.bridge.subscriptions import Subscriptions
from trichat.chat.figures import Figures
from trichat.chat.ports import Batch, Bridge, Cut, News, Whisper
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId

__all__ = ["BridgeUnusable", "open_redis_bridge"]

log = logging.getLogger("trichat.bridge")

#: Seconds for closing two sockets without a farewell: it takes a few turns of the loop.
_DROP_S: Final = 0.2


def open_redis_bridge(
    redis_url: str,
    limits: Limits,
    *,
    incarnation: Incarnation,
    node: str,
    prefix: str = "trichat",
    chance: Chance | None = None,
    figures: Figures | None = None,
) -> AbstractAsyncContextManager[Bridge]:
    """The bridge of the node `incarnation` over the Redis at `redis_url`. All nodes have the same `prefix`.

    Entered, it is either linked, or has said Cut and goes on trying: a Redis that is away is no error. Raises
    BridgeUnusable for a URL that makes no sense and, when entered, for a Redis that refuses us. On leaving,
    what waits is published and a last beat says `leaving` (`limits.leave_s` at most); then `news` ends.
    """
    node_ = Node(incarnation, node)
    address, channels = parse_address(redis_url), Channels(prefix)
    return _running(
        RedisBridge(address, limits, node_, channels, chance=chance or Chance(), figures=figures or Figures())
    )


@asynccontextmanager
async def _running(bridge: RedisBridge) -> AsyncIterator[Bridge]:
    async with trio.open_nursery() as nursery:
        refused: str | None = await nursery.start(bridge.run)
        if refused is None:
            try:
                yield bridge
            finally:
                await bridge.leave()
                nursery.cancel_scope.cancel(reason="the bridge is closed")
    if refused is not None:  # raised out here, where no nursery makes a group of it
        raise BridgeUnusable(refused)


class RedisBridge:
    """The Bridge port over Redis. `run` owns the link."""

    def __init__(
        self, address: Address, limits: Limits, node: Node, channels: Channels, *, chance: Chance, figures: Figures
    ) -> None:
        self._address = address
        self._limits = limits
        self._node = node
        self._channels = channels
        self._chance = chance
        self._figures = figures
        self._feed = NewsFeed(limits.news_queue, missed_every_s=limits.beat_s, figures=figures)
        self._rooms = Subscriptions()
        self._queue: deque[Batch] = deque()
        self._whispers: deque[Whisper] = deque()
        self._conversation: Conversation | None = None
        self._pause_s = limits.redis_backoff_s
        self._failures = 0
        self._is_cut = False  # and Cut was told

    @property
    def news(self) -> trio.MemoryReceiveChannel[News]:
        return self._feed.news

    def publish(self, batch: Batch) -> None:
        conversation = self._conversation
        if conversation is None or not conversation.linked or self._is_full():
            self._feed.post_missed()
            return
        self._queue.append(batch)
        conversation.wake()

    def whisper(self, whisper: Whisper) -> None:
        conversation = self._conversation
        waiting = max(len(self._whispers), len(self._queue))
        if conversation is not None and conversation.linked and waiting < self._limits.whisper_queue:
            self._whispers.append(whisper)
            conversation.wake()
        else:
            self._figures.whispers_dropped += 1

    def subscribe(self, room_id: RoomId) -> None:
        """A room that is subscribed to already stays so, and nothing is told again."""
        if self._rooms.want(room_id):
            self._wake()

    def unsubscribe(self, room_id: RoomId) -> None:
        if self._rooms.unwant(room_id):
            self._feed.forget(room_id)
            self._wake()

    def _is_full(self) -> bool:
        return len(self._queue) >= self._limits.publish_queue

    def _wake(self) -> None:
        if self._conversation is not None:
            self._conversation.wake()

    async def run(self, task_status: trio.TaskStatus[str | None]) -> None:
        """Keeps a link until cancelled. Started (None) when linked or Cut.

        Where Redis refuses us from the start: started with what to do about it, and ended.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._feed.run)
            async with open_island():
                await self._keep_linked(_Start(task_status))
            nursery.cancel_scope.cancel(reason="Redis refused us")

    async def leave(self) -> None:
        """Publish what waits and say the last word: `leave_s` at most, and at once when there is no link."""
        if self._conversation is not None:
            with trio.move_on_after(self._limits.leave_s, shield=True):
                await self._conversation.say_last_word()

    async def _keep_linked(self, start: _Start) -> None:
        while True:
            try:
                link, ready = await self._open_link()
                await self._talk(link, ready, start)
            except LinkDown as down:
                if isinstance(down, LinkRefused) and not start.told:
                    start.tell(str(down))
                    return
                self._be_cut(str(down))
                start.tell(None)
            except Exception as error:
                # whatever a library raises here, it is the link that has failed: the chat goes on without Redis
                log.exception("a bug cut the link to Redis")
                self._be_cut(f"a bug of ours: {error!r}")
                start.tell(None)
            await trio.sleep(self._pause_s * (0.5 + self._chance.fraction() / 2))
            self._pause_s = min(2 * self._pause_s, self._limits.redis_backoff_most_s)

    async def _open_link(self) -> tuple[Link, list[RoomId]]:
        """A link that has subscribed to all the wanted rooms, and which those were. Raises LinkDown."""
        link = Link(self._address)
        try:
            with self._within(self._limits.redis_connect_s):
                await aio(link.connect_aio, await self._find_master())
            with self._within(self._limits.redis_subscribe_s):
                ready = self._rooms.begin()
                wanted = [self._channels.nodes, *map(self._channels.room, ready)]
                await aio(link.prepare_aio, wanted, self._channels.room(NO_ROOM))
        except BaseException:
            await _drop(link)
            raise
        return link, ready

    async def _find_master(self) -> Host | None:
        """Asks one Sentinel, the next one after a failure; None where there are none."""
        sentinels = self._address.sentinels
        if not sentinels:
            return None
        return await aio(ask_sentinel_aio, self._address, sentinels[self._failures % len(sentinels)])

    async def _talk(self, link: Link, ready: list[RoomId], start: _Start) -> None:
        """Speak and hear over `link` until it breaks: then raises LinkDown."""

        def be_linked() -> None:
            self._is_cut = False
            self._pause_s = self._limits.redis_backoff_s
            start.tell(None)

        self._conversation = conversation = Conversation(
            link,
            channels=self._channels,
            node=self._node,
            feed=self._feed,
            queue=self._queue,
            whispers=self._whispers,
            rooms=self._rooms,
            ready=ready,
            limits=self._limits,
            on_linked=be_linked,
        )
        try:
            await conversation.run()
        finally:
            self._conversation = None
            await _drop(link)
            self._figures.whispers_dropped += len(self._whispers)
            self._whispers.clear()
            if self._queue or conversation.unconfirmed:
                self._queue.clear()
                self._feed.post_missed()

    def _be_cut(self, why: str) -> None:
        self._failures += 1
        if not self._is_cut:
            self._is_cut = True
            self._feed.post(Cut(why))

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Raises LinkDown when the block takes longer."""
        try:
            with trio.fail_after(seconds):
                yield
        except trio.TooSlowError:
            raise LinkDown(f"Redis at {self._address} did not answer in {seconds:g} s") from None


async def _drop(link: Link) -> None:
    with trio.move_on_after(_DROP_S, shield=True):
        await aio(link.drop_aio)


class _Start:
    """Tells once how the start went."""

    def __init__(self, task_status: trio.TaskStatus[str | None]) -> None:
        self._task_status = task_status
        self.told = False

    def tell(self, refused: str | None) -> None:
        if not self.told:
            self.told = True
            self._task_status.started(refused)
