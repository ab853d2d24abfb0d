"""Two nodes that were given one name by mistake: they are told apart by their incarnation, never by the name."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import trio

from tests.system.crowd import Person, members_are, read_log, running_nodes, until

#: Seconds for news to come from one node to the other: half of what it may take when only the heads are looked at.
LIVELY_S = 1.0


async def test_two_nodes_of_one_name_hear_each_other_both_ways(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    flags = ["--database-url", database_url, "--redis-url", redis_url, "--redis-prefix", "same-id", "--node-id", "same"]
    async with running_nodes(tmp_path, flags, flags) as (first, second), trio.open_nursery() as being_there:
        ann, bob = Person("ann", ["lobby"], [first.url]), Person("bob", ["lobby"], [second.url])
        for person in (ann, bob):
            await being_there.start(person.run)
        assert ann.nodes == bob.nodes == ["same"]

        for speaker in [ann, bob] * 5:
            told = len(ann.acked) + len(bob.acked)
            await speaker.say(1)
            await until(partial(_both_have_heard, ann, bob, told + 1), LIVELY_S)
        assert ann.heard == bob.heard == read_log(database_url)
        assert (await first.readyz())["fanout"] == (await second.readyz())["fanout"] == "ok"

        with trio.fail_after(20 * LIVELY_S):  # recorded every half second, looked at every two
            await members_are([ann, bob], bob.client)
        being_there.cancel_scope.cancel(reason="all was said and heard")


def _both_have_heard(ann: Person, bob: Person, count: int) -> bool:
    return len(ann.heard["lobby"]) == len(bob.heard["lobby"]) == count
