"""A front door with settings of its own, and what it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from tests.edge.callers import calling
from tests.nodes import Node
from trichat.edge.exchange import ASGIApp
from trichat.edge.front_door import FrontDoor
from trichat.edge.listeners import listen
from trichat.web import open_to_web


@asynccontextmanager
async def open_door(node: Node, app: ASGIApp | None = None, **policy: Any) -> AsyncIterator[FrontDoor]:
    """Another door to the node, before `app` if it is given; `calling(node)` leads to it."""

    async def ready() -> dict[str, str]:
        return {"postgresql": "ok", "draining": "no"}

    door = FrontDoor(node.hub, app or open_to_web(node.hub, ready, with_metrics=True), **policy)
    listeners = listen("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(door.run, listeners)
        node.port = listeners[0].getsockname()[1]
        yield door
        nursery.cancel_scope.cancel(reason="the test is over")


async def answer_of(node: Node, raw: bytes, local_address: str = "127.0.0.1") -> bytes:
    """The status line and what else comes in the answer's first segment."""
    async with calling(node, local_address) as stream:
        with trio.fail_after(5):
            await stream.send_all(raw)
            return bytes(await stream.receive_some())


async def status_of(node: Node, raw: bytes, local_address: str = "127.0.0.1") -> int:
    answer = await answer_of(node, raw, local_address)
    return int(answer.split(b" ", 2)[1])
