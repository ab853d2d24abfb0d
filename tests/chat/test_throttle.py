"""Rates: by connection, person, address and room; each says its name and the time, and none can be got round."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.nodes import LOOSE, Node
from tests.people import make_account
from tests.wire import WireClient
from trichat.chat.throttle import Throttle, check_account_connections
from trichat.core.errors import Refusal
from trichat.core.limits import LIFTED, Limits

#: Rates at which nothing is refused, but which count.
WIDE = Limits(
    connections_per_address=LIFTED, commands_per_s=1e6, command_burst=1_000_000,
    account_per_s=1e6, account_burst=1_000_000, guest_per_s=1e6, guest_burst=1_000_000,
    address_per_s=1e6, address_burst=1_000_000, room_per_s=1e6, room_burst=1_000_000,
)  # fmt: skip


def limits(**tight: float) -> Limits:
    return msgspec.structs.replace(WIDE, **tight)


@asynccontextmanager
async def visitor(chat: Chat, address: str = "192.0.2.1", node: Node | None = None) -> AsyncIterator[Guest]:
    """A guest from this address, who goes at the end."""
    async with trio.open_nursery() as nursery:
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon((node or chat.node).door.serve_stream, theirs, address)
        guest = Guest(await WireClient(ours).shake_hands())
        nursery.start_soon(guest.run)
        await guest.until(lambda: bool(guest.frames))
        yield guest
        await guest.drop()


async def outcomes(guest: Guest, count: int, **command: Any) -> list[str]:
    """What `count` such commands come to, given at once: the limit that refused, or `ok`.

    Without fields: a `leave`, which costs half a token.
    """
    kind = command.pop("type", "leave")
    command = command or {"room": "nowhere"}
    ids = [await guest.tell(kind, **command) for _ in range(count)]
    replies = [await guest.reply_to(command_id) for command_id in ids]
    return [str(reply.get("limit", "ok")) for reply in replies]


# which limit, and when to come back


@pytest.mark.parametrize("limit", ["connection", "guest", "address"])
async def test_each_limit_refuses_by_its_name_and_says_when_to_come_back(limit: str, autojump_clock: MockClock) -> None:
    rate, burst = {"connection": ("commands_per_s", "command_burst")}.get(limit, (f"{limit}_per_s", f"{limit}_burst"))
    async with open_chat(limits(**{rate: 2.0, burst: 5})) as chat:
        ann = await chat.guest()
        assert await outcomes(ann, 13) == ["ok"] * 10 + [limit] * 3
        refused = ann.frames[-1]
        assert (refused["code"], refused["temporary"], refused["limit"]) == ("rate_limited", True, limit)
        assert 0 < refused["retry_after_ms"] <= 251
        await trio.sleep(refused["retry_after_ms"] / 1000)
        assert await outcomes(ann, 2) == ["ok", limit]


async def test_the_longest_wait_is_told(autojump_clock: MockClock) -> None:
    async with open_chat(limits(guest_per_s=5.0, guest_burst=1, address_per_s=0.5, address_burst=1)) as chat:
        ann = await chat.guest()
        assert await outcomes(ann, 3) == ["ok", "ok", "address"]
        assert 999 <= ann.frames[-1]["retry_after_ms"] <= 1_001


async def test_a_room_takes_so_much_from_all_its_people(autojump_clock: MockClock) -> None:
    async with open_chat(limits(room_per_s=1.0, room_burst=4)) as chat:
        ann, bob = await chat.guest_in("lobby"), await chat.guest_in("lobby")
        await ann.join("other")
        assert await outcomes(ann, 3, type="send", room="lobby", text="x") == ["ok"] * 3
        assert await outcomes(bob, 2, type="send", room="lobby", text="x") == ["ok", "room"]
        assert await outcomes(ann, 1, type="send", room="other", text="x") == ["ok"], "another room has its own"
        assert await outcomes(bob, 1) == ["ok"], "who may not send may do all else"
        await trio.sleep(1.0)
        assert await outcomes(bob, 2, type="send", room="lobby", text="x") == ["ok", "room"]


async def test_what_is_refused_costs_nothing_anywhere(autojump_clock: MockClock) -> None:
    async with open_chat(limits(room_per_s=0.001, room_burst=1, guest_per_s=0.001, guest_burst=20)) as chat:
        ann = await chat.guest_in("lobby")  # for 2 of the 20
        assert (await outcomes(ann, 40, type="send", room="lobby", text="x"))[1:] == ["room"] * 39
        assert await outcomes(ann, 35) == ["ok"] * 34 + ["guest"]  # 17 were left


# what cannot be got round


async def test_a_guest_who_comes_back_finds_the_bucket_as_it_was(autojump_clock: MockClock) -> None:
    async with open_chat(limits(guest_per_s=0.1, guest_burst=20)) as chat:
        async with visitor(chat) as ann:
            token = ann.frames[0]["token"]
            assert await outcomes(ann, 41) == ["ok"] * 40 + ["guest"]
        async with visitor(chat, "192.0.2.2") as ann:
            assert (await ann.ask("auth", token=token))["type"] == "ok"
            assert await outcomes(ann, 1) == ["guest"]


async def test_an_address_that_comes_back_finds_the_bucket_as_it_was(autojump_clock: MockClock) -> None:
    async with open_chat(limits(address_per_s=0.1, address_burst=5)) as chat:
        async with visitor(chat) as ann:
            assert await outcomes(ann, 11) == ["ok"] * 10 + ["address"]
        async with visitor(chat) as ann:
            assert await outcomes(ann, 1) == ["address"]
        async with visitor(chat, "192.0.2.2") as ann:
            assert await outcomes(ann, 1) == ["ok"]


async def test_an_ipv6_network_counts_as_one_address(autojump_clock: MockClock) -> None:
    async with open_chat(limits(address_per_s=0.1, address_burst=5)) as chat:
        async with visitor(chat, "2001:db8::1") as ann:
            assert await outcomes(ann, 10) == ["ok"] * 10
        async with visitor(chat, "2001:db8:0:0:ffff::2") as ann:
            assert await outcomes(ann, 1) == ["address"]
        async with visitor(chat, "2001:db8:0:1::1") as ann:
            assert await outcomes(ann, 1) == ["ok"]


async def test_two_connections_of_one_guest_share(autojump_clock: MockClock) -> None:
    tight = limits(guest_per_s=0.1, guest_burst=20)
    async with open_chat(tight) as chat, visitor(chat) as one, visitor(chat) as other:
        assert (await other.ask("auth", token=one.frames[0]["token"]))["type"] == "ok"
        assert await outcomes(one, 30) == ["ok"] * 30
        assert await outcomes(other, 11) == ["ok"] * 10 + ["guest"]


async def test_each_node_counts_for_itself(autojump_clock: MockClock) -> None:
    async with open_chat(limits(address_per_s=0.1, address_burst=5), nodes=2) as chat:
        ann, bob = await chat.guest(chat.nodes[0]), await chat.guest(chat.nodes[1])
        assert await outcomes(ann, 11) == ["ok"] * 10 + ["address"]
        assert await outcomes(bob, 10) == ["ok"] * 10


# what is paid ahead


async def test_what_was_paid_ahead_is_neither_lost_nor_counted_twice(autojump_clock: MockClock) -> None:
    async with open_chat(limits(guest_per_s=0.001, guest_burst=100)) as chat:
        ann = await chat.guest_in("lobby")  # for 2
        assert await outcomes(ann, 99, type="send", room="lobby", text="x") == ["ok"] * 98 + ["guest"]


async def test_no_room_gets_more_than_its_bucket_from_who_goes_back_and_forth(autojump_clock: MockClock) -> None:
    async with open_chat(limits(room_per_s=0.001, room_burst=100)) as chat:
        ann = await chat.guest_in("one")
        await ann.join("two")
        taken = {"one": 0, "two": 0}
        for number in range(300):
            room = ("one", "two", "two")[number % 3]
            taken[room] += (await outcomes(ann, 1, type="send", room=room, text="x")) == ["ok"]
            assert await outcomes(ann, 1) == ["ok"]
        assert 50 <= min(taken.values()) <= max(taken.values()) <= 100


async def test_many_connections_of_a_guest_get_no_more_than_one(autojump_clock: MockClock) -> None:
    async with open_chat(limits(guest_per_s=0.001, guest_burst=100)) as chat, AsyncExitStack() as stack:
        guests = [await stack.enter_async_context(visitor(chat)) for _ in range(5)]
        for guest in guests:
            assert (await guest.ask("auth", token=guests[0].frames[0]["token"]))["type"] == "ok"
            await guest.join("lobby")  # for 2; the first one pays its `auth` too
        taken = [await outcomes(guest, 1, type="send", room="lobby", text="x") for _ in range(30) for guest in guests]
        assert taken.count(["ok"]) == 100 - 5 - 5 * 2


# who is closed


async def test_who_comes_back_when_told_to_is_not_closed_whoever_empties_the_bucket(autojump_clock: MockClock) -> None:
    async with open_chat(limits(address_per_s=2.0, address_burst=1, ignored_rate_limits=4)) as chat:
        ann, eve = await chat.guest(), await chat.guest()
        for _ in range(20):
            refused = await eve.ask("leave", room="nowhere")
            while refused["code"] != "rate_limited":
                refused = await eve.ask("leave", room="nowhere")
            refused = await ann.ask("leave", room="nowhere")
            assert refused.get("limit") == "address"
            await trio.sleep(refused["retry_after_ms"] / 1000)
        assert (ann.closed, eve.closed) == (None, None)


async def test_who_does_not_is_closed_by_the_fiftieth_refusal(autojump_clock: MockClock) -> None:
    async with open_chat(limits(guest_per_s=1.0, guest_burst=1)) as chat:
        ann = await chat.guest()
        assert await outcomes(ann, 51) == ["ok"] * 2 + ["guest"] * 49
        assert ann.closed is None
        await ann.tell("leave", room="nowhere")
        await ann.until(lambda: ann.closed is not None)
        assert ann.closed == 4102


async def test_what_was_let_through_ends_the_row(autojump_clock: MockClock) -> None:
    async with open_chat(limits(guest_per_s=1.0, guest_burst=1)) as chat:
        ann = await chat.guest()
        for _ in range(5):
            assert await outcomes(ann, 51) == ["ok"] * 2 + ["guest"] * 49
            await trio.sleep(1.0)
        assert ann.closed is None


# without limits


async def test_where_rates_are_lifted_nothing_counts(autojump_clock: MockClock) -> None:
    tight = msgspec.structs.replace(
        LOOSE, guest_per_s=0.1, guest_burst=1, address_per_s=0.1, address_burst=1, room_per_s=0.1, room_burst=1
    )
    async with open_chat(tight) as chat:
        ann = await chat.guest_in("lobby")
        assert await outcomes(ann, 50) == ["ok"] * 50
        assert await outcomes(ann, 50, type="send", room="lobby", text="x") == ["ok"] * 50
        throttle = chat.node.hub.throttle
        assert throttle.lifted
        assert len(throttle.guests) == len(throttle.addresses) == len(throttle.rooms) == 0


def test_the_defaults_count() -> None:
    assert not Throttle(Limits()).lifted


# accounts


async def test_an_account_has_one_bucket_over_its_connections_and_over_a_return(autojump_clock: MockClock) -> None:
    async with open_chat(limits(account_per_s=0.001, account_burst=20, guest_per_s=0.001, guest_burst=10)) as chat:
        token = await make_account(chat.store, "ann")
        async with visitor(chat) as one, visitor(chat, "192.0.2.2") as other:
            for connection in (one, other):
                assert (await connection.ask("auth", token=token))["type"] == "ok"  # the guests pay for it
            assert await outcomes(one, 30) == ["ok"] * 30
            assert await outcomes(other, 11) == ["ok"] * 10 + ["account"]
        async with visitor(chat, "192.0.2.3") as again:
            assert (await again.ask("auth", token=token))["type"] == "ok"
            assert await outcomes(again, 1) == ["account"]


async def test_one_connection_more_than_an_account_may_have_is_refused_until_one_goes(
    autojump_clock: MockClock,
) -> None:
    async with open_chat(limits(connections_per_account=2)) as chat, visitor(chat) as one:
        token = await make_account(chat.store, "ann")
        assert (await one.ask("auth", token=token))["type"] == "ok"
        async with visitor(chat) as two, visitor(chat) as three:
            assert (await two.ask("auth", token=token))["type"] == "ok"
            assert (await three.ask("auth", token=token))["code"] == "limit_reached"
        async with visitor(chat) as four:
            assert (await four.ask("auth", token=token))["type"] == "ok"


def test_an_account_has_so_many_connections_at_a_node() -> None:
    check_account_connections(Limits().connections_per_account - 1, Limits())
    with pytest.raises(Refusal) as refused:
        check_account_connections(Limits().connections_per_account, Limits())
    assert refused.value.code == "limit_reached"
