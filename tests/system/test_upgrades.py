"""The version before and this one, side by side on one database while that is upgraded; and the embedded database."""

from __future__ import annotations

import io
import subprocess
import tarfile
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
import trio

from tests.nodes import NodeProcess, running_node
from tests.system.crowd import Person, assert_acknowledged_is_in, assert_gapless, read_log, until
from trichat.core.limits import Limits
from trichat.embedded import open_embedded
from trichat.store import open_upkeep
from trichat.store.schema import SCHEMA_VERSION

ROOT = Path(__file__).parents[2]
SCHEMA_3 = ROOT / "tests" / "store" / "schemas" / "0003.sql"
#: The last commit whose code knows version 3 of the schema and no later one.
VERSION_3 = "838327b4912f"
#: Seconds for all that has no bound of its own: ten times the typical.
LIVELY_S = 60.0


def code_of_version_3(folder: Path) -> Path:
    """The code of that commit, in `folder`; where this checkout has no history, the test is skipped."""
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", VERSION_3, "trichat", "schema.sql"], capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"this checkout does not hold the commit {VERSION_3}: there is no older version to run")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


@pytest.mark.slow  # 5 s: four processes, one after the other
async def test_in_a_rolling_upgrade_from_version_3_nothing_is_lost(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    code = await trio.to_thread.run_sync(code_of_version_3, tmp_path / "old")
    flags = ["--database-url", database_url, "--redis-url", redis_url, "--redis-prefix", "rolling"]
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(closing(NodeProcess(tmp_path, *flags, "--node-id", f"old-{n}", code=code)))
            for n in range(2)
        ]
        for node in nodes:
            await node.ready()
        # one at each, so that all that is said goes through both
        people = [Person(name, ["lobby"], [node.url]) for name, node in zip(("ann", "bob"), nodes, strict=True)]
        async with trio.open_nursery() as being_there:
            for person in people:
                await being_there.start(person.run)
            talking = trio.CancelScope()
            async with trio.open_nursery() as nursery:
                for person in people:
                    nursery.start_soon(_talk, person, talking)
                await _each_says(people, 30)
                async with open_upkeep(database_url, Limits()) as upkeep:
                    assert [title async for title in upkeep.upgrade()]
                await _each_says(people, 30)  # two old nodes on the new database
                for n in range(2):
                    assert await nodes[n].stopped() == 0
                    nodes[n] = stack.enter_context(
                        closing(NodeProcess(tmp_path, *flags, "--node-id", f"new-{n}", port=nodes[n].port))
                    )
                    await nodes[n].ready()
                    await _each_says(people, 30)  # first an old one and a new one, then two new ones
                talking.cancel(reason="enough was said")
            log = read_log(database_url)
            await until(lambda: all(person.has_heard(log) for person in people), LIVELY_S)
            being_there.cancel_scope.cancel(reason="all was heard")
    assert_gapless(log)
    assert_acknowledged_is_in(log, people)
    for n, person in enumerate(people):
        assert person.nodes == [f"old-{n}", f"new-{n}"]
        assert person.heard == log
        assert person.acked.keys() == person.sent.keys()


async def _talk(person: Person, talking: trio.CancelScope) -> None:
    while not talking.cancel_called:
        await person.say(1)


async def _each_says(people: list[Person], count: int) -> None:
    """Wait until each of them has said so many more."""
    before = [len(person.acked) for person in people]
    await until(
        lambda: all(len(person.acked) >= had + count for person, had in zip(people, before, strict=True)), LIVELY_S
    )


async def test_the_embedded_database_is_upgraded_when_a_server_starts(data_dir: Path) -> None:
    async with open_embedded(data_dir, want_redis=False) as embedded:
        assert embedded.database_url is not None
        with psycopg.connect(embedded.database_url) as connection:
            connection.execute(SCHEMA_3.read_text("utf-8").encode())
        async with running_node(data_dir.parent, "--data-dir", str(data_dir)) as node:
            with psycopg.connect(embedded.database_url) as connection:
                assert connection.execute("SELECT version FROM trichat.meta").fetchall() == [(SCHEMA_VERSION,)]
            assert "upgraded: 0004_" in node.log.read_text()
            assert await node.stopped() == 0
