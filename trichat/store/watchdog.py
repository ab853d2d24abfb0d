"""The watchdog: it cuts the connection of whatever call overruns, so that no thread hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trichat.store.connection import Connection

#: Seconds between its looks: how much longer than its limit a call may take.
PERIOD_S: Final = 0.05


class Watchdog:
    """Looks at the calls in progress and severs the connection of each that is past its deadline.

    A stopped PostgreSQL or a dead link leaves a thread in poll() for ever, whatever Trio cancels. It is a thread
    itself, not a task, because it must go on while all tasks are being cancelled.
    """

    def __init__(self) -> None:
        self._deadlines: dict[Connection, float] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    @contextmanager
    def guarding(self, connection: Connection, deadline: float) -> Iterator[None]:
        """In this block `connection` is severed once time.monotonic() is past `deadline`; never after it."""
        with self._lock:
            self._deadlines[connection] = deadline
        try:
            yield
        finally:
            with self._lock:
                del self._deadlines[connection]

    @contextmanager
    def on_duty(self) -> Iterator[None]:
        """It watches during this block."""
        thread = threading.Thread(target=self._watch, name="trichat store watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(PERIOD_S):
            now = time.monotonic()
            with self._lock:
                for connection, deadline in self._deadlines.items():
                    if now >= deadline:
                        connection.sever()
