"""One worker process, as its supervisor sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

import trichat
from trichat.settings import Settings
from trichat.supervisor.order import Order

#: Bytes of a greeting, which has some 300.
_GREETING_BYTES: Final = 65_536
#: Where trichat is imported from; a worker finds it there too, wherever the supervisor was started.
_ROOT: Final = str(Path(trichat.__file__).parent.parent)


class WorkerProcess:
    """A process that was started. Whoever has started it sees to its end, and asks for it, which reaps it."""

    def __init__(self, process: subprocess.Popen[bytes], ready: int) -> None:
        self._process = process
        self._ready = trio.lowlevel.FdStream(ready)
        self._told = False
        self.serving_since: float | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, for people."""
        code = self._process.returncode
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    async def greeting(self, within_s: float) -> str | None:
        """What it says once it serves; None when it has ended before, or does not serve in time."""
        said = b""
        async with self._ready:
            with trio.move_on_after(within_s) as clock:
                while len(said) < _GREETING_BYTES and (more := await self._ready.receive_some()):
                    said += more
        if clock.cancelled_caught or not said:
            return None
        self.serving_since = trio.current_time()
        return said.decode(errors="replace")

    async def ended(self) -> int:
        """Its exit code, when it has one; reaps it. Many may ask."""
        while (code := self._process.poll()) is None:
            watched = os.pidfd_open(self._process.pid)
            try:
                await trio.lowlevel.wait_readable(watched)
            finally:
                os.close(watched)
        return code

    def tell_to_stop(self, *, again: bool = False) -> None:
        """To stop in order; who was told already is told once more, to stop at once, only if `again`."""
        if self.lives and (again or not self._told):
            self._told = True
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.lives:
            self._process.kill()


def start_worker(
    settings: Settings,
    who: str,
    *,
    upgrades: bool,
    listeners: Sequence[socket.socket],
    operators: Sequence[socket.socket],
) -> WorkerProcess:
    """Start a node on these sockets; `upgrades`: it brings the database to its own version.

    Only the main thread may call: with any other the worker would die too.

    Raises OSError when the system has no room for it.
    """
    heard, said = os.pipe()
    try:
        order = Order(
            settings=settings,
            who=who,
            upgrades=upgrades,
            supervisor=os.getpid(),
            ready=said,
            listeners=[sock.fileno() for sock in listeners],
            operators=[sock.fileno() for sock in operators],
        )
        process = _spawn(settings.node_id, (said, *order.listeners, *order.operators))
    except OSError:
        os.close(heard)
        raise
    finally:
        os.close(said)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:  # it died: its end says more
        process.stdin.write(order.encode())
    return WorkerProcess(process, heard)


def _spawn(name: str, descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C in a terminal is for the supervisor alone."""
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), _ROOT)))
    return subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-P", "-m", "trichat.supervisor.worker", name],
        stdin=subprocess.PIPE,
        pass_fds=descriptors,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": path},
    )
