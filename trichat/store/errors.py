"""psycopg's errors, translated once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors

from trichat.chat.ports import StoreUnavailable

#: Errors after which the same call, made again, may well succeed.
CONFLICTS: Final = (errors.DeadlockDetected, errors.SerializationFailure)

#: Lost connections and servers that start, stop or are out of something; a server that became a standby; prepared
#: statements that are gone or strange, which means a pooler that we were not told of (the setting `pooler`).
_AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.InvalidSqlStatementName,
    errors.DuplicatePreparedStatement,
)


@contextmanager
def translating(deadline: float) -> Iterator[None]:
    """What says that PostgreSQL is away becomes StoreUnavailable. `deadline` by time.monotonic()."""
    try:
        yield
    except _AWAY as error:
        if time.monotonic() >= deadline:
            raise StoreUnavailable("PostgreSQL did not answer in time") from error
        raise StoreUnavailable(f"PostgreSQL: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """The error's text without line breaks."""
    return " ".join(str(error).split())
