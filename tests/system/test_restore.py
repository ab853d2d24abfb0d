"""A backup is restored, and all rooms get a new epoch: who has more than the copy is told, and nothing is mixed."""

from __future__ import annotations

import io
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from typing import Any

import pytest
import trio

from tests.nodes import Node, open_node
from tests.store.postgres import PostgresServer, embedded_binaries, give, remove_directory, temporary_directory
from tests.wire import WireClient, open_wire
from trichat.cli import build_parser
from trichat.cli.admin import run_at
from trichat.cli.admin.console import Console
from trichat.core.closing import STATE_LOST

#: Seconds for one of PostgreSQL's programs: ten times the typical.
PROGRAM_S = 30


@pytest.fixture(scope="module")
def source() -> Iterator[PostgresServer]:
    """The server whose databases are backed up."""
    server = PostgresServer(embedded_binaries(), temporary_directory())
    server.initialise()
    server.start()
    yield server
    server.stop(signal.SIGQUIT)
    remove_directory(server.directory)


@pytest.fixture
def url(source: PostgresServer) -> Iterator[str]:
    url = source.create_database()
    yield url
    source.drop_database(url)


def type_command(database_url: str, *words: str) -> str:
    """What a command prints that must succeed; in a thread, as it runs Trio."""
    terminal = io.StringIO()
    arguments = build_parser().parse_args([*words, "--database-url", database_url])
    assert run_at(Console(io.StringIO(), terminal, terminal, str), arguments) == 0, terminal.getvalue()
    return terminal.getvalue()


async def asked(wire: WireClient, kind: str, **command: Any) -> dict[str, Any]:
    """The next frame of the type `kind`, after this command."""
    await wire.send_json(command)
    return await wire.receive_until(kind)


async def say(wire: WireClient, text: str) -> int:
    """The seq of what is said in the lobby."""
    seq: int = (await asked(wire, "ack", type="send", room="lobby", text=text, cid=text))["seq"]
    return seq


async def join(stack: AsyncExitStack, node: Node) -> tuple[WireClient, dict[str, Any]]:
    """A new client in the lobby, and what it was answered."""
    assert node.port is not None
    wire = await stack.enter_async_context(open_wire(node.port))
    return wire, await asked(wire, "joined", type="join", room="lobby")


async def refused_position(node: Node, since: int, epoch: str) -> dict[str, Any]:
    """What a client is told that comes back with this position."""
    assert node.port is not None
    async with open_wire(node.port) as wire:
        error = await asked(wire, "error", type="resume", rooms={"lobby": {"since": since, "epoch": epoch}})
    assert (error["code"], error["room"]) == ("bad_position", "lobby")
    return error


async def texts(wire: WireClient) -> list[str]:
    history = await asked(wire, "history", type="history", room="lobby")
    return [message["text"] for message in history["messages"]]


async def test_nodes_that_run_notice_a_new_epoch_and_their_clients_are_told(url: str, redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(open_node(url, redis_url, name=name, prefix="new-epoch"))
            for name in ("a", "b")
        ]
        wires = []
        for node in nodes:
            wire, joined = await join(stack, node)
            wires.append(wire)
        old = joined["epoch"]
        assert [await say(wires[0], text) for text in ("one", "two")] == [1, 2]

        printed = await trio.to_thread.run_sync(type_command, url, "db", "new-epoch", "--yes")
        assert printed.startswith("1 room has a new epoch")
        for wire in wires:
            assert await wire.expect_close() == STATE_LOST.code
        for node in nodes:
            for since in (1, 2, 3):
                error = await refused_position(node, since, old)
                assert (error["head"], error["epoch"] != old) == (2, True)
        (ann, joined), (bob, again) = [await join(stack, node) for node in nodes]
        assert joined["epoch"] == again["epoch"] != old
        assert await say(ann, "three") == 3
        heard = await bob.receive_until("message")
        assert (heard["seq"], heard["text"]) == (3, "three")


def dump_and_restore(source: PostgresServer, url: str) -> Iterator[str]:
    """Two steps: a dump of the database; then the address of the database that was made of it."""
    dump = source.directory / "lobby.dump"
    _run(source, "pg_dump", "--format=custom", f"--file={dump}", url)
    yield ""
    restored = source.create_database()
    _run(source, "pg_restore", "--exit-on-error", f"--dbname={restored}", str(dump))
    try:
        yield restored
    finally:
        source.drop_database(restored)


def copy_files_and_start(source: PostgresServer, url: str) -> Iterator[str]:
    """Two steps: a base backup of the server; then the address of the database on a server that was started from it."""
    other = PostgresServer(source.bin_dir, temporary_directory())
    other.user = source.user
    give(other.directory, other.user)
    _run(source, "pg_basebackup", "--checkpoint=fast", f"--pgdata={other.directory / 'data'}", "-d", source.url())
    try:
        yield ""
        other.launch()
        other.wait_ready()
        yield other.url(url.partition("?")[0].rpartition("/")[2])
    finally:
        other.stop(signal.SIGQUIT)
        remove_directory(other.directory)


def _run(source: PostgresServer, program: str, *arguments: str) -> None:
    subprocess.run(
        [source.bin_dir / program, *arguments], check=True, timeout=PROGRAM_S, user=source.user,
        extra_groups=[] if source.user else None, cwd="/",
    )  # fmt: skip


@pytest.mark.parametrize("way", [dump_and_restore, copy_files_and_start])
async def test_the_drill_of_backup_and_restore(way: Any, source: PostgresServer, url: str, redis_url: str) -> None:
    with closing(way(source, url)) as backup:
        await _play(backup, url, redis_url, prefix=way.__name__)


async def _play(backup: Iterator[str], url: str, redis_url: str, *, prefix: str) -> None:
    async with AsyncExitStack() as stack, open_node(url, redis_url, prefix=f"before-{prefix}") as node:
        ann, joined = await join(stack, node)
        old = joined["epoch"]
        assert [await say(ann, text) for text in ("one", "two", "three")] == [1, 2, 3]
        next(backup)
        assert [await say(ann, text) for text in ("four", "five")] == [4, 5]

    restored = next(backup)
    assert restored != url
    printed = await trio.to_thread.run_sync(type_command, restored, "db", "new-epoch", "--yes")
    assert printed.startswith("1 room has a new epoch")
    assert await trio.to_thread.run_sync(type_command, restored, "doctor") == "nothing differs: 1 room, 3 events\n"
    async with AsyncExitStack() as stack, open_node(restored, redis_url, prefix=f"after-{prefix}") as node:
        for since in (3, 5):
            error = await refused_position(node, since, old)
            assert (error["head"], error["epoch"] != old) == (3, True)
        ann, joined = await join(stack, node)
        assert (joined["seq"], joined["epoch"]) == (3, error["epoch"])
        assert await say(ann, "instead of four") == 4
        assert await texts(ann) == ["one", "two", "three", "instead of four"]
