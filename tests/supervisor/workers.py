"""Workers without processes, for the tests of slots and crews."""

from __future__ import annotations

import itertools

import trio

from trichat.core.limits import Limits
from trichat.supervisor.slot import Slot, Worker

LIMITS = Limits(
    worker_settled_s=10, worker_deaths=5, worker_retry_s=1, worker_retry_most_s=3, drain_s=10, worker_farewell_s=5
)


class FakeWorker:
    """Serves when `serve` is called, ends when `end` is; does what it is told, or not if it is `deaf`."""

    def __init__(self, pid: int, *, deaf: bool = False) -> None:
        self.pid = pid
        self.started_at = trio.current_time()
        self.serving_since: float | None = None
        self.told = 0
        self.killed = False
        self._deaf = deaf
        self._code: int | None = None
        self._heard = trio.Event()
        self._gone = trio.Event()

    @property
    def lives(self) -> bool:
        return self._code is None

    @property
    def ending(self) -> str:
        return f"ended with {self._code}"

    def serve(self) -> None:
        self.serving_since = trio.current_time()
        self._heard.set()

    def end(self, code: int) -> None:
        self._code = code
        self._heard.set()
        self._gone.set()

    async def greeting(self, within_s: float) -> str | None:
        with trio.move_on_after(within_s):
            await self._heard.wait()
        return None if self.serving_since is None or not self.lives else f"hello from {self.pid}"

    async def ended(self) -> int:
        await self._gone.wait()
        assert self._code is not None
        return self._code

    def tell_to_stop(self, *, again: bool = False) -> None:
        if self.lives and (again or not self.told):
            self.told += 1
            if not self._deaf:
                self.end(0 if self.serving_since is not None else -15)  # no handler yet: as the kernel does it

    def kill(self) -> None:
        if self.lives:
            self.killed = True
            self.end(-9)


class Place:
    """A slot, and the workers that were started there."""

    def __init__(self, name: str = "n-1", limits: Limits = LIMITS) -> None:
        self.started: list[FakeWorker] = []
        self.renewed = 0
        self.deaf = False
        self._numbers = itertools.count(1)
        self.slot = Slot(name, limits, start=self._start, renew=self._renew)

    def _start(self) -> Worker:
        worker = FakeWorker(next(self._numbers), deaf=self.deaf)
        self.started.append(worker)
        return worker

    def _renew(self) -> None:
        self.renewed += 1
