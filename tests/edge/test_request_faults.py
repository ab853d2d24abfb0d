"""What goes wrong with a request harms that request alone: bugs, clients that leave, a node that stops."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.conditions import until
from tests.edge.asking import Asker, asking, echo, request, respond, whole_body
from tests.edge.doors import open_door
from tests.edge.visitors import undisturbed
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import Refused, WireClient
from trichat.edge.exchange import Receive, Send


async def buggy(scope: Any, receive: Receive, send: Send) -> None:
    """Fails in the way that the path names."""
    match scope["path"]:
        case "/at-once":
            raise ZeroDivisionError("a bug")
        case "/in-the-midst":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise ZeroDivisionError("a bug")
        case "/too-little":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
            await send({"type": "http.response.body", "body": b"half"})
        case "/nothing":
            return
        case "/too-much":
            await respond(send, b"x" * 5_000_000)
        case "/odd-header":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\r\nb: c")]})
        case "/starlette":
            await Starlette(routes=[Route("/starlette", starlettes_bug)])(scope, receive, send)
        case "/never":
            await trio.sleep_forever()
        case _:
            await respond(send, b"well")


async def starlettes_bug(request: Request) -> Response:
    raise ZeroDivisionError("a bug")


BUGS = ["/at-once", "/in-the-midst", "/too-little", "/nothing", "/too-much", "/odd-header", "/starlette"]


@pytest.mark.parametrize("path", BUGS)
async def test_a_bug_is_answered_with_500_and_logged_once_and_nobody_else_notices(
    path: str, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_door(node, buggy), undisturbed(node), asking(node) as other:
        assert (await other.ask("/well")).status == 200
        async with asking(node) as unlucky:
            assert (await unlucky.ask("/well")).status == 200
            answer = await unlucky.ask(path)
            assert (answer.status, answer.headers["connection"]) == (500, "close")
            assert (answer.said["type"], answer.said["code"]) == ("error", "internal")
            assert answer.headers["x-request-id"] in answer.said["message"]
            assert await unlucky.closed()
        assert (await other.ask("/well")).status == 200
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in errors] == ["trichat.requests"]


async def test_a_request_that_takes_too_long_is_given_up(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    limits = msgspec.structs.replace(LOOSE, request_s=12.0)
    async with open_twin_node(make_twins(limits)) as node, open_door(node, buggy) as door:
        node.door = door
        asker = Asker(await node.connect())
        began = trio.current_time()
        answer = await asker.ask("/never")
        assert answer.status == 500
        assert trio.current_time() - began == pytest.approx(12, abs=0.5)
    assert "a request took too long" in caplog.text


async def large(scope: Any, receive: Receive, send: Send) -> None:
    await respond(send, b"x" * 4_000_000)


async def test_who_does_not_take_the_answer_is_cut_off() -> None:
    twins = make_twins(msgspec.structs.replace(LOOSE, answer_s=0.2))
    async with open_twin_node(twins) as node, open_door(node, large) as door, asking(node) as asker:
        await asker.send(request())
        await until(lambda: bool(door.callers.open))
        await until(lambda: not door.callers.open)
        with pytest.raises(trio.BrokenResourceError):
            await all_of(asker.stream)


async def all_of(stream: trio.abc.ReceiveStream) -> bytes:
    return b"".join([bytes(chunk) async for chunk in stream])


class Waiting:
    """An application whose answers wait until they are told to hurry; `asked` counts the requests."""

    def __init__(self) -> None:
        self.asked = 0
        self.gone = 0

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        await whole_body(receive)
        self.asked += 1
        if scope["path"] == "/wait":
            await scope["state"]["hurry"].wait()
            self.gone += 1
        await respond(send, b"done")


@pytest.mark.parametrize("how", ["reset", "closed", "half closed"])
async def test_a_long_answer_hurries_when_the_client_is_gone(how: str, node: Node) -> None:
    app = Waiting()
    async with open_door(node, app) as door:
        async with asking(node) as asker:
            await asker.send(request("/wait", method="POST", body=b"x"))
            await until(lambda: app.asked == 1)
            assert not app.gone
            assert isinstance(asker.stream, trio.SocketStream)
            if how == "closed":
                await asker.stream.aclose()
            elif how == "half closed":
                await asker.stream.send_eof()
                assert (await asker.answer()).body == b"done"
        await until(lambda: app.gone == 1)
        await until(lambda: not door.callers.open)


async def test_who_says_more_meanwhile_is_still_there(node: Node) -> None:
    app = Waiting()
    async with open_door(node, app), asking(node) as asker:
        await asker.send(request("/wait") + request("/after"))
        await until(lambda: app.asked == 1)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert not app.gone


# a node that stops


async def test_a_node_that_stops_closes_who_is_idle_and_answers_what_is_under_way(node: Node) -> None:
    app = Waiting()
    async with open_door(node, app) as door, asking(node) as idle, asking(node) as waiting, asking(node) as late:
        assert (await idle.ask()).status == (await late.ask()).status == 200
        await late.send(request()[:-2])
        await waiting.send(request("/wait"))
        await until(lambda: app.asked == 3)
        await trio.testing.wait_all_tasks_blocked(0.01)
        node.hub.draining = True
        with trio.fail_after(5):
            await door.drain(0.0)
        assert await idle.closed()
        answer = await waiting.answer()
        assert (answer.body, answer.headers["connection"]) == (b"done", "close")
        await late.send(b"\r\n")
        assert (await late.answer()).status == 200, "probes are answered"
        assert await late.closed()


async def test_a_node_that_stops_takes_no_new_requests(node: Node) -> None:
    async with asking(node) as first, asking(node) as second:
        assert (await first.ask("/")).status == 200
        node.hub.draining = True
        assert (await first.ask("/")).status == 503
        assert await first.closed()
        answer = await second.ask("/readyz")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await second.closed()


async def test_a_node_may_be_stopped_amid_a_request(node: Node) -> None:
    app = Waiting()
    async with asking(node) as other:
        async with open_door(node, app), asking(node) as asker:
            await asker.send(request("/wait"))
            await until(lambda: app.asked == 1)
        assert (await other.ask()).status == 200


# the operators' door


async def test_at_the_operators_door_there_is_no_chat(node: Node) -> None:
    async with open_door(node, echo, chat=False):
        async with asking(node) as asker:
            with pytest.raises(Refused) as refused:
                await WireClient(asker.stream).shake_hands()
            assert refused.value.status == 404
        node.hub.draining = True
        async with asking(node) as asker:
            assert (await asker.ask("/metrics", headers={"Host": "node7.example:9090"})).status == 200
