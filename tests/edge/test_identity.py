"""Who a client is: given and taken names, tokens that bring a guest back, and nodes where guests are refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import pytest
import trio
import trio.testing

from tests.client_bytes import TEXT, frame
from tests.edge.visitors import ask, greeted, lives, visiting
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import WireClient, open_wire

pytestmark = pytest.mark.usefixtures("no_bugs")

#: Seconds after a guest's last use of a name until it is free: in life a day.
_NAME_KEPT_S: Final = 90.0


async def call_oneself(client: WireClient, name: str) -> str:
    """Take the name: "ok", or the error's code."""
    answer = await ask(client, {"type": "hello", "name": name, "id": "h"})
    assert answer["id"] == "h"
    if answer["type"] == "ok":
        assert (answer["for"], answer["user"]) == ("hello", name)
        return "ok"
    assert answer["field"] == "name"
    return str(answer["code"])


async def test_a_guest_is_greeted_with_a_name_of_eight_random_characters(node: Node) -> None:
    async with greeted(node) as (_, welcome), greeted(node) as (_, other):
        assert welcome["v"] == 1
        assert welcome["user"] == "guest-" + welcome["user_id"][2:10]
        assert welcome["limits"] == {"text": 4000, "frame": 65536, "rooms": 200, "replay": 1000, "page": 200}
        for field in ("session", "user", "user_id", "token"):
            assert welcome[field] != other[field]


async def test_hello_renames_the_same_guest_and_messages_bear_the_name(node: Node) -> None:
    async with visiting(node) as listener, greeted(node) as (client, welcome):
        await ask(listener, {"type": "join", "room": "lobby"})
        answer = await ask(client, {"type": "hello", "name": "Ännchen", "id": 1})
        assert answer["user_id"] == welcome["user_id"]
        await ask(client, {"type": "join", "room": "lobby"})
        await client.send_json({"type": "send", "room": "lobby", "text": "hi"})
        event = await listener.receive_until("message")
        assert (event["from"], event["from_id"]) == ("Ännchen", welcome["user_id"])


@pytest.mark.parametrize("same", ["ann", "Ann", "ANN", "\uff41nn", "a\uff4e\uff4e"])
async def test_a_name_that_looks_like_a_taken_one_is_taken(same: str, node: Node) -> None:
    async with visiting(node) as ann, visiting(node) as other:
        assert await call_oneself(ann, "ann") == "ok"
        assert await call_oneself(other, same) == "name_taken"
        assert await call_oneself(other, "bob") == "ok"


async def test_given_names_are_not_to_be_taken_but_ones_own_may_be_had_back(node: Node) -> None:
    async with greeted(node) as (client, welcome), greeted(node) as (_, other):
        assert await call_oneself(client, other["user"]) == "name_taken"
        assert await call_oneself(client, "Guest-ann") == "name_taken"
        assert await call_oneself(client, "ann") == "ok"
        assert await call_oneself(client, welcome["user"]) == "ok"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "empty"),
        ("a b", "say ab"),
        ("a\u202eb", "say ab"),
        ("a\u200bb", "say ab"),
        ("line\nbreak", "say linebreak"),
        ("x" * 65, "over 64 bytes"),
        ("é" * 33, "over 64 bytes"),
        ("e\u0301", "say é"),
    ],
)
async def test_a_name_that_cannot_be_shown_is_refused(name: str, words: str, node: Node) -> None:
    async with visiting(node) as client:
        error = await ask(client, {"type": "hello", "name": name, "id": 1})
        assert (error["code"], error["field"]) == ("bad_field", "name")
        assert words in error["message"]
        await lives(client)


async def test_who_has_joined_stays_who_they_are(node: Node) -> None:
    async with greeted(node) as (client, welcome):
        await ask(client, {"type": "join", "room": "lobby"})
        for command in ({"type": "hello", "name": "ann"}, {"type": "auth", "token": welcome["token"]}):
            error = await ask(client, {**command, "id": 7})
            assert (error["id"], error["code"]) == (7, "bad_state")
        await ask(client, {"type": "leave", "room": "lobby"})
        assert await call_oneself(client, "ann") == "ok"


async def test_hello_after_a_join_in_the_same_segment_is_refused(node: Node) -> None:
    async with visiting(node) as client:
        commands = (b'{"type":"join","room":"lobby"}', b'{"type":"hello","name":"ann","id":2}')
        await client.send_bytes(b"".join(frame(TEXT, command) for command in commands))
        assert (await client.receive())["type"] == "joined"
        assert (await client.receive())["code"] == "bad_state"


async def test_a_token_brings_the_guest_back_on_any_node_under_the_name_that_they_hold() -> None:
    twins = make_twins()
    async with (
        open_twin_node(twins, name="n1", listening=True) as here,
        open_twin_node(twins, name="n2", listening=True) as there,
    ):
        async with greeted(here) as (client, welcome):
            answer = await ask(client, {"type": "hello", "name": "ann"})
            renewed = answer["token"]
        for node in (here, there):
            for token in (welcome["token"], renewed):  # the old one stays valid
                async with greeted(node) as (client, new):
                    assert new["user_id"] != welcome["user_id"]
                    answer = await ask(client, {"type": "auth", "token": token, "id": 1})
                    assert (answer["for"], answer["user"], answer["user_id"]) == ("auth", "ann", welcome["user_id"])


async def test_the_same_guest_may_be_here_twice_and_a_cid_is_theirs_on_both(node: Node) -> None:
    async with greeted(node) as (one, welcome), greeted(node) as (two, _):
        await ask(two, {"type": "auth", "token": welcome["token"]})
        seqs = []
        for client in (one, two):
            joined = await ask(client, {"type": "join", "room": "lobby"})
            assert joined["members"] == 1
            await client.send_json({"type": "send", "room": "lobby", "text": "hi", "cid": "c"})
            seqs.append((await client.receive_until("ack"))["seq"])
        assert seqs == [1, 1]


def tampered(token: str) -> dict[str, str]:
    """Tokens that are nearly this one."""
    kind, number, user_id, mac = token.split(".")
    other = "b" if mac[0] != "b" else "c"
    return {
        "another mac": f"{kind}.{number}.{user_id}.{other}{mac[1:]}",
        "a shorter mac": token[:-1],
        "a longer mac": token + "A",
        "no mac": f"{kind}.{number}.{user_id}.",
        "another guest": f"{kind}.{number}.g_{'a' * 26}.{mac}",
        "another secret": f"{kind}.2.{user_id}.{mac}",
        "no secret": f"{kind}.99999.{user_id}.{mac}",
        "another kind": f"u.{number}.{user_id}.{mac}",
        "a line break behind it": token + "\n",
        "padding": token + "=",
        "capitals": token.upper(),
        "nothing": "",
        "something long": "g." * 5_000,
        "another script": token.replace("g", "\uff47", 1),
    }


@pytest.mark.parametrize("case", tampered("g.1.g_x.m"))
async def test_a_token_that_was_tampered_with_is_refused(case: str, node: Node) -> None:
    async with greeted(node) as (_, welcome), greeted(node) as (client, before):
        error = await ask(client, {"type": "auth", "token": tampered(welcome["token"])[case], "id": 1})
        assert (error["id"], error["code"], error["field"]) == (1, "unauthenticated", "token")
        await lives(client)
        answer = await ask(client, {"type": "auth", "token": before["token"]})
        assert answer["user_id"] == before["user_id"], "they are who they were"


async def test_the_tenth_wrong_token_closes_with_4001(node: Node) -> None:
    async with visiting(node) as client:
        for _ in range(9):
            assert (await ask(client, {"type": "auth", "token": "g.1.wrong"}))["code"] == "unauthenticated"
        await client.send_json({"type": "auth", "token": "g.1.wrong"})
        assert await client.expect_close() == 4001


async def arrive(node: Node) -> WireClient:
    """A client over an in-memory stream."""
    return await WireClient(await node.connect()).shake_hands()


async def test_a_name_is_kept_for_a_while_after_its_last_use(autojump_clock: trio.testing.MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, name_kept_s=_NAME_KEPT_S)
    async with open_twin_node(make_twins(limits)) as node:
        ann = await arrive(node)
        token = (await ann.receive())["token"]
        assert await call_oneself(ann, "ann") == "ok"
        await ann.stream.aclose()

        await trio.sleep(_NAME_KEPT_S - 1)
        bob = await arrive(node)
        await bob.receive()
        assert await call_oneself(bob, "ann") == "name_taken"
        again = await arrive(node)
        await again.receive()
        assert (await ask(again, {"type": "auth", "token": token}))["user"] == "ann"
        assert await call_oneself(again, "ann") == "ok", "its holder may take it again, which is a use of it"
        await again.stream.aclose()

        await trio.sleep(_NAME_KEPT_S - 1)
        bob = await arrive(node)
        await bob.receive()
        assert await call_oneself(bob, "ann") == "name_taken"
        await bob.stream.aclose()
        await trio.sleep(2)
        bob = await arrive(node)
        await bob.receive()
        assert await call_oneself(bob, "ann") == "ok"


async def test_another_name_frees_the_first(node: Node) -> None:
    async with visiting(node) as ann, visiting(node) as bob:
        assert await call_oneself(ann, "ann") == "ok"
        assert await call_oneself(ann, "anna") == "ok"
        assert await call_oneself(bob, "ann") == "ok"
        assert await call_oneself(bob, "anna") == "name_taken"


# where guests are refused


@asynccontextmanager
async def members_only(*, listening: bool = True) -> AsyncIterator[Node]:
    async with open_twin_node(make_twins(), listening=listening) as node:
        node.hub.allow_guests = False
        yield node


async def test_where_guests_are_refused_nobody_is_anybody_at_first() -> None:
    async with members_only() as node, open_wire(node.port or 0) as client:
        welcome = await client.receive()
        assert welcome["user"] is None
        assert not {"user_id", "token"} & welcome.keys()
        for command in (
            {"type": "join", "room": "lobby"},
            {"type": "hello", "name": "ann"},
            {"type": "send", "room": "lobby", "text": "hi"},
            {"type": "leave", "room": "lobby"},
            {"type": "resume", "rooms": {}},
            {"type": "history", "room": "lobby"},
            {"type": "events", "room": "lobby", "since": 0},
            {"type": "rooms"},
            {"type": "members", "room": "lobby"},
        ):
            error = await ask(client, {**command, "id": 1})
            assert (error["id"], error["code"]) == (1, "unauthenticated"), command
        await lives(client)
        assert (await ask(client, {"type": "help"}))["type"] == "help"


async def test_where_guests_are_refused_a_guests_token_is_too() -> None:
    async with open_twin_node(make_twins(), listening=True) as node, greeted(node) as (_, welcome):
        node.hub.allow_guests = False
        async with open_wire(node.port or 0) as client:
            await client.receive()
            error = await ask(client, {"type": "auth", "token": welcome["token"]})
            assert (error["code"], error["field"]) == ("unauthenticated", "token")


async def test_who_does_not_identify_in_10_s_is_closed_with_4008(autojump_clock: trio.testing.MockClock) -> None:
    async with members_only(listening=False) as node:
        began = trio.current_time()
        client = await arrive(node)
        await client.receive()
        await trio.sleep(9.5)
        await lives(client)
        goodbye = await client.receive()
        assert (goodbye["type"], goodbye["code"]) == ("goodbye", 4008)
        assert 10 <= trio.current_time() - began <= 11.5
        assert await client.expect_close() == 4008
