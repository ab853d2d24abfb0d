"""Twenty simulated worlds: whatever the weather, everybody sees the log, and what was acknowledged is in it once."""

from __future__ import annotations

import pytest

from tests.chat.simulated_people import ROOMS
from tests.chat.simulation import simulate


@pytest.mark.parametrize("seed", range(20))
def test_in_every_weather_the_views_are_gapless_and_every_word_counts_once(seed: int) -> None:
    world = simulate(seed)
    assert sum(len(world.store.log_of(room)) for room in ROOMS) > 100, "they talked"


def test_the_same_seed_gives_the_same_world() -> None:
    assert simulate(3).trace == simulate(3).trace
