"""Somebody is banned or kicked while they and others send and join on two nodes, with Redis and without: nothing of
theirs has a number after it, and nothing after it reaches them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
import pytest
import trio

from tests.chat.guests import Guest
from tests.nodes import Node, open_node
from tests.people import make_account
from tests.servers import ValkeyServer
from tests.wire import WireClient

pytestmark = pytest.mark.slow

ROOM: Final = "square"
#: Messages of everybody together, and the seconds over which they are spread.
MESSAGES, SPREAD_S = 1_000, 3.0
#: Seconds for all of it: ten times the typical.
WITHIN_S = 80.0


class Crowd:
    """Connections of accounts at two nodes."""

    def __init__(self, nodes: list[Node], nursery: trio.Nursery) -> None:
        self.nodes = nodes
        self._nursery = nursery
        self._clients: list[Guest] = []

    async def connect(self, token: str, node: int) -> Guest:
        port = self.nodes[node].port
        assert port is not None
        client = Guest(await WireClient(await trio.open_tcp_stream("127.0.0.1", port)).shake_hands())
        self._clients.append(client)
        self._nursery.start_soon(client.run)
        assert (await client.ask("auth", token=token))["type"] == "ok"
        return client

    async def go(self) -> None:
        for client in self._clients:
            await client.drop()


@asynccontextmanager
async def open_crowd(database_url: str, redis_url: str) -> AsyncIterator[Crowd]:
    async with (
        open_node(database_url, redis_url, name="a") as a,
        open_node(database_url, redis_url, name="b") as b,
        trio.open_nursery() as nursery,
    ):
        crowd = Crowd([a, b], nursery)
        yield crowd
        await crowd.go()
        nursery.cancel_scope.cancel(reason="the test is over")


async def send_steadily(client: Guest, count: int) -> None:
    """Send, whatever is answered."""
    for n in range(count):
        await client.tell("send", room=ROOM, text=f"{n}")
        await trio.sleep(SPREAD_S / count)


async def come_and_go(crowd: Crowd, token: str, node: int, seen: list[Guest], over: trio.Event) -> None:
    """Connect and join, from the beginning and from the head, again and again."""
    since: dict[str, Any] = {}
    while not over.is_set():
        client = await crowd.connect(token, node)
        seen.append(client)
        await client.ask("join", room=ROOM, **since)
        since = {} if since else {"since": 0}
        await trio.sleep(0.02)
        await client.drop()


def read_log(database_url: str) -> list[tuple[int, str, str, str]]:
    """Of each event of the room: seq, kind, author, and (of a `member` event) the change."""
    statement = """
        SELECT e.seq, e.kind, e.user_name, coalesce(e.body ->> 'change', '')
        FROM trichat.events e JOIN trichat.rooms r ON r.id = e.room_id WHERE r.name = %s ORDER BY e.seq
    """
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement, (ROOM,)).fetchall()


def seqs_of(client: Guest) -> list[int]:
    return [frame["seq"] for frame in client.frames if frame["type"] in ("message", "member")]


@pytest.mark.parametrize("redis", ["up", "killed"])
@pytest.mark.parametrize("act", ["ban", "kick"])
async def test_nothing_of_theirs_and_nothing_for_them_after_it(
    database_url: str, own_valkey: ValkeyServer, act: str, redis: str
) -> None:
    over = trio.Event()
    with trio.fail_after(WITHIN_S):
        async with open_crowd(database_url, own_valkey.url) as crowd:
            store = crowd.nodes[0].hub.store
            ann_token, bob_token, carol_token = [await make_account(store, name) for name in ("ann", "bob", "carol")]
            ann = await crowd.connect(ann_token, 0)
            bobs = [await crowd.connect(bob_token, n % 2) for n in range(4)]
            carols = [await crowd.connect(carol_token, n % 2) for n in range(2)]
            for client in (ann, *bobs, *carols):
                await client.join(ROOM)
            if redis == "killed":
                own_valkey.kill()
            comers: list[Guest] = []
            async with trio.open_nursery() as nursery:
                for client in (*bobs, *carols):
                    nursery.start_soon(send_steadily, client, MESSAGES // 6)
                for node in (0, 1) if act == "ban" else ():
                    nursery.start_soon(come_and_go, crowd, bob_token, node, comers, over)
                await trio.sleep(SPREAD_S / 2)
                assert (await ann.ask(act, room=ROOM, user="bob", reason="enough"))["type"] == "ack"
                await trio.sleep(SPREAD_S)
                over.set()
            log = read_log(database_url)
            for client in (*carols, ann):
                await client.until(lambda client=client: seqs_of(client)[-1:] == [log[-1][0]])  # type: ignore[misc]
            for client in bobs:
                await client.until(lambda client=client: bool(client.all_of("left")))  # type: ignore[misc]

    (removed_at,) = (seq for seq, kind, _, change in log if kind == "member" and change in ("banned", "kicked"))
    assert [seq for seq, *_ in log] == list(range(1, len(log) + 1))
    assert not [seq for seq, _, author, _ in log if author == "bob" and seq > removed_at]
    assert any(author == "bob" for _, kind, author, _ in log if kind == "message"), "he was heard before"
    assert any(author == "carol" for seq, _, author, _ in log if seq > removed_at), "the others go on"
    for client in bobs:
        heard = seqs_of(client)
        assert heard == list(range(heard[0], removed_at + 1)), "all of it up to the removal, and nothing more"
    for client in comers:
        assert max(seqs_of(client), default=0) <= removed_at
    for client in carols:
        heard = seqs_of(client)
        assert heard == list(range(heard[0], len(log) + 1))
