"""Two nodes, restarted one after the other under 500 clients: nothing is lost or doubled, nobody is away for long."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from tests.nodes import NodeProcess, running_node
from tests.system.crowd import Person, assert_acknowledged_is_in, assert_gapless, read_log, until

CLIENTS, ROOMS, SPEAKERS = 500, 25, 50
#: Seconds without a connection, at most (issue 5).
OFFLINE_S = 3.0
#: Seconds for whatever must happen in the end: ten times the typical.
WITHIN_S = 60.0


@pytest.mark.slow
async def test_a_rolling_restart_of_two_nodes_is_hardly_noticed_by_five_hundred_clients(
    database_url: str, redis_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    flags = ["--database-url", database_url, "--redis-url", redis_url, "--redis-prefix", "rolling", "--node-id"]
    async with AsyncExitStack() as running:
        a, b = [await running.enter_async_context(running_node(tmp_path, *flags, name)) for name in "ab"]
        people = [_person(n, a, b) for n in range(CLIENTS)]
        speakers, silence = people[:SPEAKERS], trio.Event()
        async with trio.open_nursery() as being_there:
            for person in people:
                await being_there.start(person.run)
            async with trio.open_nursery() as talking:
                for speaker in speakers:
                    talking.start_soon(_talk, speaker, silence)
                await _all_have_spoken(speakers)
                for name, old in (("a", a), ("b", b)):
                    there = [(person, len(person.nodes)) for person in people if person.nodes[-1] == name]
                    assert len(there) >= CLIENTS // 2
                    assert await old.stopped(WITHIN_S) == 0
                    await running.enter_async_context(running_node(tmp_path, *flags, name, port=old.port))
                    await _all_are_back(there)
                await _all_have_spoken(speakers)
                silence.set()
            log = read_log(database_url)
            await until(lambda: all(person.has_heard(log) for person in people), WITHIN_S)
            being_there.cancel_scope.cancel(reason="all was said and heard")

    absences = sorted(absence for person in people for absence in person.absences)
    assert len(absences) >= CLIENTS, "everybody has lost a node"
    record_property("absence_p50_s", absences[len(absences) // 2])
    record_property("absence_most_s", absences[-1])
    assert absences[-1] < OFFLINE_S
    assert_gapless(log)
    assert_acknowledged_is_in(log, people)
    for person in people:
        assert person.heard == {room: log[room] for room in person.rooms}


def _person(n: int, a: NodeProcess, b: NodeProcess) -> Person:
    """Even ones begin at the node `a`, odd ones at `b`; one room each, in which both kinds are."""
    first, second = (a, b) if n % 2 == 0 else (b, a)
    return Person(f"person-{n}", [f"room-{n // 2 % ROOMS}"], [first.url, second.url])


async def _talk(speaker: Person, silence: trio.Event) -> None:
    """Until `silence`; then all that was said is answered."""
    while not silence.is_set():
        await speaker.say(1)
        await trio.sleep(0.4)  # a person's pace, not a wait for anything


async def _all_are_back(there: list[tuple[Person, int]]) -> None:
    """Wait until each has been connected more often than that."""
    await until(lambda: all(len(person.nodes) > count for person, count in there), WITHIN_S)


async def _all_have_spoken(speakers: list[Person]) -> None:
    """Wait until each has said one more thing, and heard the ack."""
    before = [len(speaker.acked) for speaker in speakers]
    await until(lambda: all(len(s.acked) > n for s, n in zip(speakers, before, strict=True)), WITHIN_S)
