"""What one client of HTTP can do to the others: ask too often, go away unseen, keep a node from stopping."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from tests.authority import Authority
from tests.conditions import until
from tests.edge.asking import Asker, asking, request
from tests.edge.callers import calling
from tests.edge.doors import open_door
from tests.edge.secure import open_secure_node
from tests.edge.test_request_faults import Waiting, all_of, large
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from trichat.core.limits import Limits
from trichat.edge.exchange import ASGIApp, Receive, Request, Send, answer_by
from trichat.edge.head import Head
from trichat.edge.line import Line

pytestmark = pytest.mark.usefixtures("no_bugs")

#: So few requests a second that none comes back while a test lasts.
_RARE = Limits(address_burst=120, address_per_s=0.001)


# too often


@asynccontextmanager
async def spent(node: Node, first: str = "127.0.0.1") -> AsyncIterator[Asker]:
    """Somebody at the address `first`, who has asked as often as anybody may."""
    async with asking(node, first) as asker:
        for _ in range(int(_RARE.address_burst)):
            assert (await asker.ask("/nothing")).status == 404
        yield asker


async def test_who_asks_too_often_is_refused_and_nobody_else() -> None:
    async with open_twin_node(make_twins(_RARE), listening=True) as node, spent(node) as asker:
        answer = await asker.ask("/nothing")
        assert (answer.status, answer.headers["retry-after"], answer.headers["connection"]) == (429, "1", "close")
        assert await asker.closed()
        async with asking(node, "127.0.0.9") as other:
            assert (await other.ask("/")).status == 200


async def test_a_program_hears_that_in_the_form_of_the_api() -> None:
    async with open_twin_node(make_twins(_RARE), listening=True) as node, spent(node) as asker:
        said = (await asker.ask("/api/v1/rooms")).said
        assert (said["type"], said["code"], said["temporary"]) == ("error", "rate_limited", True)


async def test_probes_and_operators_may_ask_as_often_as_they_like() -> None:
    async with open_twin_node(make_twins(_RARE), listening=True) as node, spent(node):
        async with asking(node) as prober:
            assert (await prober.ask("/healthz")).status == 200
        async with open_door(node, chat=False), asking(node) as scraper:
            assert (await scraper.ask("/metrics")).status == 200


# away


async def test_a_client_of_tls_that_says_goodbye_and_leaves_is_missed(tmp_path: Path) -> None:
    app = Waiting()
    async with (
        open_secure_node(Authority(tmp_path)) as secure,
        open_door(secure.node, app, certificate=secure.certificate) as door,
        calling(secure.node) as transport,
    ):
        stream = trio.SSLStream(transport, secure.authority.context, server_hostname="127.0.0.1")
        await Asker(stream).send(request("/wait"))
        await until(lambda: app.asked == 1)
        await stream.aclose()  # with the goodbye of TLS: not https_compatible
        await until(lambda: app.gone == 1)
        await until(lambda: not door.callers.open)


async def test_a_client_that_has_asked_for_more_and_leaves_is_missed(node: Node) -> None:
    app = Waiting()
    async with open_door(node, app), asking(node) as asker:
        await asker.send(request("/wait") + request("/after"))
        await until(lambda: app.asked == 1)
        await asker.stream.aclose()
        await until(lambda: app.gone == 1)


# without an end


async def test_what_hypercorn_itself_waits_for_has_an_end(autojump_clock: trio.testing.MockClock) -> None:
    # behind CONNECT h11 reads no further, so that the application is not called; the door refuses it, this is behind it
    request = Request(
        head=Head("CONNECT", "/", {"host": "localhost"}), body=b"", id="r", address="192.0.2.1", tls=False,
        last=lambda: True, hurry=trio.Event(),
    )  # fmt: skip
    line = Line(trio.testing.memory_stream_pair()[0], None)
    with trio.fail_after(2 * LOOSE.request_s):
        assert await answer_by(large, request, line, LOOSE) is None


# a node that stops


async def hurried(scope: Any, receive: Receive, send: Send) -> None:
    await scope["state"]["hurry"].wait()
    await large(scope, receive, send)


@pytest.mark.parametrize("app", [large, hurried])
async def test_who_does_not_take_the_answer_keeps_no_node_from_stopping(app: ASGIApp) -> None:
    limits = msgspec.structs.replace(LOOSE, farewell_s=0.2)
    async with (
        open_twin_node(make_twins(limits), listening=True) as node,
        open_door(node, app) as door,
        asking(node) as asker,
    ):
        await asker.send(request())
        await until(lambda: bool(door.callers.open))
        await trio.testing.wait_all_tasks_blocked(0.01)
        node.hub.draining = True
        with trio.fail_after(5):
            await door.drain(0.0)
        await until(lambda: not door.callers.open)
        with pytest.raises(trio.BrokenResourceError):
            await all_of(asker.stream)
