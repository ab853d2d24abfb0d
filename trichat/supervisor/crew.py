"""All slots together: started at once, kept, replaced one by one, and stopped at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import trio

from trichat.core.limits import Limits
from trichat.supervisor.slot import Slot, Worker

log = logging.getLogger("trichat.supervisor")


class Crew:
    """The slots of one port. When `run` has returned, or raised, no worker is left."""

    def __init__(self, limits: Limits, close_ports: Callable[[], None]) -> None:
        """`close_ports` closes the supervisor's own sockets, so that who comes while all stop is refused."""
        self._limits = limits
        self._close_ports = close_ports
        self._told = trio.Event()  # to stop
        self._roll_wanted, self._rolls = trio.open_memory_channel[None](1)  # full: one is wanted already
        self._patience = trio.CancelScope(shield=True)  # with workers that are to end
        self.slots: Sequence[Slot] = ()
        self.cut_off = False

    async def run(self, slots: Sequence[Slot]) -> None:
        """Keep a node in each slot until told to stop. Raises WorkersUnusable when that cannot be."""
        self.slots = slots
        try:
            async with trio.open_nursery() as keeping:
                keeping.start_soon(self._keep)
                await self._told.wait()
                keeping.cancel_scope.cancel(reason="told to stop")
        finally:
            await self._end_all()

    def stop(self) -> None:
        """Stop all in order; when that was said before, at once."""
        if self._told.is_set():
            self._patience.deadline = trio.current_time() + self._limits.worker_farewell_s
            for worker in self._workers():
                worker.tell_to_stop(again=True)
        self._told.set()

    def roll(self) -> None:
        """Replace all, one after the other. Told while that is going on, it is done once more."""
        try:
            self._roll_wanted.send_nowait(None)
        except trio.WouldBlock:
            log.info("to be replaced once more already")

    def serving(self) -> int | None:
        """The number of a slot, from 0, whose node lives."""
        return next((number for number, slot in enumerate(self.slots) if slot.serves), None)

    async def _keep(self) -> None:
        greetings = dict.fromkeys(self.slots, "")

        async def open_one(slot: Slot) -> None:
            greetings[slot] = await slot.open()

        async with trio.open_nursery() as opening:
            for slot in self.slots:
                opening.start_soon(open_one, slot)
        print(greetings[self.slots[0]], flush=True)  # the first one's: its port for operators stands in it
        async with trio.open_nursery() as keeping:
            for slot in self.slots:
                keeping.start_soon(slot.keep)
            keeping.start_soon(self._roll_when_wanted)

    async def _roll_when_wanted(self) -> None:
        async for _ in self._rolls:
            log.info("replacing all workers, one after the other")
            for slot in self.slots:
                if not await slot.replace():
                    log.error("the other workers are not replaced")
                    break
            else:
                log.info("all workers are replaced")

    async def _end_all(self) -> None:
        """Drain all at once. `drain_s` holds for all together; shielded, and limited in any case."""
        self._close_ports()
        workers = self._workers()
        for worker in workers:
            worker.tell_to_stop()
        self._patience.deadline = trio.current_time() + self._limits.drain_s + self._limits.worker_farewell_s
        with self._patience:
            for worker in workers:
                code = await worker.ended()
                # one that did not serve yet has nobody to say goodbye to, however it ends
                self.cut_off |= code != 0 and worker.serving_since is not None
        for worker in workers:
            if worker.lives:
                log.error("did not stop in time, and is killed", extra={"pid": worker.pid})
                self.cut_off = True
                worker.kill()
        with trio.CancelScope(shield=True):  # a killed process ends
            for worker in workers:
                await worker.ended()

    def _workers(self) -> list[Worker]:
        return [worker for slot in self.slots for worker in slot.workers if worker.lives]
