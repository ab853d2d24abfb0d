"""What an operator tries on a laptop: `trichat serve` with nothing but a data directory; a second one; kill -9."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from pathlib import Path

import trio

from tests.embedded.holders import processes_of
from tests.nodes import NodeProcess, running_node
from tests.system.crowd import Lines, Person, assert_acknowledged_is_in, assert_gapless, read_log, until
from trichat.core.limits import Limits
from trichat.embedded import PostgresServer, find_postgres, open_home

RecordProperty = Callable[[str, object], None]

#: Seconds in which the other node takes the services over (design, embedded services).
HEALS_S = 5.0
#: Seconds to be ready with a new data directory, and with an old one (issue 2).
FIRST_START_S, LATER_START_S = 15.0, 3.0
#: Seconds for what has no bound of its own: ten times the typical.
LIVELY_S = 20.0


async def test_when_the_first_of_two_nodes_is_killed_the_second_heals_and_loses_nothing(
    data_dir: Path, record_property: RecordProperty
) -> None:
    flags = ["--data-dir", str(data_dir), "--node-id"]
    async with (
        running_node(data_dir.parent, *flags, "a") as a,
        running_node(data_dir.parent, *flags, "b") as b,
        trio.open_nursery() as being_there,
    ):
        ann, bob = Person("ann", ["lobby"], [a.url, b.url]), Person("bob", ["lobby"], [b.url])
        for person in (ann, bob):
            await being_there.start(person.run)
        async with trio.open_nursery() as talking:
            for person in (ann, bob):
                talking.start_soon(_talk, person)
            await until(lambda: all(len(person.acked) > 20 for person in (ann, bob)), LIVELY_S)

            a.kill()
            with trio.fail_after(HEALS_S):
                record_property("healed_s", await _healed(b))
            before = {person: len(person.acked) for person in (ann, bob)}
            record_property("acked_s", await until(lambda: all(len(p.acked) > before[p] for p in before), LIVELY_S))
            talking.cancel_scope.cancel(reason="enough was said")
        log = _read_log_in(data_dir)
        await until(lambda: ann.has_heard(log) and bob.has_heard(log), LIVELY_S)
        being_there.cancel_scope.cancel(reason="all was said and heard")

        assert (ann.nodes, bob.nodes) == (["a", "b"], ["b"])
        assert_gapless(log)
        assert_acknowledged_is_in(log, [ann, bob])
        assert ann.heard == bob.heard == log
        assert await b.stopped(LIVELY_S) == 0
        assert not processes_of(data_dir)


async def test_a_node_that_is_alone_leaves_its_data_and_nothing_else(
    data_dir: Path, record_property: RecordProperty
) -> None:
    began = trio.current_time()
    async with running_node(data_dir.parent, "--data-dir", str(data_dir)) as node, trio.open_nursery() as being_there:
        assert trio.current_time() - began < FIRST_START_S
        record_property("first_start_s", trio.current_time() - began)
        ann = Person("ann", ["lobby"], [node.url])
        await being_there.start(ann.run)
        await ann.say(10)
        log = _read_log_in(data_dir)
        node.kill()
        await until(lambda: not processes_of(data_dir), LIVELY_S)
        being_there.cancel_scope.cancel(reason="the node is gone")
    assert_acknowledged_is_in(log, [ann])

    began = trio.current_time()
    async with running_node(data_dir.parent, "--data-dir", str(data_dir)) as node:
        assert trio.current_time() - began < LATER_START_S
        record_property("later_start_s", trio.current_time() - began)
        assert _read_log_in(data_dir) == log
        node.signal(signal.SIGINT)
        assert await node.ended(LIVELY_S) == 0
        assert not processes_of(data_dir)


async def test_told_to_stop_while_it_makes_its_database_it_leaves_nothing(data_dir: Path) -> None:
    with contextlib.closing(NodeProcess(data_dir.parent, "--data-dir", str(data_dir))) as node:
        await until(lambda: any("initdb" in arguments for arguments in processes_of(data_dir).values()), LIVELY_S)
        assert await node.stopped(LIVELY_S) == 0
        assert not processes_of(data_dir)


async def _talk(person: Person) -> None:
    while True:
        await person.say(1)


async def _healed(node: NodeProcess) -> float:
    """Wait until the node has started all services again; how long that took, in seconds.

    `fanout` stays degraded for longer: nobody can know that the killed node is not just cut off.
    """
    began = trio.current_time()
    await until(lambda: _has_started("PostgreSQL", node) and _has_started("Valkey", node), HEALS_S)
    while True:
        answer = await node.readyz()
        if (answer.get("postgresql"), answer.get("redis")) == ("ok", "ok"):
            return trio.current_time() - began
        await trio.sleep(0.02)


def _has_started(service: str, node: NodeProcess) -> bool:
    return f"{service} started" in node.log.read_text()


def _read_log_in(data_dir: Path) -> Lines:
    return read_log(PostgresServer(open_home(data_dir), find_postgres(), Limits()).url)
