"""The embedded services as a part of a Trio program: shared between processes, and kept running."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import trio
from msgspec import Struct

from trichat.core.limits import Limits
from trichat.embedded.errors import EmbeddedUnusable
from trichat.embedded.home import Lock, open_home
from trichat.embedded.postgres import PostgresServer
from trichat.embedded.programs import find_postgres, find_valkey
from trichat.embedded.server import LOOK_S, Server, Waiting
from trichat.embedded.valkey import ValkeyServer

T = TypeVar("T")

log = logging.getLogger("trichat.embedded")

#: Seconds after a start, after which a server's death does not count as another failed start.
SETTLED_S = 30.0


class EmbeddedServices(Struct, frozen=True):
    """Where the servers are; the same for as long as the data directory stays where it is. None: not wanted."""

    database_url: str | None
    redis_url: str | None


@contextlib.asynccontextmanager
async def open_embedded(
    data_dir: Path, *, want_postgres: bool = True, want_redis: bool = True, limits: Limits | None = None
) -> AsyncIterator[EmbeddedServices]:
    """PostgreSQL and Valkey in `data_dir`, answering, for as long as the body runs.

    Must be entered in the main thread. Each server is started by the first process that comes; others use it
    too, and one of them starts it again when its owner ends. A server of ours that dies is started again. On
    the way out ours are stopped: at most `limits.embedded_stop_s` and a moment for each, shielded.

    Raises EmbeddedUnusable before the body begins. What the body raises comes out in an ExceptionGroup, as
    from any nursery.
    """
    limits = limits or Limits()
    home = open_home(data_dir)
    valkey = ValkeyServer(home, find_valkey(), limits) if want_redis else None
    postgres = PostgresServer(home, find_postgres(), limits) if want_postgres else None
    async with contextlib.AsyncExitStack() as stack:
        keepers = [await stack.enter_async_context(_open(server)) for server in (valkey, postgres) if server]
        async with trio.open_nursery() as nursery:
            for keeper in keepers:
                nursery.start_soon(keeper.run)
            yield EmbeddedServices(postgres.url if postgres else None, valkey.url if valkey else None)
            nursery.cancel_scope.cancel(reason="the embedded services are closed")


@contextlib.asynccontextmanager
async def open_where_not_given(
    data_dir: Path, database_url: str | None, redis_url: str | None
) -> AsyncIterator[tuple[str, str]]:
    """The addresses of PostgreSQL and Redis: those given, and those of embedded ones where none is."""
    if database_url is not None and redis_url is not None:
        yield database_url, redis_url
        return
    async with open_embedded(data_dir, want_postgres=database_url is None, want_redis=redis_url is None) as embedded:
        yield database_url or embedded.database_url or "", redis_url or embedded.redis_url or ""


class Keeper:
    """Has one server started, by us or by another process, and sees to it that it goes on running."""

    def __init__(self, server: Server, lock: Lock) -> None:
        self._server = server
        self._limits = server.limits
        self._lock = lock

    async def open(self) -> None:
        """Start the server, or wait for another process to have it answering. Raises EmbeddedUnusable."""
        with trio.move_on_after(self._limits.embedded_join_s):
            while not self._lock.take():
                if await drive(self._server.answering()):
                    log.info("using the %s that another process runs in %s", self._server.title, self._server.home.path)
                    return
                await trio.sleep(self._limits.embedded_look_s)
        if not self._lock.held:
            raise EmbeddedUnusable(
                f"another process holds {self._server.home.path}, but its {self._server.title} does not answer on "
                f"{self._server.socket}. See {self._server.log_file}, or end that process"
            )
        await drive(self._server.starting())

    async def run(self) -> None:
        """Become the owner when there is none, and start the server whenever it does not run. Runs until cancelled."""
        pause = 0.0
        while True:
            started = time.monotonic()
            await self._watch()
            pause = 0.0 if time.monotonic() - started > SETTLED_S else pause
            await trio.sleep(pause)
            pause = min(max(2 * pause, self._limits.embedded_look_s), self._limits.embedded_retry_s)
            try:
                await drive(self._server.starting())
            except EmbeddedUnusable as error:
                log.error("%s, trying again in %g s", error, pause)  # noqa: TRY400  (the operator's, not ours)

    async def _watch(self) -> None:
        """Returns when we own a server that does not run."""
        while not self._lock.held:
            if self._lock.take():
                log.warning("the owner of %s is gone: taking it over", self._server.title)
                return
            await trio.sleep(self._limits.embedded_look_s)
        while self._server.running:  # noqa: ASYNC110  (a process has no event to wait for)
            await trio.sleep(self._limits.embedded_look_s)
        log.warning("%s %s: starting it again", self._server.title, self._server.ending)

    async def close(self) -> None:
        """Stop the server if it is ours. Shielded; `stopping` has its own limits, and this one is above them."""
        with trio.move_on_after(2 * self._limits.embedded_stop_s + 2, shield=True):
            if self._lock.held:
                await drive(self._server.stopping())


@contextlib.asynccontextmanager
async def _open(server: Server) -> AsyncIterator[Keeper]:
    with contextlib.closing(Lock(server.home, f"{server.name}.lock")) as lock:
        keeper = Keeper(server, lock)
        try:
            await keeper.open()
            yield keeper
        finally:
            await keeper.close()


async def drive(waiting: Waiting[T]) -> T:
    """Run `waiting` to its end in the main thread, sleeping where it waits; when cancelled, it is closed."""
    with contextlib.closing(waiting):
        while True:
            try:
                next(waiting)
            except StopIteration as end:
                result: T = end.value
                return result
            await trio.sleep(LOOK_S)
