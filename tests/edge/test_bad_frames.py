"""Frames that break the protocol, and more than is allowed: each ends with its own code, and harms nobody else."""

from __future__ import annotations

import json
from typing import Final

import pytest
import trio
import trio.testing

from tests.client_bytes import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from tests.edge.visitors import lives, visiting
from tests.nodes import Node, make_twins, open_twin_node
from tests.wire import Closed, WireClient
from trichat.core.limits import Limits

CLOSINGS: Final = {
    "invalid UTF-8": (frame(TEXT, b'{"type":"ping","id":"\xff"}'), 1007),
    "a surrogate in UTF-8": (frame(TEXT, b'"\xed\xa0\x80"'), 1007),
    "an overlong form": (frame(TEXT, b'"\xc0\x80"'), 1007),
    "half a character at the end": (frame(TEXT, b'"\xe2\x82'), 1007),
    "invalid UTF-8 over fragments": (
        frame(TEXT, b'"\xe2', fin=False) + frame(CONTINUATION, b"\x28\xa1"), 1007
    ),
    "invalid UTF-8 in a close frame": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "a frame over the limit": (frame(TEXT, b" " * 65_537), 1009),
    "a header that promises 2^62 bytes": (b"\x81\xff" + (2**62).to_bytes(8, "big") + b"\0\0\0\0", 1009),
    "fragments over the limit": (frame(TEXT, b" " * 40_000, fin=False) + frame(CONTINUATION, b" " * 40_000), 1009),
    "65 fragments": (frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 64, 1009),
    "binary over the limit": (frame(BINARY, b" " * 65_537), 1009),
    "an unmasked frame": (frame(TEXT, b'{"type":"ping"}', masked=False), 1002),
    "an unmasked frame of two bytes": (b"\x81\x00", 1002),
    "a reserved bit": (b"\xc1\x80\0\0\0\0", 1002),
    "a reserved opcode": (frame(0x3, b""), 1002),
    "a reserved control opcode": (frame(0xB, b""), 1002),
    "a fragment out of place": (frame(CONTINUATION, b"{}"), 1002),
    "a message inside another": (frame(TEXT, b"{", fin=False) + frame(TEXT, b"{}"), 1002),
    "a ping of 126 bytes": (frame(PING, b"x" * 126), 1002),
    "a fragmented ping": (frame(PING, b"x", fin=False), 1002),
    "a length written too long": (b"\x81\xfe\x00\x02\0\0\0\0{}", 1002),
    "a close frame of one byte": (frame(CLOSE, b"\x03"), 1002),
    "a close code that may not be sent": (frame(CLOSE, (1006).to_bytes(2, "big")), 1002),
    "a close code out of range": (frame(CLOSE, (999).to_bytes(2, "big")), 1002),
}  # fmt: skip


@pytest.mark.parametrize("case", CLOSINGS)
async def test_a_frame_that_breaks_the_protocol_closes_with_its_code(case: str, node: Node) -> None:
    raw, code = CLOSINGS[case]
    async with visiting(node) as client:
        await client.send_json({"type": "ping", "id": "before"})
        await client.send_bytes(raw + frame(TEXT, b'{"type":"ping","id":"after"}'))
        assert await client.receive() == {"type": "pong", "id": "before"}, "what came before it counts"
        goodbye = await client.receive()
        assert (goodbye["type"], goodbye["code"]) == ("goodbye", code)
        with pytest.raises(Closed) as closed:
            await client.receive()
        assert closed.value.code == code


async def test_a_frame_of_exactly_the_limit_is_taken(node: Node) -> None:
    async with visiting(node) as client:
        await client.send_frame(TEXT, b'{"type":"ping"}'.ljust(65_536))
        assert await client.receive() == {"type": "pong"}


async def test_a_message_may_come_in_fragments_with_pings_between(node: Node) -> None:
    async with visiting(node) as client:
        await client.send_frame(TEXT, b'{"type":', fin=False)
        await client.send_frame(PING, b"are you there")
        assert await client.receive_frame() == (PONG, b"are you there")
        await client.send_frame(CONTINUATION, b'"ping"', fin=False)
        await client.send_frame(CONTINUATION, b"}")
        assert await client.receive() == {"type": "pong"}


async def test_a_binary_frame_is_an_error_and_the_tenth_in_a_minute_closes_with_4000(node: Node) -> None:
    async with visiting(node) as client:
        await client.send_bytes(frame(BINARY, b'{"type":"ping"}') * 20)
        for _ in range(10):
            error = await client.receive()
            assert (error["code"], "binary" in error["message"]) == ("bad_frame", True)
        goodbye = await client.receive()
        assert (goodbye["type"], goodbye["code"]) == ("goodbye", 4000)
        assert await client.expect_close() == 4000


async def test_bad_frames_of_all_sorts_count_together(node: Node) -> None:
    async with visiting(node) as client:
        await client.send_bytes((frame(BINARY, b"") + frame(TEXT, b"[]")) * 5)
        assert await client.expect_close() == 4000


async def test_bad_frames_are_forgotten_after_a_minute(autojump_clock: trio.testing.MockClock) -> None:
    async with open_twin_node(make_twins()) as node:
        client = await WireClient(await node.connect()).shake_hands()
        await client.receive_until("welcome")
        for _ in range(20):
            for _ in range(9):
                await client.send_frame(BINARY)
                assert (await client.receive())["code"] == "bad_frame"
            await trio.sleep(20)
            await lives(client)  # and the ping of the server's is answered
            await trio.sleep(40.1)
            await lives(client)


FLOODS: Final = {"good": b'{"type":"leave","room":"x"}', "unknown": b'{"type":"png"}', "empty": b"{}"}


@pytest.mark.parametrize("kind", FLOODS)
async def test_who_ignores_the_rate_limit_is_closed_with_4102(kind: str) -> None:
    async with open_twin_node(make_twins(Limits()), listening=True) as node, visiting(node) as client:
        for _ in range(2):
            await client.send_bytes(frame(TEXT, FLOODS[kind]) * 50)
            answers = [await client.receive() for _ in range(50)]
            assert "rate_limited" not in {answer.get("code") for answer in answers}, "a burst is allowed"
        await client.send_bytes(frame(TEXT, FLOODS[kind]) * 600)
        answers = []
        while not answers or answers[-1]["type"] != "goodbye":
            answers.append(await client.receive())
        refusals = [answer for answer in answers if answer.get("code") == "rate_limited"]
        assert 50 <= len(refusals) < 600
        assert all(refusal["temporary"] and 0 < refusal["retry_after_ms"] <= 1_000 for refusal in refusals)
        assert answers[-1]["code"] == await client.expect_close() == 4102


async def test_a_flood_of_pings_is_closed_with_1002(node: Node) -> None:
    async with visiting(node) as client:
        await client.send_bytes(frame(PING, b"x") * 10_000)
        pongs = 0
        opcode, payload = await client.receive_frame()
        while opcode == PONG:
            assert payload == b"x"
            pongs += 1
            opcode, payload = await client.receive_frame()
        assert pongs <= 40
        assert (json.loads(payload)["type"], await client.expect_close()) == ("goodbye", 1002)


async def test_pongs_that_nobody_asked_for_are_counted_too(node: Node) -> None:
    async with visiting(node) as client:
        await client.send_bytes(frame(PONG, b"x") * 10_000)
        assert await client.expect_close() == 1002
