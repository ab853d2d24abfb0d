"""One connection to PostgreSQL: opened within a deadline, and cut from outside when it overruns."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from msgspec import Struct
from psycopg import errors, pq
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow, tuple_row


class Statement(Struct, frozen=True):
    """A statement with `$1` … and the name under which a connection prepares it."""

    name: bytes
    sql: bytes


class Connection(psycopg.Connection[TupleRow]):
    """A connection in autocommit. `prepares` is False behind a pooler, which hands the session to others.

    `sever` may be called from any thread at any time before `close`.
    """

    def __init__(self, pgconn: pq.abc.PGconn, *, prepares: bool) -> None:
        super().__init__(pgconn, row_factory=tuple_row)
        self.autocommit = True
        self.prepare_threshold = 2 if prepares else None
        self._prepares = prepares
        self._named: set[bytes] = set()
        # our own descriptor of the same socket: libpq may close its own while somebody severs
        self._severable = socket.socket(fileno=os.dup(pgconn.socket))

    def run(self, statement: Statement, params: list[bytes]) -> pq.abc.PGresult:
        """The result of `statement`, with parameters and values in text format. Blocks until `sever` at the latest.

        One hand-over of the interpreter lock, where a cursor has several: beside a busy event loop that saves
        0.1 ms of 0.6 in a commit of one message. Raises psycopg's errors.
        """
        pgconn = self.pgconn
        if not self._prepares:
            return _checked(pgconn, pgconn.exec_params(statement.sql, params))
        if statement.name not in self._named:
            _checked(pgconn, pgconn.prepare(statement.name, statement.sql))
            self._named.add(statement.name)
        return _checked(pgconn, pgconn.exec_prepared(statement.name, params))

    def sever(self) -> None:
        """Shut the socket down: whatever waits for it, in whatever thread, fails at once."""
        with suppress(OSError):  # cannot matter: it is shut down or unconnected already
            self._severable.shutdown(socket.SHUT_RDWR)

    @property
    def reusable(self) -> bool:
        """Idle and sound, as far as one can see without asking."""
        return self.pgconn.transaction_status == pq.TransactionStatus.IDLE

    @property
    def stale(self) -> bool:
        """The server has said something unasked, most likely goodbye. Never waits."""
        poller = select.poll()
        poller.register(self._severable, select.POLLIN)
        return bool(poller.poll(0))

    def close(self) -> None:
        self._severable.close()
        super().close()


def connect(attempts: Sequence[Mapping[str, Any]], deadline: float, *, prepares: bool) -> Connection:
    """A connection to the first of `attempts` (libpq's parameters, one host each) that takes us.

    Each has an equal share of what is left until `deadline` (time.monotonic()). Raises psycopg.OperationalError
    that tells what each said.
    """
    reasons: list[str] = []
    for index, attempt in enumerate(attempts):
        share = (deadline - time.monotonic()) / (len(attempts) - index)
        try:
            pgconn = _connect_one(make_conninfo("", **attempt), time.monotonic() + share)
        except psycopg.OperationalError as error:
            reasons.append(str(error))
        else:
            return Connection(pgconn, prepares=prepares)
    raise psycopg.OperationalError("; ".join(dict.fromkeys(reasons)))


_POLLED: Final = {pq.PollingStatus.READING: select.POLLIN, pq.PollingStatus.WRITING: select.POLLOUT}


def _connect_one(conninfo: str, deadline: float) -> pq.abc.PGconn:
    # In pieces: the kernel takes connections for a stopped server, and libpq's own timeout is 2 s at least.
    pgconn = pq.PGconn.connect_start(conninfo.encode())
    while (status := pgconn.connect_poll()) in _POLLED:
        poller = select.poll()  # anew: the descriptor changes from one address to the next
        poller.register(pgconn.socket, _POLLED[pq.PollingStatus(status)])
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            pgconn.finish()
            raise psycopg.OperationalError("no answer to the attempt to connect")
    if status != pq.PollingStatus.OK:
        reason = pgconn.error_message.decode(errors="replace").strip()
        pgconn.finish()
        raise psycopg.OperationalError(reason)
    pgconn.nonblocking = 1  # psycopg's cursors expect it; `run` waits all the same
    return pgconn


def _checked(pgconn: pq.abc.PGconn, result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        return result
    # Without an SQLSTATE the error is libpq's own: the connection is lost. Its status alone does not tell: while the
    # server's last words are unread it is still OK.
    if pgconn.status == pq.ConnStatus.BAD or result.error_field(pq.DiagnosticField.SQLSTATE) is None:
        raise psycopg.OperationalError(result.error_message.decode(errors="replace").strip())
    raise errors.error_from_result(result)
