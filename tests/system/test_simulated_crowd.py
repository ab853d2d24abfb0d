"""A virtual hour of a crowd: each sees its rooms as the log has them, and what was acknowledged is in the log."""

from __future__ import annotations

from typing import Final

import pytest
from trio.testing import MockClock

from tests.chat.simulation import deterministic
from tests.system.simulated_crowd import LIMITS, World

#: Another seed is another hour.
SEED: Final = 2026


@pytest.mark.slow
async def test_200_people_talk_for_an_hour_in_20_rooms_over_two_nodes_in_all_weathers(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    print(f"seed {SEED}")  # pytest shows it when the test fails
    with deterministic(SEED):
        world = World(SEED)
        await world.run()
    assert sum(person.words for person in world.people) == pytest.approx(36_000, rel=0.01)
    assert {4101, 4104} <= world.goodbyes.keys(), "some were slow, some silent"
    assert world.gaps, "some were away for long"
    assert world.losses > 1_000
    # news that is lost in silence is found by the next look at the heads
    assert world.latest_s < LIMITS.heads_slow_s + 0.5
    assert not [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
