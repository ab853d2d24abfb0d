"""How a call of the client is said: what is checked of each, whatever it is about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio

from tests.client.fake_server import URL, FakeServer, Frame, Peer
from trichat.client import Changed, Client, open_client
from trichat.core.parse import parse_command

Call = Callable[[Client], Awaitable[Any]]


def the_server_understands(command: Frame) -> bool:
    """It parses, and has no field that the server does not know."""
    return not parse_command(msgspec.json.encode(command)).unknown


async def assert_counts_once(nursery: trio.Nursery, kind: str, call: Call, fields: Frame) -> None:
    """It has a `cid`, and is said again with the same when the connection is lost before the reply."""
    heard: list[Frame] = []

    async def cut(peer: Peer) -> None:
        await peer.let_in("auth")
        heard.append(await peer.expect(kind))
        await peer.cut()

    async def acknowledge(peer: Peer) -> None:
        await peer.let_in("auth")
        heard.append(await peer.expect(kind))
        await peer.reply(heard[1], "ack", room="garden", seq=7, cid=heard[1]["cid"], dup=True)
        await peer.stay()

    async with open_client(URL, token="u.1", connect=FakeServer(nursery, cut, acknowledge).connect) as client:
        changed = await call(client)
    assert heard[0] == heard[1]
    assert heard[0] == {"type": kind, "room": "garden", **fields, "cid": changed.cid, "id": heard[0]["id"]}
    assert changed == Changed(7, changed.cid, dup=True)
    assert len(changed.cid) == 20
    assert the_server_understands(heard[0])


async def answer_after_loss(nursery: trio.Nursery, call: Call, said: Frame, reply: Frame) -> Any:
    """It is said again when the connection is lost before the reply; what the call returns."""
    heard: list[Frame] = []

    async def cut(peer: Peer) -> None:
        await peer.let_in("auth")
        await peer.hear()
        await peer.cut()

    async def reply_to_it(peer: Peer) -> None:
        await peer.let_in("auth")
        heard.append(await peer.hear())
        await peer.answer(heard[0], reply)
        await peer.stay()

    async with open_client(URL, token="u.1", connect=FakeServer(nursery, cut, reply_to_it).connect) as client:
        answer = await call(client)
    assert heard == [{**said, "id": heard[0]["id"]}]
    assert the_server_understands(heard[0])
    return answer
