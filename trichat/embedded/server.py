"""One server process: started, asked whether it answers, watched, stopped. Knows no Trio.

What takes time is a generator that yields wherever it has to wait: `finish` runs it with sleeps of a thread,
`services.py` with sleeps of Trio. Each has limits of its own and ends by itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import IO, ClassVar, Final, TypeVar

from trichat.core.limits import Limits
from trichat.embedded.errors import EmbeddedUnusable
from trichat.embedded.home import Home
from trichat.embedded.processes import Arguments, find_processes, signal_all, spawn

T = TypeVar("T")
Waiting = Generator[None, None, T]

#: Seconds between two looks at something that is waited for.
LOOK_S: Final = 0.01
#: Seconds for a killed process to be gone, and for a server to answer one question; typically 1 ms.
MOMENT_S: Final = 1.0
#: Lines of a server's log that are told when it fails.
_TOLD_LINES: Final = 12

log = logging.getLogger("trichat.embedded")


def finish(waiting: Waiting[T]) -> T:
    """Run `waiting` to its end in this thread."""
    while True:
        try:
            next(waiting)
        except StopIteration as end:
            result: T = end.value
            return result
        time.sleep(LOOK_S)


class Server(ABC):
    """A server in a data directory. Only who holds the directory's lock `<name>.lock` may start it."""

    name: ClassVar[str]  # of its files in the data directory
    title: ClassVar[str]  # for people
    stop_signal: ClassVar[signal.Signals]  # asks for an orderly end, also at our own death

    def __init__(self, home: Home, limits: Limits) -> None:
        self.home = home
        self.limits = limits
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    @abstractmethod
    def socket(self) -> Path:
        """The Unix socket that it listens on."""

    @property
    def log_file(self) -> Path:
        return self.home.path / f"{self.name}.log"

    @property
    def running(self) -> bool:
        """We have started it and it lives. Reaps it when it has ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, for people."""
        code = self._child.poll() if self._child is not None else None
        if code is None:
            return "does not run"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def pids(self) -> list[int]:
        """All processes of this server that live, whoever has started them."""
        return find_processes(self.home.account.uid, self._belongs)

    def starting(self) -> Waiting[None]:
        """Start the server; done when it answers. Ends first what a dead owner has left.

        Raises EmbeddedUnusable, with the end of the server's log, when it does not come up.
        """
        began, again = time.monotonic(), self._child is not None
        with self._translating():
            yield from self._clear(patience=0 if again else self.limits.embedded_stop_s)
            yield from self._prepare()
            self._child = self._spawn(self._command(), self.stop_signal)
            yield from self._until_it_answers()
        log.info("%s started in %.2f s, its log is %s", self.title, time.monotonic() - began, self.log_file)

    def answering(self) -> Waiting[bool]:
        """Ask it once. False when it is not there, not ready, or silent for MOMENT_S."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as link:
            link.setblocking(False)
            link.connect(str(self.socket))
            link.sendall(self._question())
            give_up = time.monotonic() + MOMENT_S
            while time.monotonic() < give_up:
                with contextlib.suppress(BlockingIOError):
                    return self._is_ready(link.recv(256))
                yield
        return False

    def stopping(self) -> Waiting[None]:
        """Stop the server that we have started: in order, or after `limits.embedded_stop_s` by force."""
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            child.send_signal(self.stop_signal)
            if not (yield from until(lambda: child.poll() is not None, self.limits.embedded_stop_s)):
                log.warning("%s did not stop in %g s and is killed", self.title, self.limits.embedded_stop_s)
        yield from self._clear(patience=0)
        self.home.remove_socket_folder()
        self._child = None
        log.info("%s stopped", self.title)

    def kill(self) -> None:
        """SIGKILL to all its processes, and wait for their end; it is still ours, and `starting` starts it again."""
        finish(until(self._killed, MOMENT_S))

    @abstractmethod
    def _belongs(self, arguments: Arguments) -> bool:
        """A process with these arguments, or this title, is one of this server's."""

    @abstractmethod
    def _prepare(self) -> Waiting[None]:
        """Make what the server needs before it can start."""

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _question(self) -> bytes: ...

    @abstractmethod
    def _is_ready(self, answer: bytes) -> bool: ...

    @abstractmethod
    def _remove_traces(self) -> None:
        """Remove the files that a killed server leaves and that would mislead the next; none of its processes lives."""

    def _clear(self, *, patience: float) -> Waiting[None]:
        """End all of its processes and remove their traces. An old owner's server has `patience` seconds to end."""
        if patience and (left := self.pids()):
            log.warning("%s is still here from before (pid %d): waiting for its end", self.title, min(left))
            signal_all(left, self.stop_signal)
            yield from until(lambda: not self.pids(), patience)
        if not (yield from until(self._killed, MOMENT_S)):
            raise EmbeddedUnusable(f"{self.title} cannot be killed: its processes are {self.pids()}")
        self._remove_traces()

    def _killed(self) -> bool:
        """Kill what is left of it; says whether nothing is."""
        left = self.pids()
        signal_all(left, signal.SIGKILL)
        if self.running and self._child is not None:
            self._child.kill()  # it may not be among them while it is being launched
        return not left and not self.running

    def _spawn(
        self, command: Sequence[str], death_signal: signal.Signals, stdin: IO[bytes] | None = None
    ) -> subprocess.Popen[bytes]:
        descriptor = self._open_log()
        try:
            return spawn(
                command,
                account=self.home.account,
                death_signal=death_signal,
                folder=self.home.path,
                log=descriptor,
                stdin=stdin,
            )
        finally:
            os.close(descriptor)

    def _open_log(self) -> int:
        if self.log_file.exists() and self.log_file.stat().st_size > self.limits.embedded_log_bytes:
            self.log_file.rename(self.log_file.with_suffix(".log.old"))
        descriptor = self.home.open_file(self.log_file.name)
        self._log_start = os.fstat(descriptor).st_size
        return descriptor

    def _until_it_answers(self) -> Waiting[None]:
        give_up = time.monotonic() + self.limits.embedded_start_s
        while not (yield from self.answering()):
            if not self.running:
                raise EmbeddedUnusable(f"{self.title} {self.ending} when it was started.{self._log_end()}")
            if time.monotonic() > give_up:
                raise EmbeddedUnusable(f"{self.title} does not answer on {self.socket}.{self._log_end()}")
            yield

    def _log_end(self) -> str:
        with self.log_file.open("rb") as file:
            file.seek(self._log_start)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join((f" The end of {self.log_file}:", *(f"  {line}" for line in lines[-_TOLD_LINES:])))

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EmbeddedUnusable(f"{self.title} cannot be started in {self.home.path}: {error}") from error


def until(done: Callable[[], bool], patience: float) -> Waiting[bool]:
    """Wait until `done`, at most `patience` seconds; says which."""
    give_up = time.monotonic() + patience
    while not done():
        if time.monotonic() > give_up:
            return False
        yield
    return True
