"""Requests on the one port: each is checked like the first, answered in order, and none can pass for another."""

from __future__ import annotations

from typing import Final

import msgspec
import pytest
import trio
import trio.testing

from tests.client_bytes import TEXT, frame, request_head
from tests.conditions import until
from tests.edge.asking import Asker, asking, echo, request
from tests.edge.callers import calling
from tests.edge.doors import open_door
from tests.edge.visitors import undisturbed
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import WireClient

pytestmark = pytest.mark.usefixtures("no_bugs")

PING: Final = frame(TEXT, b'{"type":"ping","id":1}')


# one connection


async def test_a_connection_is_kept_for_a_thousand_requests_and_the_last_says_so(node: Node) -> None:
    async with undisturbed(node), asking(node) as asker:
        for _ in range(999):
            assert "connection" not in (await asker.ask()).headers
        last = await asker.ask()
        assert (last.status, last.headers["connection"]) == (200, "close")
        assert await asker.closed()


async def test_requests_that_come_at_once_are_answered_in_order(node: Node) -> None:
    async with open_door(node, echo), asking(node) as asker:
        await asker.send(b"".join(request(f"/{number}", body=b"x" * number) for number in range(20)))
        assert [(await asker.answer()).said["path"] for _ in range(20)] == [f"/{number}" for number in range(20)]


@pytest.mark.parametrize(
    "raw", [request(headers={"Connection": "close"}), b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"]
)
async def test_who_wants_one_answer_gets_one(raw: bytes, node: Node) -> None:
    async with asking(node) as asker:
        await asker.send(raw + request())
        answer = await asker.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await asker.closed()


async def test_who_has_closed_one_side_gets_its_answers(node: Node) -> None:
    async with undisturbed(node), asking(node) as asker:
        await asker.send(request() + request("/nothing"))
        assert isinstance(asker.stream, trio.SocketStream)
        await asker.stream.send_eof()
        assert [(await asker.answer()).status for _ in range(2)] == [200, 404]
        assert await asker.closed()


async def test_who_asks_nothing_more_is_hung_up_on(autojump_clock: trio.testing.MockClock) -> None:
    async with open_twin_node(make_twins()) as node:
        asker = Asker(await node.connect())
        for wait_s in (5, 50, 50):
            await trio.sleep(wait_s)
            assert (await asker.ask()).status == 200
        began = trio.current_time()
        with trio.fail_after(1_000):
            assert await asker.stream.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(LOOSE.idle_s, abs=1)


async def test_a_later_head_has_as_long_as_the_first(autojump_clock: trio.testing.MockClock) -> None:
    async with open_twin_node(make_twins()) as node:
        asker = Asker(await node.connect())
        assert (await asker.ask()).status == 200
        await asker.send(b"GET / HTTP/1.1\r\nHost: ")
        began = trio.current_time()
        with trio.fail_after(1_000):
            assert await asker.stream.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(LOOSE.head_s, abs=1)


# upgrades


@pytest.mark.parametrize("how", ["one after the other", "at once"])
async def test_a_kept_connection_may_become_a_websocket(how: str, node: Node) -> None:
    async with asking(node) as asker:
        if how == "at once":
            await asker.send(request() + request_head() + PING)
        assert (await (asker.answer() if how == "at once" else asker.ask())).status == 200
        client = WireClient(asker.stream)
        if how != "at once":
            await client.send_bytes(request_head() + PING)
        await client.accepted()
        assert (await client.receive())["type"] == "welcome"
        assert await client.receive() == {"type": "pong", "id": 1}


async def test_what_a_stream_gives_too_much_is_kept_for_the_websocket() -> None:
    # a stream without a socket, such as TLS, cannot be looked at: all of this comes at once
    async with open_twin_node(make_twins()) as node:
        asker = Asker(await node.connect())
        await asker.send(request(body=b"x" * 30) + request("/nothing") + request_head() + PING)
        assert [(await asker.answer()).status for _ in range(2)] == [200, 404]
        client = WireClient(asker.stream)
        await client.accepted()
        assert (await client.receive())["type"] == "welcome"
        assert await client.receive() == {"type": "pong", "id": 1}


async def test_a_later_upgrade_is_checked_like_a_first_one(node: Node) -> None:
    async with asking(node) as asker:
        assert (await asker.ask()).status == 200
        await asker.send(request_head(headers={"Origin": "http://evil.example"}))
        assert (await asker.answer()).status == 403
        assert await asker.closed()


@pytest.mark.parametrize("offer", ["h2c", "TLS/1.0", "HTTP/2.0, h2c"])
async def test_other_protocols_are_offered_in_vain(offer: str, node: Node) -> None:
    headers = {"Upgrade": offer, "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    async with open_door(node, echo), asking(node) as asker:
        for _ in range(2):
            answer = await asker.ask(headers=headers)
            assert answer.status == 200
            assert set(answer.said["headers"]) == {"host"}


# bodies


@pytest.mark.parametrize("size", [1, 5_000, 65_536])
async def test_a_body_comes_whole(size: int, node: Node) -> None:
    async with open_door(node, echo), asking(node) as asker:
        for _ in range(2):
            assert (await asker.ask(method="POST", body=b"x" * size)).said["body"] == "x" * size


async def test_who_waits_with_the_body_is_told_to_go_on(node: Node) -> None:
    async with open_door(node, echo), asking(node) as asker:
        await asker.send(request(method="POST", headers={"Content-Length": "5", "Expect": "100-continue"}))
        assert (await asker.answer()).status == 100
        await asker.send(b"hello")
        assert (await asker.answer()).said["body"] == "hello"
        await asker.send(request(method="POST", headers={"Content-Length": "65537", "Expect": "100-continue"}))
        assert (await asker.answer()).status == 413


async def test_a_body_that_is_late_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    async with open_twin_node(make_twins()) as node:
        asker = Asker(await node.connect())
        began = trio.current_time()
        await asker.send(request(headers={"Content-Length": "5"}) + b"hell")
        answer = await asker.answer()
        assert answer.status == 408
        assert trio.current_time() - began == pytest.approx(LOOSE.body_s, abs=1)


async def test_what_looks_like_a_request_within_a_body_is_none(node: Node) -> None:
    inner = request("/inner") + request_head() + b"0\r\n\r\n" + request("/inner")
    async with open_door(node, echo), asking(node) as asker:
        await asker.send(request("/outer", body=inner) + request("/after"))
        outer, after = await asker.answer(), await asker.answer()
        assert (outer.said["path"], outer.said["body"].encode()) == ("/outer", inner)
        assert after.said["path"] == "/after"


# what is refused, at first and later

REFUSED: Final = {
    "chunks": (request(method="POST", headers={"Transfer-Encoding": "chunked"}) + b"0\r\n\r\n", 411),
    "chunks and a length": (request(headers={"Content-Length": "5", "Transfer-Encoding": "chunked"}), 400),
    "an odd coding and a length": (request(headers={"Content-Length": "5", "Transfer-Encoding": "xchunked"}), 400),
    "two lengths": (request(headers={"Content-Length": "5", "content-length": "6"}), 400),
    "two lengths in one": (request(headers={"Content-Length": "5, 5"}), 400),
    "a length with a sign": (request(headers={"Content-Length": "+5"}), 400),
    "a negative length": (request(headers={"Content-Length": "-1"}), 400),
    "a length in hex": (request(headers={"Content-Length": "0x5"}), 400),
    "a length that is endless": (request(headers={"Content-Length": "9" * 5_000}), 400),
    "no length at all": (request(headers={"Content-Length": ""}), 400),
    "a body that is too long": (request(headers={"Content-Length": "65537"}), 413),
    "a folded header": (request(headers={"X": "a\r\n b"}), 400),
    "a bare newline": (request(headers={"X": "a\nTransfer-Encoding: chunked"}), 400),
    "a bare return": (request(headers={"X": "a\rContent-Length: 5"}), 400),
    "a blank before a colon": (request(headers={"Transfer-Encoding ": "chunked"}), 400),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "garbage that ends": (b"\x00\xff garbage\r\n\r\n", 400),
    "an empty line": (b"\r\n" + request(), 400),
    "a head that is too long": (request(headers={"X": "x" * 20_000}), 431),
    "a tunnel": (request(method="CONNECT"), 405),
    "another name": (request(headers={"Host": "evil.example"}).replace(b"/healthz", b"/"), 421),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused_at_first_is_refused_later(case: str, node: Node) -> None:
    raw, status = REFUSED[case]
    async with open_door(node, allowed_hosts=()), undisturbed(node):
        for before in (0, 1, 3):
            async with asking(node) as asker:
                await asker.send(request() * before + raw + request())
                assert [(await asker.answer()).status for _ in range(before)] == [200] * before
                answer = await asker.answer()
                assert (answer.status, answer.headers["connection"]) == (status, "close")
                assert await asker.closed(), "nothing behind what was refused is a request"


async def test_a_refusal_of_the_api_has_the_form_of_its_errors(node: Node) -> None:
    async with asking(node) as asker:
        answer = await asker.ask("/api/v1/rooms", method="POST", headers={"Transfer-Encoding": "chunked"})
        assert answer.status == 411
        assert answer.said["type"] == "error"


# who asks


async def test_a_trusted_proxy_speaks_for_another_client_in_each_request(node: Node) -> None:
    async with open_door(node, echo, trusted_proxies=["127.0.0.2"]), asking(node, "127.0.0.2") as asker:
        for address, scheme in (("203.0.113.1", "https"), ("2001:db8::1", "http"), ("203.0.113.2", "https")):
            headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": scheme}
            said = (await asker.ask("/a%20b?c=d", headers=headers)).said
            assert (said["client"], said["scheme"], said["path"], said["query"]) == (address, scheme, "/a b", "c=d")


@pytest.mark.parametrize(("given", "taken"), [("r-1_x.2", True), ("", False), ("a b", False), ("x" * 65, False)])
async def test_a_request_has_the_id_that_a_trusted_proxy_gives_or_one_of_ours(
    given: str, taken: bool, node: Node
) -> None:
    async with open_door(node, echo, trusted_proxies=["127.0.0.2"]):
        for address in ("127.0.0.2", "127.0.0.1"):
            async with asking(node, address) as asker:
                answer = await asker.ask(headers={"X-Request-Id": given})
                request_id = answer.headers["x-request-id"]
                assert answer.said["request_id"] == request_id
                assert (request_id == given) == (taken and address == "127.0.0.2")
                assert len(request_id) == 16 or request_id == given


async def test_clients_of_a_proxy_have_their_caps_on_a_kept_connection_too() -> None:
    limits = msgspec.structs.replace(LOOSE, connections_per_address=1)
    async with (
        open_twin_node(make_twins(limits)) as node,
        open_door(node, trusted_proxies=["127.0.0.2"]),
        asking(node, "127.0.0.2") as first,
        asking(node, "127.0.0.2") as second,
    ):
        assert (await first.ask("/", headers={"X-Forwarded-For": "203.0.113.1"})).status == 200
        assert (await second.ask("/", headers={"X-Forwarded-For": "203.0.113.2"})).status == 200
        assert (await second.ask("/", headers={"X-Forwarded-For": "203.0.113.1"})).status == 503
        assert await second.closed()


# many


@pytest.mark.parametrize(("requests", "upgrades"), [(2_000, 200), pytest.param(10_000, 1_000, marks=pytest.mark.slow)])
async def test_requests_and_upgrades_mixed_disturb_nobody(requests: int, upgrades: int, node: Node) -> None:
    answered = welcomed = 0

    async def ask_often(count: int) -> None:
        nonlocal answered
        async with asking(node) as asker:
            for number in range(count):
                assert (await asker.ask(("/", "/healthz", "/readyz")[number % 3])).status == 200
                answered += 1

    async def upgrade_often(count: int) -> None:
        nonlocal welcomed
        for number in range(count):
            async with calling(node) as stream:
                if number % 2:
                    asker = Asker(stream)
                    assert (await asker.ask()).status == 200
                client = await WireClient(stream).shake_hands()
                assert (await client.receive())["type"] == "welcome"
                welcomed += 1

    async with undisturbed(node):
        with trio.fail_after(120):
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(ask_often, requests // 50)
                for _ in range(20):
                    nursery.start_soon(upgrade_often, upgrades // 20)
    assert (answered, welcomed) == (requests, upgrades)
    await until(lambda: not node.door.callers.open)
