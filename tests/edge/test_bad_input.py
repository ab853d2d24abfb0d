"""Bad input: each kind has its own clear error, does no harm, and leaves the connection open."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from tests.client_bytes import TEXT
from tests.edge.visitors import ask, encoded, lives, visiting
from tests.nodes import LOOSE, Node, make_twins, open_twin_node

NO_COMMANDS: Final = {
    "nothing": (b"", "not JSON"),
    "a line of text": (b"hello everybody", 'type one JSON object a line, such as {"type":"join"'),
    "half an object": (b'{"type":"ping"', "not JSON"),
    "two objects": (b'{"type":"ping"} {"type":"ping"}', "trailing"),
    "single quotes": (b"{'type':'ping'}", "not JSON"),
    "a raw control character": (b'{"type":"send","room":"lobby","text":"a\x00b"}', "invalid character"),
    "a byte order mark": (b'\xef\xbb\xbf{"type":"ping"}', "not JSON"),
    "an array": (b'[{"type":"ping"}]', "a frame is one JSON object"),
    "a number": (b"42", "a frame is one JSON object"),
    "null": (b"null", "a frame is one JSON object"),
    "NaN": (b'{"type":"ping","id":NaN}', "not JSON"),
    "Infinity": (b'{"type":"ping","id":-Infinity}', "not JSON"),
    "a lone surrogate": (rb'{"type":"send","room":"lobby","text":"\ud800"}', "a lone surrogate"),
    "a lone surrogate in a name": (rb'{"type":"ping","\udfff":1}', "a lone surrogate"),
    "nested 60,000 deep": (b'{"type":"ping","x":' + b"[" * 60_000, "nested too deep"),
    "nested in objects": (b'{"x":' * 13_000, "nested too deep"),
}


@pytest.mark.parametrize("case", NO_COMMANDS)
async def test_what_is_no_json_object_gets_an_error_that_shows_what_to_type(case: str, node: Node) -> None:
    payload, words = NO_COMMANDS[case]
    async with visiting(node) as client:
        await client.send_frame(TEXT, payload)
        error = await client.receive()
        assert (error["type"], error["code"], error["temporary"]) == ("error", "bad_frame", False)
        assert words in error["message"]
        await lives(client)


async def test_nesting_100_000_deep_is_an_error_where_frames_may_be_that_long() -> None:
    limits = msgspec.structs.replace(LOOSE, frame=300_000)
    async with open_twin_node(make_twins(limits), listening=True) as node, visiting(node) as client:
        for deep in (b"[" * 100_000, b'{"type":' + b"[" * 100_000 + b"]" * 100_000 + b"}"):
            await client.send_frame(TEXT, deep)
            assert (await client.receive())["code"] == "bad_frame"
        await lives(client)


FIELDS: Final[dict[str, tuple[dict[str, Any], str, str, str]]] = {
    "type is missing": ({"text": "hi"}, "bad_field", "type", "type is missing"),
    "type is a number": ({"type": 7}, "bad_field", "type", "Expected `str`"),
    "an unknown type": ({"type": "sned"}, "unknown_type", "type", "did you mean send?"),
    "a type in capitals": ({"type": "JOIN"}, "unknown_type", "type", "did you mean join?"),
    "a type like no other": ({"type": "xyzzy"}, "unknown_type", "type", "help"),
    "room is missing": ({"type": "join"}, "bad_field", "room", '{"type":"help","of":"join"}'),
    "text is missing": ({"type": "send", "room": "lobby"}, "bad_field", "text", '{"type":"help","of":"send"}'),
    "room is a number": ({"type": "join", "room": 1}, "bad_field", "room", "Expected `str`"),
    "text is null": ({"type": "send", "room": "lobby", "text": None}, "bad_field", "text", "Expected `str`"),
    "text is empty": ({"type": "send", "room": "lobby", "text": ""}, "bad_field", "text", "text is empty"),
    "text over the limit": ({"type": "send", "room": "lobby", "text": "x" * 4001}, "too_long", "text", "4000 bytes"),
    "text counts in bytes": ({"type": "send", "room": "lobby", "text": "é" * 2001}, "too_long", "text", "4000 bytes"),
    "U+0000 in a text": ({"type": "send", "room": "lobby", "text": "a\0b"}, "bad_field", "text", "U+0000"),
    "U+0000 in a cid": ({"type": "send", "room": "lobby", "text": "a", "cid": "\0"}, "bad_field", "cid", "U+0000"),
    "U+0000 in a room": ({"type": "join", "room": "a\0"}, "bad_field", "room", "U+0000"),
    "cid is a number": ({"type": "send", "room": "lobby", "text": "a", "cid": 5}, "bad_field", "cid", "Expected `str"),
    "cid is empty": ({"type": "send", "room": "lobby", "text": "a", "cid": ""}, "bad_field", "cid", "1 to 64"),
    "cid is too long": ({"type": "send", "room": "lobby", "text": "a", "cid": "c" * 65}, "bad_field", "cid", "1 to 64"),
    "not joined": ({"type": "send", "room": "elsewhere", "text": "a"}, "not_joined", "room", '"room":"elsewhere"'),
    "left what is not joined": ({"type": "leave", "room": "elsewhere"}, "not_joined", "room", "join it first"),
    "since is a text": ({"type": "events", "room": "lobby", "since": "1"}, "bad_field", "since", "Expected `int`"),
    "since is a boolean": ({"type": "events", "room": "lobby", "since": True}, "bad_field", "since", "Expected `int`"),
    "since is a fraction": ({"type": "events", "room": "lobby", "since": 1.5}, "bad_field", "since", "Expected `int`"),
    "since is negative": ({"type": "events", "room": "lobby", "since": -1}, "bad_field", "since", "from 0"),
    "since is beyond 2^53": ({"type": "events", "room": "lobby", "since": 2**53}, "bad_field", "since", "from 0"),
    "since is beyond 2^64": ({"type": "events", "room": "lobby", "since": 2**64}, "bad_field", "since", "from 0"),
    "limit is 0": ({"type": "events", "room": "lobby", "since": 0, "limit": 0}, "bad_field", "limit", "from 1"),
    "two places": ({"type": "history", "room": "lobby", "before": 1, "after": 1}, "bad_field", "after", "give one of"),
    "no such room": ({"type": "history", "room": "nowhere"}, "no_such_room", "room", "there is no room nowhere"),
    "help of nothing": ({"type": "help", "of": "hepl"}, "bad_field", "of", ""),
    "rooms is a list": ({"type": "resume", "rooms": ["lobby"]}, "bad_field", "rooms", "Expected `object`"),
    "a position without since": ({"type": "resume", "rooms": {"lobby": {}}}, "bad_field", "rooms", "since"),
    "a position before 0": ({"type": "resume", "rooms": {"lobby": {"since": -1}}}, "bad_field", "rooms", "from 0"),
    "U+0000 in an epoch": (
        {"type": "join", "room": "lobby", "since": 0, "epoch": "\0"}, "bad_field", "epoch", "U+0000"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FIELDS)
async def test_a_wrong_field_is_named_and_the_connection_goes_on(case: str, node: Node) -> None:
    command, code, field, words = FIELDS[case]
    async with visiting(node) as client:
        assert (await ask(client, {"type": "join", "room": "lobby"}))["type"] == "joined"
        await client.send_frame(TEXT, encoded(command))
        error = await client.receive()
        assert (error["type"], error["id"], error["code"], error["field"]) == ("error", "x", code, field)
        assert words in error["message"]
        await lives(client)


IDS: Final = {
    "a boolean": b"true", "an object": b'{"a":1}', "65 characters": b'"' + b"x" * 65 + b'"',
    "5,000 digits": b"9" * 5_000, "an endless number": b"1e999", "U+0000": rb'"\u0000"',
}  # fmt: skip


@pytest.mark.parametrize("case", IDS)
async def test_a_wrong_id_is_named(case: str, node: Node) -> None:
    async with visiting(node) as client:
        await client.send_frame(TEXT, b'{"type":"ping","id":%b}' % IDS[case])
        error = await client.receive()
        assert (error["code"], error["field"]) == ("bad_field", "id")
        await lives(client)


async def test_an_integer_of_5_000_digits_is_out_of_range(node: Node) -> None:
    async with visiting(node) as client:
        await client.send_frame(TEXT, b'{"type":"events","room":"lobby","id":1,"since":%b}' % (b"9" * 5_000))
        error = await client.receive()
        assert (error["id"], error["code"], error["field"]) == (1, "bad_field", "since")
        assert "out of range" in error["message"]
        await lives(client)


async def test_an_unknown_field_is_ignored_with_a_warning(node: Node) -> None:
    async with visiting(node) as client:
        await client.send_frame(TEXT, b'{"type":"ping","id":"x","txet":%b}' % (b"9" * 5_000))
        assert await client.receive() == {"type": "pong", "id": "x"}
        warning = await client.receive()
        assert (warning["type"], warning["re"], warning["code"], warning["field"]) == (
            "warning", "x", "unknown_field", "txet",
        )  # fmt: skip


async def test_texts_up_to_the_limit_are_taken(node: Node) -> None:
    async with visiting(node) as client:
        await ask(client, {"type": "join", "room": "lobby"})
        for text in ("x" * 4_000, "é" * 2_000, "😀" * 1_000, '"\\\n\t\u2028'):
            await client.send_json({"type": "send", "room": "lobby", "text": text})
            assert (await client.receive_until("message"))["text"] == text


# names of rooms

NAMES: Final = {
    "65 bytes": ("a" * 65, "over 64 bytes"),
    "66 bytes in 33 characters": ("é" * 33, "over 64 bytes"),
    "a megabyte's worth": ("a" * 60_000, "over 64 bytes"),
    "empty": ("", "room is empty"),
    "nothing but blanks": (" \u3000", "room is empty"),
    "a control": ("lob\x07by", "say lobby"),
    "a line break": ("lobby\n", "say lobby"),
    "a right-to-left override": ("lob\u202eby", "say lobby"),
    "a bidi isolate": ("\u2066lobby\u2069", "say lobby"),
    "a zero-width space": ("lob\u200bby", "say lobby"),
    "a zero-width joiner": ("lobby\u200d", "say lobby"),
    "a byte order mark": ("\ufefflobby", "say lobby"),
    "a blank": ("my lobby", "say mylobby"),
    "a filler that looks blank": ("lobby\u3164", "say lobby"),
    "a variation selector": ("lobby\ufe0f", "say lobby"),
    "decomposed": ("cafe\u0301", "say café"),
    "capitals": ("Lobby", "say lobby"),
    "capitals beyond ASCII": ("ÉCOLE", "say école"),
}


@pytest.mark.parametrize("case", NAMES)
async def test_a_rooms_name_that_is_misspelled_is_offered_the_right_spelling(case: str, node: Node) -> None:
    name, words = NAMES[case]
    async with visiting(node) as client:
        error = await ask(client, {"type": "join", "room": name, "id": "x"})
        assert (error["id"], error["code"], error["field"]) == ("x", "bad_field", "room")
        assert words in error["message"]
        assert (await ask(client, {"type": "rooms"}))["rooms"] == [{"room": "calm", "members": 1, "seq": 0}]


@pytest.mark.parametrize("name", ["a" * 64, "é" * 32, "部屋", "ünïcode-1_2.3", "😀"])
async def test_a_rooms_name_may_be_of_any_script_up_to_64_bytes(name: str, node: Node) -> None:
    async with visiting(node) as client:
        joined = await ask(client, {"type": "join", "room": name})
        assert (joined["type"], joined["room"], joined["seq"]) == ("joined", name, 0)
