"""A session: commands in the order sent, answers to each, rates and limits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Guest, open_chat
from tests.chat.test_joining import filled, talk
from tests.nodes import LOOSE
from trichat.core.commands import Ping
from trichat.core.costs import COSTS
from trichat.core.limits import Limits

#: Five pings, and then ten a second.
STRICT = Limits(commands_per_s=10 * COSTS[Ping], command_burst=1, ignored_rate_limits=4)


async def tell_all(guest: Guest, *commands: dict[str, Any]) -> list[dict[str, Any]]:
    """Give all at once; their replies."""
    ids = [await guest.tell(command.pop("type"), **command) for command in commands]
    return [await guest.reply_to(command_id) for command_id in ids]


# order


async def test_commands_behind_one_that_waits_take_effect_in_the_order_sent(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest()
        chat.store.delay_s = 0.2
        replies = await tell_all(
            ann,
            {"type": "hello", "name": "ann"},
            {"type": "join", "room": "lobby"},
            {"type": "send", "room": "lobby", "text": "one"},
            {"type": "leave", "room": "lobby"},
            {"type": "send", "room": "lobby", "text": "two"},
            {"type": "join", "room": "lobby"},
            {"type": "send", "room": "lobby", "text": "three"},
        )
        kinds = [reply["type"] for reply in replies]
        assert kinds == ["ok", "joined", "ack", "left", "error", "joined", "ack"]
        assert replies[4]["code"] == "not_joined"
        assert (replies[2]["seq"], replies[6]["seq"]) == (1, 2)


async def test_acks_of_a_room_keep_their_order(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        await talk(ann, "lobby", 500)
        assert [ack["seq"] for ack in ann.all_of("ack")] == list(range(1, 501))


async def test_each_command_has_exactly_one_reply(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest()
        await tell_all(
            ann,
            {"type": "join", "room": "lobby"},
            {"type": "send", "room": "lobby", "text": "hi"},
            {"type": "send", "room": "lobby", "text": ""},
            {"type": "history", "room": "lobby"},
            {"type": "rooms"},
            {"type": "members", "room": "lobby"},
            {"type": "resume", "rooms": {}},
            {"type": "ping"},
            {"type": "help"},
            {"type": "help", "of": "send"},
            {"type": "nonsense"},
            {"type": "leave", "room": "lobby"},
        )
        await trio.sleep(1.0)
        ids = [frame["id"] for frame in ann.frames if "id" in frame]
        assert sorted(ids) == sorted(f"i{number}" for number in range(1, 13))


# warnings


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ({"type": "ping"}, "pong"),
        ({"type": "join", "room": "dev"}, "joined"),
        ({"type": "history", "room": "lobby"}, "history"),
        ({"type": "send", "room": "lobby", "text": "hi"}, "ack"),
        ({"type": "send", "room": "lobby", "text": ""}, "error"),
        ({"type": "leave", "room": "nowhere"}, "error"),
    ],
)
async def test_an_unknown_field_is_warned_of_after_the_reply(
    command: dict[str, Any], reply: str, autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        chat.store.delay_s = 0.1
        before = len(ann.frames)
        await ann.wire.send_json({**command, "id": "x", "txet": 1})
        await ann.until(lambda: bool(ann.all_of("warning")))
        said = [frame for frame in ann.frames[before:] if frame["type"] != "message"]
        assert [frame["type"] for frame in said] == [reply, "warning"]
        assert (said[1]["re"], said[1]["code"], said[1]["field"]) == ("x", "unknown_field", "txet")


async def test_what_follows_a_send_with_an_unknown_field_keeps_its_order(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        chat.store.delay_s = 0.1
        replies = await tell_all(
            ann,
            {"type": "send", "room": "lobby", "text": "one", "txet": 1},
            {"type": "send", "room": "lobby", "text": "two"},
            {"type": "leave", "room": "lobby"},
        )
        assert [reply["type"] for reply in replies] == ["ack", "ack", "left"]


# rates


async def test_who_asks_too_often_is_told_when_to_try_again_and_then_may(autojump_clock: MockClock) -> None:
    async with open_chat(STRICT) as chat:
        ann = await chat.guest()
        replies = await tell_all(ann, *({"type": "ping"} for _ in range(6)))
        assert [reply["type"] for reply in replies] == ["pong"] * 5 + ["error"]
        refused = replies[-1]
        assert (refused["code"], refused["temporary"]) == ("rate_limited", True)
        assert 0 < refused["retry_after_ms"] <= 101
        await trio.sleep(refused["retry_after_ms"] / 1000)
        assert (await ann.ask("ping"))["type"] == "pong"


async def test_the_rate_holds_over_time(autojump_clock: MockClock) -> None:
    async with open_chat(STRICT) as chat:
        ann = await chat.guest()
        for _ in range(100):
            await trio.sleep(0.1)
            assert (await ann.ask("ping"))["type"] == "pong"


@pytest.mark.parametrize(
    "command", [{"type": "ping"}, {"type": "nonsense"}, {"type": "join"}, {"type": "send", "room": 5}]
)
async def test_who_ignores_the_rate_is_closed_with_4102(command: dict[str, Any], autojump_clock: MockClock) -> None:
    async with open_chat(STRICT) as chat:
        ann = await chat.guest()
        for _ in range(12):
            await ann.wire.send_json(command)
        await ann.until(lambda: ann.closed is not None)
        assert ann.closed == 4102
        assert ann.frames[-1]["type"] == "goodbye"


async def test_who_waits_when_told_to_is_not_closed(autojump_clock: MockClock) -> None:
    async with open_chat(STRICT) as chat:
        ann = await chat.guest()
        for _ in range(20):
            replies = await tell_all(ann, *({"type": "ping"} for _ in range(3)))
            waits = [reply["retry_after_ms"] for reply in replies if reply["type"] == "error"]
            await trio.sleep(max(waits, default=0) / 1000)
        assert ann.closed is None


@pytest.mark.parametrize(("pause_s", "ending"), [(0.0, 4000), (6.5, 4000), (6.8, None)])
async def test_the_tenth_bad_frame_in_a_minute_closes_with_4000(
    pause_s: float, ending: int | None, autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        ann = await chat.guest()
        for _ in range(9):
            await ann.wire.send_text("no JSON")
            await trio.sleep(pause_s)
        assert (await ann.ask("ping"))["type"] == "pong"
        await ann.wire.send_text("no JSON")
        await trio.sleep(1.0)
        assert ann.closed == ending


# back-pressure, and who does not read


async def test_a_client_that_does_not_read_is_closed_and_nobody_waits_for_it(autojump_clock: MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, outbox_bytes=65_536)
    async with open_chat(limits) as chat:
        ann, bob = await chat.guest_in("lobby"), await chat.guest_in("lobby")
        await chat.deaf_guest_in("lobby")
        assert len(chat.node.hub.rooms()[0].people) == 3
        began = trio.current_time()
        for number in range(100):
            await ann.say("lobby", f"{number}" + "x" * 1_000)
        assert trio.current_time() == began, "nobody waited"
        await bob.until(lambda: len(bob.seqs("lobby")) == 100)
        assert len(chat.node.hub.rooms()[0].people) == 2, "who does not read is gone from the room"
        await trio.sleep(2 * limits.farewell_s)
        assert len(chat.node.hub.sessions) == len(chat.node.door.connections) == 2


async def test_more_commands_than_may_wait_stay_unread_and_none_is_lost(autojump_clock: MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, pending_commands=10)
    async with open_chat(limits) as chat:
        ann = await chat.guest()
        chat.store.delay_s = 1.0
        ids = [await ann.tell("join", room="lobby")] + [await ann.tell("ping") for _ in range(200)]
        chat.store.delay_s = 1.0
        for command_id in ids:
            await ann.reply_to(command_id)
        assert [frame["id"] for frame in ann.frames if "id" in frame] == ids


async def test_more_sends_than_may_be_unanswered_stay_unread_and_none_is_lost(autojump_clock: MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, unacked_sends=10)
    async with open_chat(limits) as chat:
        ann = await chat.guest_in("lobby")
        chat.store.delay_s = 0.01
        await talk(ann, "lobby", 200)
        assert [ack["seq"] for ack in ann.all_of("ack")] == list(range(1, 201))


async def test_who_reads_while_no_more_is_read_from_them_gets_their_page(autojump_clock: MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, unacked_sends=3)
    async with open_chat(limits) as chat:
        ann = await chat.guest_in("lobby")
        chat.store.delay_s = 0.1
        sends = [{"type": "send", "room": "lobby", "text": f"{number}"} for number in range(3)]
        replies = await tell_all(ann, *sends, {"type": "history", "room": "lobby"}, {"type": "ping"})
        assert [reply["type"] for reply in replies] == ["ack", "ack", "ack", "history", "pong"]
        assert len(replies[3]["messages"]) == 3


# stopping


async def test_a_draining_node_refuses_sends_and_says_that_it_is_temporary(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await filled(chat, "lobby", 1)
        chat.node.hub.draining = True
        refused = await ann.ask("send", room="lobby", text="too late", cid="c1")
        assert (refused["code"], refused["temporary"]) == ("unavailable", True)
        assert (await ann.ask("history", room="lobby"))["messages"][-1]["seq"] == 1
