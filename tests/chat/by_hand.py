"""A run of Trio of which every step is taken from outside, so that synchronous code can be its driver.

Between two calls nothing moves and no time passes; during a call the clock jumps whenever everybody waits. The same
seed and the same calls give the same run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

import trio
from outcome import Outcome, acapture
from trio.testing import MockClock

from tests.chat.simulation import deterministic

T = TypeVar("T")


class ByHand:
    """`call` runs an async function to its end, in a task of the run."""

    def __init__(self) -> None:
        self._steps: deque[Callable[[], object]] = deque()
        self._send, self._asked = trio.open_memory_channel[Callable[[], Awaitable[None]]](1)
        self._token: trio.lowlevel.TrioToken | None = None
        self.ended: Outcome[None] | None = None

    def call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """What `function` returns or raises. Raises what the run ended with, when it ends."""
        answers: list[Outcome[T]] = []

        async def answer() -> None:
            answers.append(await acapture(function, *args))

        assert self._token is not None
        self._token.run_sync_soon(self._send.send_nowait, answer)
        self._step_until(lambda: bool(answers) or self.ended is not None)
        if not answers:
            assert self.ended is not None
            self.ended.unwrap()
            raise AssertionError("the run has ended")
        return answers[0].unwrap()

    def start(self, background: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        """Begin; returns when `background` is entered. It is left when the run is closed."""
        trio.lowlevel.start_guest_run(
            self._main,
            background,
            run_sync_soon_threadsafe=self._steps.append,
            done_callback=self._end,
            clock=MockClock(autojump_threshold=0),
            host_uses_signal_set_wakeup_fd=True,
        )
        self._step_until(lambda: self._token is not None or self.ended is not None)
        if self.ended is not None:
            self.ended.unwrap()

    def close(self) -> None:
        """End the run. Raises what it ended with."""
        if self.ended is None:
            assert self._token is not None
            self._token.run_sync_soon(self._send.close)
            self._step_until(lambda: self.ended is not None)
        assert self.ended is not None
        self.ended.unwrap()

    async def _main(self, background: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        async with background():
            self._token = trio.lowlevel.current_trio_token()
            async for asked in self._asked:
                await asked()

    def _end(self, outcome: Outcome[None]) -> None:
        self.ended = outcome

    def _step_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._steps.popleft()()


@contextmanager
def run_by_hand(seed: int, background: Callable[[], AbstractAsyncContextManager[None]]) -> Generator[ByHand]:
    """A run beside `background`; deterministic."""
    with deterministic(seed):
        run = ByHand()
        run.start(background)
        try:
            yield run
        finally:
            run.close()
