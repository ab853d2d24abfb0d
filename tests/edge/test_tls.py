"""The port speaks TLS: a chat over it, what is not TLS, who is slow, and who stops reading."""

from __future__ import annotations

import contextlib
import socket
import ssl
from contextlib import AsyncExitStack
from typing import Final

import httpx
import pytest
import trio
from msgspec import structs

from tests.authority import Authority
from tests.client_bytes import TEXT, frame, request_head
from tests.conditions import until
from tests.edge.callers import answer_to, calling, reset
from tests.edge.secure import SecureNode, open_secure_node
from tests.nodes import LOOSE
from tests.wire import Closed, Refused, WireClient

pytestmark = pytest.mark.usefixtures("no_bugs")

#: The first bytes of a handshake: a record of 512 bytes, of which not all come.
_BEGINNING: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
_PEOPLE: Final = 200


async def test_two_hundred_people_in_one_room_hear_each_other(secure: SecureNode) -> None:
    async with AsyncExitStack() as people:
        clients: list[WireClient] = []

        async def come() -> None:
            clients.append(await people.enter_async_context(secure.client()))

        async with trio.open_nursery() as nursery:
            for _ in range(_PEOPLE):
                nursery.start_soon(come)
        for number in (0, _PEOPLE - 1):
            await clients[number].send_json({"type": "send", "room": "lobby", "text": f"from {number}"})
            for client in clients:
                assert (await client.receive_until("message"))["text"] == f"from {number}"


async def test_a_request_is_answered_over_https(secure: SecureNode) -> None:
    async with httpx.AsyncClient(verify=secure.authority.context) as client:
        answer = await client.get(f"https://{secure.address}/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_frames_that_come_in_one_record_with_the_head_are_heard(secure: SecureNode) -> None:
    async with secure.stream() as stream:
        client = WireClient(stream)
        await client.shake_hands(request_head() + frame(TEXT, b'{"type":"ping","id":"early"}'))
        assert await client.receive_until("pong") == {"type": "pong", "id": "early"}


async def test_pages_of_https_may_connect_and_others_may_not(secure: SecureNode) -> None:
    statuses = []
    for scheme in ("https", "http"):
        head = request_head(headers={"Host": secure.address, "Origin": f"{scheme}://{secure.address}"})
        async with secure.stream() as stream:
            try:
                await WireClient(stream).shake_hands(head)
                statuses.append(101)
            except Refused as refused:
                statuses.append(refused.status)
    assert statuses == [101, 403]


async def test_no_other_protocol_is_agreed_on_than_http_1_1(secure: SecureNode) -> None:
    secure.authority.context.set_alpn_protocols(["h2", "http/1.1"])
    async with secure.stream() as stream:
        assert stream.selected_alpn_protocol() == "http/1.1"


async def test_what_is_older_than_tls_1_2_is_refused(secure: SecureNode) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with secure.undisturbed(), calling(secure.node) as transport:
        with pytest.raises(trio.BrokenResourceError), trio.fail_after(5):
            await trio.SSLStream(transport, old, server_hostname="127.0.0.1").do_handshake()


# what is not TLS, or not at once


async def test_plain_http_is_told_so_and_closed_in_order(secure: SecureNode) -> None:
    async with secure.undisturbed():
        answer = await answer_to(secure.node, request_head())
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert body == b"this port speaks https and wss; say https://\n"


@pytest.mark.parametrize("garbage", [b"\x00\x01\x02", b"\x16\x03\x01\x00\x05hello" * 100, b"\x80\x2e\x01\x00\x02"])
async def test_garbage_is_closed_without_a_word(garbage: bytes, secure: SecureNode) -> None:
    async with secure.undisturbed():
        with contextlib.suppress(trio.BrokenResourceError):  # closed with some of it unread
            assert await answer_to(secure.node, garbage) == b""


@pytest.mark.parametrize("said", [b"", _BEGINNING])
async def test_a_slow_handshake_is_closed_in_time(said: bytes, authority: Authority) -> None:
    async with open_secure_node(authority, structs.replace(LOOSE, tls_s=0.3)) as secure, secure.undisturbed():
        async with AsyncExitStack() as slow:
            streams = [await slow.enter_async_context(calling(secure.node)) for _ in range(50)]
            for stream in streams:
                await stream.send_all(said)
            await until(lambda: secure.door.callers.open >= 50)
            with trio.fail_after(5):
                for stream in streams:
                    assert await stream.receive_some() == b""
        await until(lambda: secure.door.callers.open == 1)


async def test_after_a_slow_handshake_a_head_is_not_waited_for_any_longer(authority: Authority) -> None:
    async with (
        open_secure_node(authority, structs.replace(LOOSE, head_s=0.3)) as secure,
        secure.undisturbed(),
        secure.stream() as stream,
    ):
        await stream.send_all(b"GET /healthz HT")
        with trio.fail_after(5):
            assert await stream.receive_some() == b""


async def test_who_leaves_amid_a_handshake_harms_nobody(secure: SecureNode) -> None:
    async with secure.undisturbed():
        for leave in (reset, _finish):
            async with calling(secure.node) as stream:
                await stream.send_all(_BEGINNING)
                leave(stream)
                await until(lambda: secure.door.callers.open == 1)


def _finish(stream: trio.SocketStream) -> None:
    stream.socket.shutdown(socket.SHUT_WR)


async def test_one_too_many_is_told_so_within_tls(authority: Authority) -> None:
    limits = structs.replace(LOOSE, connections_per_address=1)
    async with open_secure_node(authority, limits) as secure, secure.client(), secure.stream() as stream:
        with pytest.raises(Refused) as refused:
            await WireClient(stream).shake_hands()
        assert refused.value.status == 503


# how it ends


async def test_who_has_closed_one_side_still_gets_the_answer(secure: SecureNode) -> None:
    async with secure.stream() as stream:
        await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        await stream.transport_stream.send_eof()
        answer = b""
        with trio.fail_after(5):
            async for chunk in stream:
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_an_answer_ends_as_tls_ends_and_not_as_if_it_was_cut(secure: SecureNode) -> None:
    async with calling(secure.node) as transport:
        strict = trio.SSLStream(transport, secure.authority.context, server_hostname="127.0.0.1")
        await strict.send_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        with trio.fail_after(5):
            # one that was cut would raise BrokenResourceError
            assert b"".join([bytes(chunk) async for chunk in strict]).endswith(b"\n")
            await strict.aclose()
            await until(lambda: not secure.door.callers.open)


async def test_who_stops_reading_is_closed_with_4101_and_the_others_hear_all(authority: Authority) -> None:
    limits = structs.replace(LOOSE, outbox_bytes=200_000, farewell_s=1.0)
    async with open_secure_node(authority, limits) as secure, secure.client() as talker:
        async with secure.client(await _narrow(secure)) as deaf:
            connection = next(reversed(secure.door.connections))
            said = 0
            while connection.reason is None:
                said += 1
                assert said < 2_000, "it is never closed"
                await _say(talker, said)
            assert connection.reason.code == 4101
            heard = 0
            while (message := await deaf.receive())["type"] == "message":
                heard += 1
                assert message["seq"] == heard, "what it did hear has no hole"
            assert (message["type"], message["code"]) == ("goodbye", 4101)
            assert await deaf.expect_close() == 4101
        await _say(talker, said + 1)


async def test_who_does_not_take_the_goodbye_either_is_reset_in_time(authority: Authority) -> None:
    limits = structs.replace(LOOSE, outbox_bytes=200_000, farewell_s=0.2)
    async with (
        open_secure_node(authority, limits) as secure,
        secure.client() as talker,
        secure.client(await _narrow(secure)) as deaf,
    ):
        connection, said = next(reversed(secure.door.connections)), 0
        while connection.reason is None:
            said += 1
            await _say(talker, said)
        await until(lambda: connection not in secure.door.connections, 5)
        assert connection.cut_off
        with pytest.raises(Closed, match="1006"):
            await deaf.receive_until("goodbye")


async def _narrow(secure: SecureNode) -> trio.SocketStream:
    """A socket that holds little."""
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    await sock.connect(("127.0.0.1", secure.node.port))
    return trio.SocketStream(sock)


async def _say(talker: WireClient, seq: int) -> None:
    """Something long, which the talker hears too."""
    await talker.send_json({"type": "send", "room": "lobby", "text": "x" * 4_000})
    assert (await talker.receive_until("message"))["seq"] == seq


async def test_a_node_that_stops_says_goodbye_over_tls(secure: SecureNode) -> None:
    async with secure.client() as client, trio.open_nursery() as nursery:
        nursery.start_soon(secure.door.drain, 0.0)
        assert (await client.receive_until("goodbye"))["code"] == 4200
        assert await client.expect_close() == 4200
        with trio.fail_after(5):
            assert await client.stream.receive_some() == b""
        await client.stream.aclose()
    assert not secure.door.connections


async def test_who_says_goodbye_is_answered(secure: SecureNode) -> None:
    async with secure.client() as client:
        assert await client.close() == 1000
        await until(lambda: not secure.door.callers.open)


async def test_a_long_page_comes_whole(secure: SecureNode) -> None:
    async with secure.client() as client:
        for seq in range(1, 61):
            await _say(client, seq)
        await client.send_json({"type": "history", "room": "lobby", "limit": 60})
        page = await client.receive_until("history")
        assert [len(message["text"]) for message in page["messages"]] == [4_000] * 60
