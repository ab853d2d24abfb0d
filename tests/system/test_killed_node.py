"""A node that is killed in full traffic: nothing acknowledged is lost, nothing counts twice, nobody misses anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import trio

from tests.nodes import NodeProcess
from tests.system.crowd import (
    Person,
    assert_acknowledged_is_in,
    assert_gapless,
    cids,
    members_are,
    read_log,
    running_nodes,
    until,
)
from tests.wire import open_wire

ROOMS = [f"room-{n}" for n in range(10)]
SENDERS, OBSERVERS, MESSAGES = 20, 10, 5_000
#: Seconds for all messages and for hearing them: ten times the typical.
WITHIN_S = 100.0
#: Seconds after which nobody counts who was at the killed node (rule 7 of the design).
PRESENCE_S = 15.0


async def test_nothing_acknowledged_is_lost_and_everybody_goes_on_at_the_other_node(
    database_url: str, redis_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    flags = ["--database-url", database_url, "--redis-url", redis_url, "--redis-prefix", "killed-node"]
    async with (
        running_nodes(tmp_path, [*flags, "--node-id", "a"], [*flags, "--node-id", "b"]) as (a, b),
        open_wire(a.port) as homebody,  # knows only the node that dies
        trio.open_nursery() as being_there,
    ):
        await homebody.send_json({"type": "join", "room": ROOMS[0]})
        people = [_person(n, a, b) for n in range(SENDERS + OBSERVERS)]
        for person in people:
            await being_there.start(person.run)
        senders, (fickle, *others) = people[:SENDERS], people[:SENDERS:2]
        assert fickle.nodes == others[0].nodes == ["a"]

        with trio.fail_after(WITHIN_S):
            async with trio.open_nursery() as talk:
                given_up = await talk.start(_say_until_given_up, fickle)
                for sender in senders[1:]:
                    talk.start_soon(_say_all, sender)
                await until(lambda: sum(len(sender.acked) for sender in senders) > MESSAGES // 3, WITHIN_S)
                a.kill()
                killed_at = trio.current_time()
                given_up.cancel(reason="does not send again what was lost")
        record_property("rest_of_traffic_s", trio.current_time() - killed_at)

        log = read_log(database_url)
        await until(lambda: all(person.has_heard(log) for person in people), WITHIN_S)
        with trio.fail_after(PRESENCE_S - (trio.current_time() - killed_at)):
            await members_are(people, people[-1].client)
        record_property("presence_s", trio.current_time() - killed_at)
        being_there.cancel_scope.cancel(reason="all was said and heard")

    assert_gapless(log)
    assert_acknowledged_is_in(log, people)
    assert set(cids(log)) <= {cid for sender in senders for cid in sender.sent}
    for sender in senders[1:]:
        assert len(sender.acked) == MESSAGES // SENDERS
    for n, person in enumerate(people):
        assert person.nodes == (["a", "b"] if n % 2 == 0 else ["b"])
        assert person.heard == {room: log[room] for room in person.rooms}


def _person(n: int, a: NodeProcess, b: NodeProcess) -> Person:
    """Even ones begin at the node `a`, odd ones at `b`; two rooms each."""
    first, second = (a, b) if n % 2 == 0 else (b, a)
    return Person(f"person-{n}", [ROOMS[n // 2 % 10], ROOMS[(n // 2 + 3) % 10]], [first.url, second.url])


async def _say_all(sender: Person) -> None:
    await sender.say(MESSAGES // SENDERS, at_once=3)


async def _say_until_given_up(
    sender: Person, *, task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED
) -> None:
    """Never done before it is given up: some of its messages stay without an answer."""
    with trio.CancelScope() as scope:
        task_status.started(scope)
        await sender.say(MESSAGES, at_once=10)
