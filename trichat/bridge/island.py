"""The island of asyncio: the one loop on which redis-py runs, and the one way onto it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio
import trio_asyncio

T = TypeVar("T")


class _Resolver(trio_asyncio.TrioExecutor):  # type: ignore[misc]  # it has no types
    """Runs getaddrinfo, all that asyncio wants threads for here. A resolver that hangs is left behind on
    cancellation; otherwise a node could not stop for as long as its DNS server is away."""

    async def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return await trio.to_thread.run_sync(function, *args, abandon_on_cancel=True)


@asynccontextmanager
async def open_island() -> AsyncIterator[None]:
    """An asyncio loop around the block; `aio` calls onto it."""
    async with trio_asyncio.open_loop() as loop:
        loop.set_default_executor(_Resolver())
        yield


async def aio(function: Callable[..., Awaitable[T]], *args: object) -> T:
    """Call the asyncio function (its name ends in `_aio`) from Trio. Cancellation goes through to it."""
    result: T = await trio_asyncio.aio_as_trio(function)(*args)
    return result
