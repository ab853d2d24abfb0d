"""Waiting for what must come true, instead of for a time."""

from __future__ import annotations

from collections.abc import Callable

import trio


async def until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Returns soon after `condition` holds. Raises trio.TooSlowError when it does not within `within_s`."""
    with trio.fail_after(within_s):
        while not condition():  # noqa: ASYNC110  # what is waited for belongs to others, who set no event
            await trio.sleep(0.002)
