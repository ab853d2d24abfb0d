"""PostgreSQL and Valkey for the tests: real ones, which can be killed, paused and restarted.

They die with the test run, also when that is killed: the kernel sees to it (see trichat/embedded/launch.py).
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from trichat import embedded
from trichat.core.limits import Limits
from trichat.embedded.processes import signal_all
from trichat.embedded.programs import PostgresPrograms, postgres_at

#: An installation of PostgreSQL to test with instead of the wheel's, e.g. /usr/lib/postgresql/15.
POSTGRES_ROOT = "TRICHAT_TEST_POSTGRES"


def postgres_programs() -> PostgresPrograms:
    """The PostgreSQL that the tests run with."""
    root = os.environ.get(POSTGRES_ROOT)
    return postgres_at(Path(root)) if root else embedded.find_postgres()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TestServer:
    """One server in a temporary directory that goes with it. Use it in `with`: it starts, and stops at the end."""

    __test__ = False
    server: embedded.Server

    def __init__(self) -> None:
        # not pytest's tmp_path: its parents are closed to the lesser user that the servers run as under root
        self.directory = Path(tempfile.mkdtemp(prefix="trichat-test-"))
        self.home = embedded.open_home(self.directory)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        """Start it; returns when it answers."""
        embedded.finish(self.server.starting())

    def stop(self) -> None:
        """Stop it in order, also when it is paused; clients are disconnected."""
        self.resume()
        embedded.finish(self.server.stopping())

    def restart(self) -> None:
        """Stop it in order if it runs, and start it again at the same address."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL to all its processes at once; returns when they are gone."""
        self.server.kill()

    def pause(self) -> None:
        """SIGSTOP to all its processes: connections stay, nothing answers."""
        signal_all(sorted(self.server.pids()), signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to all its processes."""
        signal_all(self.server.pids(), signal.SIGCONT)


class PostgresServer(TestServer):
    """A PostgreSQL on a Unix socket and on a port of 127.0.0.1, with fsync unless `settings` say otherwise."""

    server: embedded.PostgresServer

    def __init__(self, settings: Mapping[str, str] | None = None, programs: PostgresPrograms | None = None) -> None:
        super().__init__()
        self.port = free_port()
        self.server = embedded.PostgresServer(
            self.home, programs or postgres_programs(), Limits(), tcp_port=self.port, settings=settings
        )
        self._numbers = itertools.count(1)

    def url(self, database: str = "postgres") -> str:
        """Through the Unix socket."""
        return self.server.url_of(database)

    def tcp_url(self, database: str = "postgres", port: int | None = None) -> str:
        """Through 127.0.0.1; `port` is that of a proxy before it."""
        return f"postgresql://trichat@127.0.0.1:{port or self.port}/{database}"

    def create_database(self) -> str:
        """The name of a new, empty database (15 ms)."""
        name = f"t{next(self._numbers)}_{secrets.token_hex(3)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def drop_database(self, name: str) -> None:
        """Disconnects who is still there."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def backends(self, database: str) -> list[int]:
        """The pids of those that serve clients of `database`."""
        rows = self.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s ORDER BY pid", database)
        return [int(str(pid)) for (pid,) in rows]

    def terminate_backend(self, pid: int) -> None:
        """Disconnect one client (pg_terminate_backend); returns when its process is gone."""
        assert self.execute("SELECT pg_terminate_backend(%s, 5000)", pid) == [(True,)]

    def kill_backend(self, pid: int) -> None:
        """SIGKILL to one backend: PostgreSQL then disconnects everybody and recovers by itself."""
        assert pid in self.server.pids()
        os.kill(pid, signal.SIGKILL)

    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run one statement on a connection of its own, in the database `postgres`."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


class ValkeyServer(TestServer):
    """A Valkey on a port of 127.0.0.1 and on a Unix socket; empty after each start."""

    server: embedded.ValkeyServer

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.server = embedded.ValkeyServer(self.home, embedded.find_valkey(), Limits(), tcp_port=self.port)

    @property
    def url(self) -> str:
        """Through 127.0.0.1."""
        return self.tcp_url()

    @property
    def unix_url(self) -> str:
        return self.server.url

    def tcp_url(self, port: int | None = None) -> str:
        """Through 127.0.0.1; `port` is that of a proxy before it."""
        return f"redis://127.0.0.1:{port or self.port}/0"
