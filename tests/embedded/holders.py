"""Starts holders (see holder.py) and looks at what they leave."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import redis

import trichat
from trichat.embedded import Account, Home
from trichat.embedded.home import first_unreachable

REPOSITORY = Path(trichat.__file__).parent.parent

#: Seconds: ten times what is typical, for what has no bound of its own.
LIVELY_S = 20.0


class Holder:
    """A process that holds the services of `data_dir`. `user`: as whom it runs, when the tests run as root.

    `temporary` is the folder for its temporary files.
    """

    def __init__(
        self, data_dir: Path, wanted: Sequence[str] = (), user: Account | None = None, *, temporary: Path
    ) -> None:
        self.began = time.monotonic()
        descriptor, name = tempfile.mkstemp(prefix="trichat-holder-", suffix=".log")
        self._log = Path(name)
        with open(descriptor, "wb") as log:
            self.process = subprocess.Popen(
                [*_as_user(user), sys.executable, "-m", "tests.embedded.holder", str(data_dir), *wanted],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=REPOSITORY,
                env=os.environ | {"TMPDIR": str(temporary)},
                start_new_session=True,
            )
        self.database_url = self.redis_url = ""

    def ready(self) -> Holder:
        """Waits until it says where its services are."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log
        self.database_url, self.redis_url = json.loads(line)
        return self

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    def end(self, number: signal.Signals) -> int:
        """Send it a signal and wait for its end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(LIVELY_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(LIVELY_S)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self._log.unlink()


def say(database_url: str, text: str) -> None:
    """Commit a row."""
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS said (text text)")
        connection.execute("INSERT INTO said VALUES (%s)", [text])


def said(database_url: str) -> list[str]:
    """The rows that were committed, or none while the server is away."""
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(database_url) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM said")]
    return []


def answers(redis_url: str) -> bool:
    """Valkey is there."""
    with contextlib.suppress(redis.ConnectionError), redis.Redis.from_url(redis_url) as client:
        return bool(client.ping())
    return False


def processes_of(data_dir: Path) -> dict[int, str]:
    """All processes, of whatever kind, in whose arguments or title the directory, or its cluster, stands."""
    found, name = {}, Home(data_dir.resolve(), Account(0, 0, None)).name
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal():
                arguments = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(data_dir) in arguments or name in arguments:
                    found[int(entry.name)] = arguments
    return found


def only(processes: dict[int, str], what: str) -> int:
    """The pid of the one process in whose arguments `what` stands."""
    (pid,) = (pid for pid, arguments in processes.items() if what in arguments)
    return pid


def within(seconds: float, condition: Callable[[], object]) -> float:
    """Wait until the condition holds; how long that took. Fails when it takes longer than `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come about in time"
        time.sleep(0.02)
    return time.monotonic() - began


def _as_user(user: Account | None) -> list[str]:
    """The command that runs another one as `user`.

    Where they cannot reach the interpreter (below /root) they get the right to read it all the same.
    """
    if user is None:
        return []
    needed = (Path(sys.executable).resolve(), Path(sys.base_prefix), Path(sys.prefix), REPOSITORY)
    shut = any(first_unreachable(path, user) for path in needed)
    right = "-all,+dac_override" if shut else "-all"
    identity = [f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups"]
    return ["setpriv", *identity, f"--inh-caps={right}", f"--ambient-caps={right}"]


ROOT = os.geteuid() == 0
SIGTERM = signal.SIGTERM
