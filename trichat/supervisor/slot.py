"""A slot: the place of one node among those of a port. Its process comes and goes, one node is always there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import trio

from trichat.core.limits import Limits

log = logging.getLogger("trichat.supervisor")


class WorkersUnusable(Exception):
    """Workers cannot be run here. The message is for the operator, beside what the worker itself has said."""


class NotServing(Exception):
    """A worker that was started does not serve; says how it ended."""


class Worker(Protocol):
    """A process that serves, or will, or has: see process.py."""

    @property
    def pid(self) -> int: ...

    @property
    def lives(self) -> bool: ...

    @property
    def ending(self) -> str:
        """How it ended, for people."""

    @property
    def serving_since(self) -> float | None:
        """On Trio's clock; None: not yet."""

    async def greeting(self, within_s: float) -> str | None:
        """What it says once it serves; None when it has ended before, or does not serve in time."""

    async def ended(self) -> int:
        """Its exit code, when it has one."""

    def tell_to_stop(self, *, again: bool = False) -> None:
        """To stop in order; who was told already is told once more, to stop at once, only if `again`."""

    def kill(self) -> None: ...


class Slot:
    """Keeps one node. Whatever a worker does raises nothing here but WorkersUnusable."""

    def __init__(self, name: str, limits: Limits, *, start: Callable[[], Worker], renew: Callable[[], None]) -> None:
        """`start` starts a worker, `renew` gives those to come new sockets; both may raise OSError."""
        self.name = name
        self._limits = limits
        self._start_worker = start
        self._renew = renew
        self._changing = trio.Lock()  # held while a successor is being started
        self._current: Worker | None = None
        self._deaths = 0  # at once, in a row
        self.workers: list[Worker] = []  # those that may live; mostly one, two during a replacement

    @property
    def serves(self) -> bool:
        return self._current is not None and self._current.lives

    async def open(self) -> str:
        """Start the node; its greeting. Raises WorkersUnusable when it does not come up, as a node alone would end."""
        try:
            self._current, greeting = await self._start()
        except NotServing as failure:
            raise WorkersUnusable(f"{self.name} {failure}") from failure
        return greeting

    async def keep(self) -> None:
        """Start the node again whenever it dies, until cancelled. Raises WorkersUnusable when it cannot be kept."""
        while True:
            worker = self._current
            assert worker is not None
            await worker.ended()
            async with self._changing:
                if worker is self._current:
                    await self._start_again(worker)

    async def replace(self) -> bool:
        """Start a successor on the same sockets and, once it serves, drain the node. False: it goes on, nobody came."""
        async with self._changing:
            predecessor = self._current
            try:
                self._current, _ = await self._start()
            except NotServing as failure:
                log.error("the successor does not serve", extra={"node": self.name, "ending": str(failure)})  # noqa: TRY400
                return False
        if predecessor is not None:
            await self._let_go(predecessor)
        return True

    async def _start(self) -> tuple[Worker, str]:
        """A worker that serves, and its greeting. Raises NotServing."""
        try:
            worker = self._start_worker()
        except OSError as error:
            raise NotServing(f"cannot be started: {error}") from error
        self.workers = [*(known for known in self.workers if known.lives), worker]
        log.info("started", extra={"node": self.name, "pid": worker.pid})
        greeting = await worker.greeting(self._limits.worker_start_s)
        if greeting is None:
            worker.kill()
            await worker.ended()
            raise NotServing(worker.ending)
        return worker, greeting

    async def _start_again(self, dead: Worker) -> None:
        lived_s = trio.current_time() - (dead.serving_since or trio.current_time())
        if lived_s > self._limits.worker_settled_s:
            self._deaths = 0
        ending = dead.ending
        self._try_to_renew()
        while True:
            self._deaths += 1
            if self._deaths >= self._limits.worker_deaths:
                raise WorkersUnusable(f"{self.name} has died {self._deaths} times in a row, at once: the last {ending}")
            pause = self._pause_s()
            log.error("died", extra={"node": self.name, "ending": ending, "again_in_s": pause})
            await trio.sleep(pause)
            try:
                self._current, _ = await self._start()
            except NotServing as failure:
                ending = str(failure)
            else:
                return

    def _pause_s(self) -> float:
        """Nothing before the first restart: it is sooner there than clients have come back elsewhere."""
        if self._deaths == 1:
            return 0.0
        return min(self._limits.worker_retry_s * 2.0 ** (self._deaths - 2), self._limits.worker_retry_most_s)

    def _try_to_renew(self) -> None:
        try:
            self._renew()
        except OSError as error:
            log.warning("the old sockets stay: %s", error, extra={"node": self.name})

    async def _let_go(self, worker: Worker) -> None:
        worker.tell_to_stop()
        with trio.move_on_after(self._limits.drain_s + self._limits.worker_farewell_s):
            await worker.ended()
        if worker.lives:
            log.error("did not stop in time, and is killed", extra={"node": self.name, "pid": worker.pid})
            worker.kill()
            await worker.ended()
