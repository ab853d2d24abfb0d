"""Processes: starting one that dies with us, and finding those that a dead process has left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Final

from trichat.embedded.home import Account

_LAUNCHER: Final = str(Path(__file__).with_name("launch.py"))
#: All that a server gets of our environment; the rest (PGDATA, LANG and others) would change what it does.
_KEPT_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")

Arguments = list[bytes]


def spawn(
    command: Sequence[str],
    *,
    account: Account,
    death_signal: signal.Signals,
    folder: Path,
    log: int,
    stdin: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` as `account`, in a session of its own; it gets `death_signal` when we die.

    The kernel takes the death of the thread that called for ours: only the main thread may call.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("servers are started from the main thread: they would die with any other")
    ids = (os.getpid(), int(death_signal), account.uid, account.gid)
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return subprocess.Popen(  # noqa: S603  (both the launcher and the program are ours)
        [sys.executable, "-I", "-S", _LAUNCHER, *map(str, ids), *command],
        stdin=stdin or subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=environment | {"LC_ALL": "C"},
    )


def find_processes(uid: int, belongs: Callable[[Arguments], bool]) -> list[int]:
    """The living processes of the user `uid` whose arguments `belongs` takes for its own; needs no privilege."""
    return [int(entry.name) for entry in _process_entries(uid) if belongs(_arguments(entry.path))]


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Send the signal to each; those that are gone are gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _process_entries(uid: int) -> Iterable[os.DirEntry[str]]:
    with os.scandir("/proc") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # it ended while we looked
                if entry.name.isdecimal() and entry.stat().st_uid == uid:
                    yield entry


def _arguments(process: str) -> Arguments:
    """Its arguments, or its title where it has set one; nothing for a zombie."""
    with contextlib.suppress(OSError):
        return Path(process, "cmdline").read_bytes().split(b"\0")
    return [b""]
