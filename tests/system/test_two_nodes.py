"""Two nodes are one chat: whoever listens, and wherever, hears the same log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from tests.system.crowd import Observer, Person, assert_acknowledged_is_in, assert_gapless, read_log, running_nodes
from tests.wire import open_wire

ROOMS = [f"room-{n}" for n in range(10)]
OBSERVERS, SENDERS, MESSAGES = 50, 20, 5_000
#: Seconds for all of it: ten times the typical.
WITHIN_S = 80.0


async def test_everybody_on_two_nodes_hears_the_log_of_their_rooms(
    database_url: str, redis_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    flags = ["--database-url", database_url, "--redis-url", redis_url, "--redis-prefix", "two-nodes"]
    async with (
        running_nodes(tmp_path, [*flags, "--node-id", "a"], [*flags, "--node-id", "b"]) as nodes,
        AsyncExitStack() as stack,
        trio.open_nursery() as being_there,
    ):
        observers = []
        for n in range(OBSERVERS):
            # each room has eight to twelve observers, half of them on each node
            wire = await stack.enter_async_context(open_wire(nodes[n % 2].port))
            observers.append(Observer(wire, [ROOMS[n // 2 % 10], ROOMS[(n // 2 + 1) % 10]]))
            await observers[-1].join()
        senders = []
        for n in range(SENDERS):
            # each room has four senders, two of them on each node
            rooms = [ROOMS[n // 2], ROOMS[(n // 2 + 3) % 10]]
            senders.append(Person(f"sender-{n}", rooms, [nodes[n % 2].url]))
            await being_there.start(senders[-1].run)

        began = trio.current_time()
        with trio.fail_after(WITHIN_S):
            async with trio.open_nursery() as nursery:
                for observer in observers:
                    nursery.start_soon(observer.listen, 2 * MESSAGES // len(ROOMS))
                for sender in senders:
                    nursery.start_soon(sender.say, MESSAGES // SENDERS)
        record_property("traffic_s", trio.current_time() - began)
        being_there.cancel_scope.cancel(reason="all was said")

    log = read_log(database_url)
    assert {room: len(said) for room, said in log.items()} == dict.fromkeys(ROOMS, MESSAGES // len(ROOMS))
    assert_gapless(log)
    assert_acknowledged_is_in(log, senders)
    for observer in observers:
        assert observer.heard == {room: log[room] for room in observer.heard}
