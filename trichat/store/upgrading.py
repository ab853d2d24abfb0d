"""A database of an older version becomes one of this version: synchronous functions of a connection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import psycopg
from msgspec import Struct
from psycopg import errors

from trichat.chat.ports import StoreUnavailable, StoreUnusable
from trichat.store.connection import Connection
from trichat.store.errors import one_line
from trichat.store.migrations import Migration
from trichat.store.schema import (
    OLDEST_VERSION,
    SCHEMA_VERSION,
    Versions,
    changing_schema,
    check_version,
    has_schema,
    read_versions,
)

#: How often a migration is tried that finds a table in use, and seconds between.
_TRIES: Final = 30
_PAUSE_S: Final = 1.0


class SchemaState(Struct, frozen=True):
    """How a database stands to this trichat. `found` is None where it has no tables of trichat yet."""

    found: Versions | None
    pending: tuple[str, ...]  # the titles of the migrations that it lacks

    @property
    def fits(self) -> bool:
        """This trichat runs on it as it is."""
        return self.found is not None and self.found.version >= SCHEMA_VERSION >= self.found.compatible_from


def read_state(connection: Connection, known: Sequence[Migration]) -> SchemaState:
    """How the database stands. Raises StoreUnusable where this role may not look."""
    if not has_schema(connection):
        return SchemaState(None, ())
    found = read_versions(connection)
    return SchemaState(found, tuple(one.title for one in known if OLDEST_VERSION <= found.version < one.version))


def migrate(
    connection: Connection, known: Sequence[Migration], *, lock_s: float, tries: int = _TRIES, pause_s: float = _PAUSE_S
) -> Migration | None:
    """Apply the first migration that the database lacks, whole or not at all; None when it lacks none.

    It waits for no table longer than `lock_s`, as every node that needs the table waits behind it; it is tried again
    in between, and StoreUnavailable in the end. StoreUnusable says what else is wrong, a database that is too new too.
    """
    for _ in range(tries):
        try:
            return _migrate_once(connection, known, lock_s)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            time.sleep(pause_s)
    raise StoreUnavailable("the tables were in use each time; nothing was changed")


def _migrate_once(connection: Connection, known: Sequence[Migration], lock_s: float) -> Migration | None:
    with changing_schema(connection):
        found = read_versions(connection)
        if found.version >= SCHEMA_VERSION or found.version < OLDEST_VERSION:
            check_version(found)
        migration = next((one for one in known if one.version > found.version), None)
        if migration is not None:
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{round(lock_s * 1000)}ms",))
            _apply(connection, migration)
    return migration


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        connection.execute(migration.sql.encode())
    except errors.InsufficientPrivilege as error:
        raise StoreUnusable(
            f"this role may not change the tables ({error.diag.message_primary});"
            " run trichat db upgrade as the role that owns them"
        ) from error
    except psycopg.OperationalError:  # tables in use, or PostgreSQL is away
        raise
    except psycopg.Error as error:
        raise StoreUnusable(f"{migration.title} failed, and nothing was changed: {one_line(error)}") from error
    reached = read_versions(connection).version
    if reached != migration.version:
        raise StoreUnusable(f"{migration.title} left version {reached} behind: it is undone")
