"""A node that pages come from, which can be killed and started again at the same place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from tests.nodes import NodeProcess
from tests.servers import PostgresServer, ValkeyServer


class Server:
    """One node after the other, at one port and over one database. `url` is where its page is."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self._directory = directory
        self._flags = flags
        self.node = NodeProcess(directory, *flags)
        self.url = f"http://127.0.0.1:{self.node.port}"

    def wait_until_ready(self) -> None:
        trio.run(self.node.ready)

    def kill(self) -> None:
        """SIGKILL: nobody is told, and the port refuses from now on."""
        self.node.kill()

    def stop(self) -> None:
        """SIGTERM; returns when it is gone."""
        trio.run(self.node.stopped)

    def start(self) -> None:
        """Again, after it has ended."""
        self.node = NodeProcess(self._directory, *self._flags, port=self.node.port)
        self.wait_until_ready()


@contextmanager
def running_server(postgres: PostgresServer, valkey: ValkeyServer, directory: Path) -> Iterator[Server]:
    database = postgres.create_database()
    urls = ["--database-url", postgres.url(database), "--redis-url", valkey.url, "--redis-prefix", database]
    server = Server(directory, *urls)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.node.close()
        postgres.drop_database(database)
