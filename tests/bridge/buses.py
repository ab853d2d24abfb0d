"""What the contract suite runs on: the twin's bus, and Redis with a fault proxy per node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeVar

import trio

from tests.bridge.valkey import ValkeyServer
from tests.faults import FaultProxy, open_fault_proxy
from trichat.bridge.memory import MemoryBus
from trichat.bridge.redis import open_redis_bridge
from trichat.chat.ports import Batch, Bridge, News, Subscribed
from trichat.core.codec import text_frame
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId

LIMITS = Limits()
#: Seconds in which anything that should happen does: about ten times the typical.
SOON_S = 8.0

N = TypeVar("N", bound=News)


class Bus(Protocol):
    """Carries news between the bridges that it opens; its faults are the same for the twin and for Redis."""

    def open_bridge(self, number: int, limits: Limits = LIMITS) -> AbstractAsyncContextManager[Bridge]:
        """The bridge of the node with this incarnation. All nodes have the same name, as by mistake."""
        ...

    def cut(self, number: int) -> None: ...

    def heal(self, number: int) -> None: ...

    async def stop(self) -> None: ...

    async def start(self) -> None: ...


class TwinBus:
    def __init__(self) -> None:
        self._bus = MemoryBus()

    def open_bridge(self, number: int, limits: Limits = LIMITS) -> AbstractAsyncContextManager[Bridge]:
        return self._bus.open_bridge(incarnation=Incarnation(number), node="n1", limits=limits)

    def cut(self, number: int) -> None:
        self._bus.cut(Incarnation(number))

    def heal(self, number: int) -> None:
        self._bus.heal(Incarnation(number))

    async def stop(self) -> None:
        self._bus.stop()

    async def start(self) -> None:
        self._bus.start()


class RedisBus:
    """Each node reaches the server through a proxy of its own."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.proxies: dict[int, FaultProxy] = {}

    @asynccontextmanager
    async def open_bridge(self, number: int, limits: Limits = LIMITS) -> AsyncIterator[Bridge]:
        async with open_fault_proxy(self.server.socket) as proxy:
            self.proxies[number] = proxy
            url = f"redis://127.0.0.1:{proxy.port}"
            async with open_redis_bridge(url, limits, incarnation=Incarnation(number), node="n1") as bridge:
                yield bridge

    def cut(self, number: int) -> None:
        self.proxies[number].cut()

    def heal(self, number: int) -> None:
        self.proxies[number].heal()

    async def stop(self) -> None:
        await self.server.kill()

    async def start(self) -> None:
        await self.server.start()


class Ear:
    """Takes a bridge's news, and keeps all of them."""

    def __init__(self, bridge: Bridge) -> None:
        self._news = bridge.news
        self.heard: list[News] = []

    async def until(self, kind: type[N], fits: Callable[[N], bool] = lambda _: True) -> N:
        """The next news of this kind that fits. Fails when none comes soon."""
        with trio.fail_after(SOON_S):
            while True:
                news = await self._news.receive()
                self.heard.append(news)
                if isinstance(news, kind) and fits(news):
                    return news

    async def take(self, kind: type[N], count: int) -> list[N]:
        """The next `count` news of this kind."""
        return [await self.until(kind) for _ in range(count)]

    async def until_subscribed(self, *rooms: int) -> None:
        """Returns when each of the rooms was Subscribed."""
        missing = set(rooms)
        while missing:
            missing.discard((await self.until(Subscribed)).room_id)

    def waiting(self) -> list[News]:
        """What has come and was not taken yet."""
        waiting = []
        while True:
            try:
                waiting.append(self._news.receive_nowait())
            except trio.WouldBlock:
                self.heard += waiting
                return waiting

    def all_of(self, kind: type[N]) -> list[N]:
        return [news for news in self.heard if isinstance(news, kind)]


def batch(room: int, first: int, *texts: str) -> Batch:
    """A batch of `texts` (one empty one by default) as frames, numbered from `first`."""
    frames = [text_frame(text.encode()) for text in texts or ("{}",)]
    return Batch(RoomId(room), first, len(frames), b"".join(frames))


async def hear_room(bridge: Bridge, ear: Ear, room: int) -> None:
    """Subscribe, and return when that is so."""
    bridge.subscribe(RoomId(room))
    await ear.until_subscribed(room)
