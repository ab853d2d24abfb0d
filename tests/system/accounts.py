"""People with accounts in tests over real nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from tests.chat.guests import Guest
from tests.nodes import Node, NodeProcess
from tests.wire import open_wire

PASSWORD: Final = "correct horse battery"


@asynccontextmanager
async def connected(node: Node | NodeProcess) -> AsyncIterator[Guest]:
    """Somebody who is connected to the node, and welcomed."""
    assert node.port is not None
    async with open_wire(node.port) as wire, trio.open_nursery() as nursery:
        guest = Guest(wire)
        nursery.start_soon(guest.run)
        await guest.until(lambda: bool(guest.frames))
        yield guest
        nursery.cancel_scope.cancel(reason="the block is over")


async def register(guest: Guest, name: str) -> str:
    """Make an account of this name: its first token."""
    return str((await ok(guest, "register", name=name, password=PASSWORD))["token"])


async def log_in(guest: Guest, name: str) -> str:
    """Log in with PASSWORD: the token."""
    return str((await ok(guest, "login", name=name, password=PASSWORD))["token"])


async def ok(guest: Guest, command: str, **fields: Any) -> dict[str, Any]:
    """Give a command that is answered `ok`: the answer."""
    reply = await guest.ask(command, **fields)
    assert reply["type"] == "ok", reply
    return reply
