"""How long something lasts, as people say it."""

from __future__ import annotations

import pytest

from trichat.core.durations import in_words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (0.5, "0.5 seconds"),
        (300, "5 minutes"),
        (3_600, "1 hour"),
        (5_400, "90 minutes"),
        (86_400, "24 hours"),
        (172_800, "48 hours"),
        (604_800.0, "7 days"),
        (315_360_000, "3,650 days"),
    ],
)
def test_the_longest_unit_that_leaves_nothing_over(seconds: float, said: str) -> None:
    assert in_words(seconds) == said
