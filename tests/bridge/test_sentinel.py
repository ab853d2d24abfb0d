"""Sentinels are asked for the master, and a failover is followed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.bridge.buses import LIMITS, SOON_S, Ear, batch, hear_room
from tests.bridge.conftest import BINARIES
from tests.bridge.valkey import ValkeyServer, free_port, open_server
from trichat.bridge.redis import open_redis_bridge
from trichat.chat.ports import Batch, Cut, Linked
from trichat.core.names import Incarnation

#: Seconds for one Sentinel alone to notice, vote and promote: about ten times the typical.
FAILOVER_S = 30.0


@asynccontextmanager
async def open_sentinel(binary: Path, folder: Path, master: ValkeyServer) -> AsyncIterator[ValkeyServer]:
    """A Sentinel that watches `master` as the service "main" and knows its replica."""
    settings = folder / f"sentinel-{master.port}.conf"
    settings.write_text(
        f"sentinel monitor main 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds main 300\nsentinel failover-timeout main 2000\n"
    )
    async with open_server(binary, folder, str(settings), "--sentinel") as sentinel:
        yield sentinel


@pytest.fixture(params=list(BINARIES))
def binary(request: pytest.FixtureRequest) -> Path:
    return BINARIES[request.param]


async def until_it_says(server: ValkeyServer, question: str, answer: str) -> None:
    with trio.fail_after(FAILOVER_S):
        while answer not in await server.ask(question):  # noqa: ASYNC110  # another process has no Event
            await trio.sleep(0.05)


async def test_a_failover_is_followed(binary: Path, folder: Path) -> None:
    async with open_server(binary, folder) as old, open_server(binary, folder) as new:
        await new.ask(f"REPLICAOF 127.0.0.1 {old.port}")
        await until_it_says(new, "ROLE", "connected")
        async with open_sentinel(binary, folder, old) as sentinel:
            await until_it_says(sentinel, "SENTINEL REPLICAS main", str(new.port))
            nobody = free_port()  # a Sentinel that is away: the next one is asked
            url = f"redis+sentinel://127.0.0.1:{nobody},127.0.0.1:{sentinel.port}/main"
            async with (
                open_redis_bridge(url, LIMITS, incarnation=Incarnation(1), node="n1") as ann,
                open_redis_bridge(url, LIMITS, incarnation=Incarnation(2), node="n2") as bob,
            ):
                anns, bobs = Ear(ann), Ear(bob)
                await anns.until(Linked)
                await hear_room(bob, bobs, 1)
                assert "trichat:room:1" in await old.ask("PUBSUB CHANNELS *room*")

                await old.kill()
                await anns.until(Cut)
                await bobs.until(Cut)
                await until_it_says(new, "ROLE", "master")
                await anns.until(Linked)
                await bobs.until_subscribed(1)
                ann.publish(batch(1, 1))
                assert await bobs.until(Batch) == batch(1, 1)


async def test_a_service_that_the_sentinel_does_not_know_may_come_and_is_no_error(binary: Path, folder: Path) -> None:
    async with open_server(binary, folder) as master, open_sentinel(binary, folder, master) as sentinel:
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/other"
        async with open_redis_bridge(url, LIMITS, incarnation=Incarnation(1), node="n1") as ann:
            cut = await Ear(ann).until(Cut)
            assert cut.why == f"the Sentinel 127.0.0.1:{sentinel.port} knows no service other"


async def test_what_the_sentinel_names_is_not_used_unless_it_is_a_master(binary: Path, folder: Path) -> None:
    async with (
        open_server(binary, folder) as master,
        open_server(binary, folder) as other,
        open_sentinel(binary, folder, master) as sentinel,
    ):
        await master.ask(f"REPLICAOF 127.0.0.1 {other.port}")  # behind the Sentinel's back
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/main"
        with trio.fail_after(SOON_S):
            async with open_redis_bridge(url, LIMITS, incarnation=Incarnation(1), node="n1") as ann:
                cut = await Ear(ann).until(Cut)
        assert "what it names is a slave" in cut.why
