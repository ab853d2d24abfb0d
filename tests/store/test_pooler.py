"""Behind PgBouncer in transaction mode, which gives each transaction whatever session is free."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import trio

from tests.store.conftest import LIMITS, open_room, said
from tests.store.postgres import (
    PostgresServer,
    die_with_parent,
    free_port,
    give,
    remove_directory,
    temporary_directory,
    wait_until,
)
from trichat.chat.ports import NodeRecord, Store, StoreUnavailable
from trichat.core.chance import Chance
from trichat.core.events import Committed, RoomRecord
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, UserId
from trichat.store import open_postgres_store

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed: apt-get install pgbouncer")


@pytest.fixture
def pooled_url(server: PostgresServer) -> Iterator[str]:
    """A new database, by way of a PgBouncer that shares two sessions among all."""
    database = urlsplit(server.create_database()).path[1:]
    directory = temporary_directory()
    port = free_port()
    (directory / "users.txt").write_text('"postgres" ""\n')
    (directory / "pgbouncer.ini").write_text(
        f"[databases]\n{database} = host={server.directory} port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"logfile = {directory}/log\nauth_type = trust\nauth_file = {directory}/users.txt\n"
        "pool_mode = transaction\ndefault_pool_size = 2\nmin_pool_size = 2\nserver_round_robin = 1\n"
    )
    user = server.user
    give(directory, user)
    process = subprocess.Popen(
        [str(PGBOUNCER), str(directory / "pgbouncer.ini")],
        stderr=subprocess.DEVNULL,
        user=user,
        extra_groups=[] if user else None,
        cwd="/",
        preexec_fn=die_with_parent,  # noqa: PLW1509 (one call of libc, prepared before the fork)
    )
    wait_until(lambda: _listens(port), "PgBouncer listens")
    yield f"postgresql://postgres@127.0.0.1:{port}/{database}"
    process.kill()
    process.wait(10)
    remove_directory(directory)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def _use(store: Store, room: RoomRecord, name: str) -> None:
    """Every kind of statement, often enough that psycopg would prepare it."""
    node = NodeRecord(Incarnation(hash(name) % 1000), name, degraded=False)
    await store.record_node(node, [])
    for _ in range(10):
        (outcome,) = await store.append([said(room)])
        assert isinstance(outcome, Committed)
        await store.read_events(room.id, after=0, limit=10, max_bytes=10_000)
        await store.claim_name(UserId(f"g_{name}"), name)
        assert await store.record_node(node, [])
        assert (await store.look([room.id], node.incarnation)).heads[room.id].head >= outcome.seq


async def test_all_works_over_sessions_that_are_shared(pooled_url: str) -> None:
    async with open_postgres_store(pooled_url, LIMITS, chance=Chance(), pooler=True) as store:
        room = await open_room(store)
        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(_use, store, room, f"name{number}")
        assert (await open_room(store)).head == 60


async def test_a_pooler_that_we_are_not_told_of_is_named_as_the_trouble(pooled_url: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"unsupported startup parameter.*options"):
        async with open_postgres_store(pooled_url, Limits(store_open_s=0.1), chance=Chance()):
            pass
