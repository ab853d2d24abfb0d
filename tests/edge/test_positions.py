"""Positions that no log ever had, cids used twice, and many commands at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client_bytes import TEXT, frame
from tests.edge.visitors import ask, encoded, lives, visiting
from tests.nodes import Node
from tests.wire import WireClient, open_wire


async def test_the_201st_room_is_refused_until_one_is_left(node: Node) -> None:
    async with visiting(node) as client:
        for number in range(200):
            assert (await ask(client, {"type": "join", "room": f"room{number}"}))["type"] == "joined"
        error = await ask(client, {"type": "join", "room": "one-more", "id": 9})
        assert (error["id"], error["code"], error["field"]) == (9, "limit_reached", "room")
        assert "200" in error["message"]
        assert (await ask(client, {"type": "join", "room": "room7"}))["type"] == "joined", "it is joined already"
        error = await ask(client, {"type": "resume", "rooms": {"room0": {"since": 0}, "calm": {"since": 0}}, "id": 10})
        assert (error["id"], error["code"]) == (10, "limit_reached")
        assert (await ask(client, {"type": "leave", "room": "room7"}))["type"] == "left"
        assert (await ask(client, {"type": "join", "room": "one-more"}))["type"] == "joined"


async def test_1_000_pipelined_commands_in_one_segment_are_answered_in_order(node: Node) -> None:
    async with visiting(node) as client:
        await client.send_bytes(b"".join(frame(TEXT, b'{"type":"ping","id":%d}' % n) for n in range(1_000)))
        assert [(await client.receive())["id"] for _ in range(1_000)] == list(range(1_000))


async def test_1_000_pipelined_sends_get_their_numbers_in_order(node: Node) -> None:
    async with visiting(node) as client:
        sends = (b'{"type":"send","room":"lobby","text":"%d","id":%d}' % (n, n) for n in range(1, 1_001))
        join = b'{"type":"join","room":"lobby","id":0}'
        await client.send_bytes(b"".join(frame(TEXT, command) for command in (join, *sends)))
        said = [await client.receive() for _ in range(2_001)]
        assert said[0]["type"] == "joined"
        acks = [(one["id"], one["seq"]) for one in said if one["type"] == "ack"]
        events = [(int(one["text"]), one["seq"]) for one in said if one["type"] == "message"]
        assert acks == events == [(n, n) for n in range(1, 1_001)]


async def test_pipelined_commands_take_effect_in_the_order_sent(node: Node) -> None:
    async with visiting(node) as client:
        commands: list[dict[str, Any]] = []
        for n in range(1, 201):
            room = f"room{n}"
            commands += [
                {"type": "join", "room": room, "id": 5 * n},
                {"type": "send", "room": room, "text": room, "id": 5 * n + 1},
                {"type": "history", "room": room, "id": 5 * n + 2},
                {"type": "leave", "room": room, "id": 5 * n + 3},
                {"type": "send", "room": room, "text": "too late", "id": 5 * n + 4},
            ]
        await client.send_bytes(b"".join(frame(TEXT, encoded(command)) for command in commands))
        replies: dict[int, dict[str, Any]] = {}
        while len(replies) < 1_000:
            message = await client.receive()
            if "id" in message:
                replies[message["id"]] = message
        for n in range(1, 201):
            kinds = [replies[5 * n + step]["type"] for step in range(5)]
            assert kinds == ["joined", "ack", "history", "left", "error"]
            assert [one["text"] for one in replies[5 * n + 2]["messages"]] == [f"room{n}"], "who reads sees their words"
            assert replies[5 * n + 4]["code"] == "not_joined"


async def lobby_with_three(client: WireClient) -> str:
    """Join the lobby, say three things, leave it; the epoch."""
    epoch: str = (await ask(client, {"type": "join", "room": "lobby"}))["epoch"]
    for n in range(3):
        await client.send_json({"type": "send", "room": "lobby", "text": f"text {n}", "cid": f"c{n}"})
        await client.receive_until("message")
    await client.send_json({"type": "leave", "room": "lobby"})
    await client.receive_until("left")
    return epoch


@pytest.mark.parametrize("case", ["since in the future", "another epoch", "both"])
async def test_a_position_that_the_log_never_had_is_refused_with_the_present_one(case: str, node: Node) -> None:
    async with visiting(node) as client:
        epoch = await lobby_with_three(client)
        since = 1 if case == "another epoch" else 4
        asked = epoch if case == "since in the future" else "another"
        field = "since" if case == "since in the future" else "epoch"
        join = {"type": "join", "room": "lobby", "since": since, "epoch": asked}
        error = await ask(client, {**join, "id": "j"})
        assert (error["id"], error["code"], error["field"]) == ("j", "bad_position", field)
        assert (error["head"], error["epoch"]) == (3, epoch)
        error = await ask(client, {"type": "resume", "rooms": {"lobby": {"since": since, "epoch": asked}}})
        assert (error["room"], error["code"], error["head"], error["epoch"]) == ("lobby", "bad_position", 3, epoch)
        assert (await client.receive())["rooms"] == 0
        error = await ask(client, {"type": "send", "room": "lobby", "text": "am I in?"})
        assert error["code"] == "not_joined"
        assert (await ask(client, {**join, "since": 3, "epoch": epoch}))["type"] == "joined"


async def test_resume_answers_for_each_room(node: Node) -> None:
    async with visiting(node) as client:
        epoch = await lobby_with_three(client)
        positions = {
            "lobby": {"since": 1, "epoch": epoch},
            "nowhere": {"since": 0},
            "Bad Name": {"since": 0},
            "calm": {"since": 5},
        }
        await client.send_json({"type": "resume", "id": "r", "rooms": positions})
        said: list[dict[str, Any]] = []
        while not said or said[-1]["type"] != "resumed":
            said.append(await client.receive())
        assert said[-1] == {"type": "resumed", "id": "r", "rooms": 1}
        errors = {one["room"]: one["code"] for one in said if one["type"] == "error"}
        assert errors == {"nowhere": "no_such_room", "Bad Name": "bad_field", "calm": "bad_position"}
        lobby = [(one["type"], one["seq"]) for one in said if one.get("room") == "lobby"]
        assert lobby == [("joined", 3), ("message", 2), ("message", 3)]


async def test_a_cid_with_other_content_is_refused_and_takes_no_number(node: Node) -> None:
    async with visiting(node) as client:
        await lobby_with_three(client)
        await ask(client, {"type": "join", "room": "lobby"})
        error = await ask(client, {"type": "send", "room": "lobby", "text": "other", "cid": "c1", "id": "x"})
        assert (error["id"], error["code"], error["field"]) == ("x", "cid_reused", "cid")
        assert "seq 2" in error["message"]
        ack = await ask(client, {"type": "send", "room": "lobby", "text": "text 1", "cid": "c1", "id": "x"})
        assert ack == {"type": "ack", "id": "x", "room": "lobby", "seq": 2, "cid": "c1", "dup": True}
        await client.send_json({"type": "send", "room": "lobby", "text": "new", "cid": "c9"})
        assert (await client.receive_until("message"))["seq"] == 4
        await ask(client, {"type": "join", "room": "elsewhere"})
        await client.send_json({"type": "send", "room": "elsewhere", "text": "other", "cid": "c1"})
        assert (await client.receive_until("message"))["seq"] == 1, "a cid is of one room"
        async with open_wire(node.port or 0) as another:
            await another.receive_until("welcome")
            await ask(another, {"type": "join", "room": "lobby"})
            await another.send_json({"type": "send", "room": "lobby", "text": "mine", "cid": "c1"})
            assert (await another.receive_until("message"))["seq"] == 5, "and of one author"


async def test_joining_twice_replays_nothing_and_warns_of_since(node: Node) -> None:
    async with visiting(node) as client:
        await lobby_with_three(client)
        await ask(client, {"type": "join", "room": "lobby"})
        again = await ask(client, {"type": "join", "room": "lobby", "since": 0, "id": "again"})
        assert (again["type"], again["id"], again["seq"], again["members"]) == ("joined", "again", 3, 1)
        warning = await client.receive()
        assert (warning["type"], warning["re"], warning["field"]) == ("warning", "again", "since")
        await lives(client)
