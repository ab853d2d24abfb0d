"""The island lets go of what hangs."""

from __future__ import annotations

import asyncio
import threading

import trio

from tests.bridge.buses import SOON_S
from trichat.bridge.island import aio, open_island


async def test_a_resolver_that_hangs_is_left_behind_on_cancellation() -> None:
    dns_is_back = threading.Event()

    async def resolve_aio() -> None:
        await asyncio.get_running_loop().run_in_executor(None, dns_is_back.wait, SOON_S)

    began = trio.current_time()
    with trio.move_on_after(0.05):
        async with open_island():
            await aio(resolve_aio)
    dns_is_back.set()
    assert trio.current_time() - began < SOON_S / 2
