"""Connections, kept and given to calls: the one door from Trio to the threads that talk to PostgreSQL."""

from __future__ import annotations

import math
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Concatenate, Final, ParamSpec, TypeVar

import psycopg
import trio
from psycopg.conninfo import conninfo_attempts, conninfo_to_dict

from trichat.chat.ports import StoreUnavailable, StoreUnusable
from trichat.core.histogram import Histogram
from trichat.core.limits import Limits
from trichat.store.connection import Connection, connect
from trichat.store.errors import CONFLICTS, one_line, translating
from trichat.store.watchdog import Watchdog
from trichat.store.worker import Worker

#: Seconds before a call that lost a conflict begins again: at once it might take the winner's lock, and both lose.
_CONFLICT_PAUSE_S: Final = 0.02

P = ParamSpec("P")
T = TypeVar("T")


class Connector:
    """Opens connections to one database; after a failure it rests, so that a dead server is not hammered."""

    def __init__(self, database_url: str, limits: Limits, *, application_name: str, pooler: bool) -> None:
        try:
            self._params = conninfo_to_dict(database_url)
        except psycopg.ProgrammingError as error:
            raise StoreUnusable(f"the database URL cannot be read: {one_line(error)}") from error
        self._params |= {"client_encoding": "UTF8"}
        self._params.setdefault("application_name", application_name)
        if "PGGSSENCMODE" not in os.environ:
            self._params.setdefault("gssencmode", "disable")  # by default libpq looks for Kerberos, and waits
        if not pooler:
            self._params["options"] = f"{self._params.get('options', '')} {_session_settings(limits)}".strip()
        self._prepares = not pooler
        self._rest_s = limits.store_rest_s
        self._resting_until = 0.0
        self._why = ""
        # names are resolved where it may be abandoned: a resolver can hang for longer than a call may
        self._resolvers = trio.CapacityLimiter(4)
        self._threads = trio.CapacityLimiter(math.inf)  # the pools' slots are the limit

    async def connect(self, deadline: float) -> Connection:
        """A connection by `deadline` (time.monotonic()), or StoreUnavailable."""
        if time.monotonic() < self._resting_until:
            raise StoreUnavailable(self._why)
        try:
            return await self._connect(deadline)
        except UnicodeError as error:  # of the resolver, about a name that is none, such as a..b
            raise StoreUnusable(f"the database URL cannot be read: its host {error}") from error
        except StoreUnavailable as error:
            self._resting_until = time.monotonic() + self._rest_s
            self._why = str(error)
            raise

    async def _connect(self, deadline: float) -> Connection:
        with translating(deadline), trio.move_on_after(max(0.0, deadline - time.monotonic())):
            attempts = await trio.to_thread.run_sync(
                conninfo_attempts, self._params, abandon_on_cancel=True, limiter=self._resolvers
            )
            return await trio.to_thread.run_sync(
                partial(connect, attempts, deadline, prepares=self._prepares), limiter=self._threads
            )
        raise StoreUnavailable("the name of PostgreSQL's host was not resolved in time")


class ConnectionPool:
    """At most `size` connections, each in use by one call at a time.

    `seconds` observes how long the calls take that are answered ("ok", with a refusal too), and those that are not
    ("unavailable"), each with its waiting for a connection.
    """

    def __init__(
        self,
        connector: Connector,
        watchdog: Watchdog,
        *,
        size: int,
        call_s: float,
        seconds: Mapping[str, Histogram] | None = None,
    ) -> None:
        self._connector = connector
        self._watchdog = watchdog
        self.call_s = call_s
        self._seconds = seconds
        self._slots = trio.Semaphore(size)
        self._workers: list[Worker] = []  # those without work; with the busy ones at most `size`
        self._idle: list[Connection] = []

    async def call(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(connection, …)` in a thread. It may run twice: after a deadlock it is begun again.

        Raises StoreUnavailable at the latest after `call_s` and a look of the watchdog, waiting for a slot and
        connecting included. A call that has begun is finished, even when it is cancelled.
        """
        began = time.monotonic()
        outcome = "ok"
        try:
            return await self._call(began + self.call_s, lambda connection: function(connection, *args, **kwargs))
        except StoreUnavailable:
            outcome = "unavailable"
            raise
        finally:
            if self._seconds is not None:
                self._seconds[outcome].observe(time.monotonic() - began)

    async def _call(self, deadline: float, function: Callable[[Connection], T]) -> T:
        await self._wait_for_slot()
        try:
            connection = self._take() or await self._connector.connect(deadline)
            try:
                return await self.do(connection, partial(function, connection), deadline)
            finally:
                self._put_back(connection)
        finally:
            self._slots.release()

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[HeldConnection]:
        """One connection for several calls, for what is one transaction over all of them. It is closed afterwards."""
        await self._wait_for_slot()
        try:
            connection = await self._connector.connect(time.monotonic() + self.call_s)
            try:
                yield HeldConnection(self, connection)
            finally:
                connection.close()
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close what is idle; when no call is in progress, that is all."""
        self._close_idle()
        while self._workers:
            self._workers.pop().end()

    async def do(self, connection: Connection, work: Callable[[], T], deadline: float) -> T:
        """`work` with this connection, which is in no other use; as `call` otherwise."""
        worker = self._workers.pop() if self._workers else Worker()
        try:
            return await worker.do(partial(self._run, connection, work, deadline))
        finally:
            self._workers.append(worker)

    async def _wait_for_slot(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._slots.acquire_nowait()  # nearly always: a turn of the event loop less
        except trio.WouldBlock:
            with trio.move_on_after(self.call_s) as waiting:
                await self._slots.acquire()
            if waiting.cancelled_caught:
                raise StoreUnavailable("all connections to PostgreSQL are busy") from None

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _run(self, connection: Connection, work: Callable[[], T], deadline: float) -> T:
        try:
            with translating(deadline), self._watchdog.guarding(connection, deadline):
                try:
                    return work()
                except CONFLICTS:
                    time.sleep(_CONFLICT_PAUSE_S)
                    return work()
        except StoreUnavailable:
            connection.close()
            raise

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.stale:
                return connection
            connection.close()
        return None

    def _put_back(self, connection: Connection) -> None:
        if connection.reusable:
            self._idle.append(connection)
            return
        connection.close()
        self._close_idle()  # where one was lost, the others most likely are: after a failover they lead to nobody


class HeldConnection:
    """A connection that is kept between calls; each of them has its own deadline."""

    def __init__(self, pool: ConnectionPool, connection: Connection) -> None:
        self._pool = pool
        self._connection = connection

    async def call(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `ConnectionPool.call`. After StoreUnavailable no other call succeeds."""
        work = partial(function, self._connection, *args, **kwargs)
        return await self._pool.do(self._connection, work, time.monotonic() + self._pool.call_s)


def _session_settings(limits: Limits) -> str:
    """What every session has set, unless a pooler shares it.

    `statement_timeout` ends what we have given up waiting for. A new table has no statistics, and a plan that
    scans it whole would be kept for the session when it has grown: hence `enable_seqscan`. Statements are compiled for
    what they might take at most, which takes longer than they do (0.3 s, each time): hence `jit`.
    """
    return f"-c statement_timeout={round(limits.store_call_s * 1000)} -c enable_seqscan=off -c jit=off"
