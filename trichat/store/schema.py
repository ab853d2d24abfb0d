"""The schema: its file, its version, and whether a server can be trusted with a chat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct
from psycopg import errors

from trichat.chat.ports import StoreUnavailable, StoreUnusable
from trichat.store.connection import Connection

#: The version that schema.sql writes into `trichat.meta`, and that the last migration makes.
SCHEMA_VERSION: Final = 4
#: The oldest version that can be upgraded from: those before it were never released.
OLDEST_VERSION: Final = 3

_OLDEST_SERVER: Final = 140_000  # PostgreSQL 14
_LOCK: Final = int.from_bytes(b"trichat", "big")  # the advisory lock under which the schema is applied and changed


def schema_text() -> str:
    """schema.sql: in a wheel it lies in the package, in a checkout beside it."""
    package = Path(__file__).parents[1]
    path = package / "schema.sql"
    return (path if path.exists() else package.parent / "schema.sql").read_text("utf-8")


def check_server(connection: Connection, *, unsafe: bool) -> None:
    """Raises StoreUnusable, which says what to do; StoreUnavailable when it only takes no writes for now."""
    version, *settings, standby = connection.execute(
        "SELECT current_setting('server_version_num')::int, current_setting('fsync'),"
        " current_setting('full_page_writes'), current_setting('server_encoding'),"
        " current_setting('default_transaction_isolation'), pg_is_in_recovery()"
    ).fetchall()[0]
    fsync, full_page_writes, encoding, isolation = settings
    if version < _OLDEST_SERVER:
        raise StoreUnusable(f"PostgreSQL 14 or newer is needed; this server is {version // 10_000}: upgrade it")
    if not unsafe and "off" in (fsync, full_page_writes):
        raise StoreUnusable(
            f"PostgreSQL runs with fsync = {fsync}, full_page_writes = {full_page_writes}: a crash can lose what was"
            " acknowledged. Set both to on in postgresql.conf, or say --unsafe if that may be"
        )
    if encoding != "UTF8":
        raise StoreUnusable(f"the database's encoding is {encoding}; make one with CREATE DATABASE … ENCODING 'UTF8'")
    if isolation != "read committed":
        raise StoreUnusable(
            f"default_transaction_isolation is {isolation};"
            " say ALTER ROLE … SET default_transaction_isolation = 'read committed'"
        )
    if standby:
        raise StoreUnavailable("PostgreSQL is a standby; name all servers and add target_session_attrs=read-write")


def apply_schema(connection: Connection) -> None:
    """Apply schema.sql to an empty database; on any other check the version. Several nodes may do so at once.

    Raises StoreUnusable, which says what to do.
    """
    try:
        with changing_schema(connection):
            if not has_schema(connection):
                connection.execute(schema_text().encode())
    except errors.InsufficientPrivilege as error:
        raise StoreUnusable(
            f"the database has no tables of trichat, and this role may not make them ({error.diag.message_primary});"
            " apply schema.sql as the database's owner, or GRANT CREATE ON DATABASE to this role"
        ) from error
    check_version(read_versions(connection))


@contextmanager
def changing_schema(connection: Connection) -> Iterator[None]:
    """A transaction in which nobody else applies or changes the schema; the caller's limit is the one that counts."""
    with connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        yield


class Versions(Struct, frozen=True):
    """What a database says of itself: its schema's version, and the oldest one whose trichat may run on it."""

    version: int
    compatible_from: int


# before version 4 nothing said who else might run on it
_VERSIONS: Final = """
    SELECT version, coalesce((to_jsonb(meta) ->> 'compatible_from')::int, version) FROM trichat.meta
"""


def read_versions(connection: Connection) -> Versions:
    """The versions of a database that has the schema. Raises StoreUnusable where this role may not read them."""
    try:
        ((version, compatible_from),) = connection.execute(_VERSIONS)
    except errors.InsufficientPrivilege as error:
        raise StoreUnusable(
            f"this role may not read trichat.meta ({error.diag.message_primary}); GRANT it USAGE on the schema trichat"
            " and all on its tables"
        ) from error
    return Versions(version, compatible_from)


def check_version(found: Versions) -> None:
    """Raises StoreUnusable, which says what to type, where this trichat may not run on such a database."""
    said = f"the database has version {found.version} of the schema, this trichat needs version {SCHEMA_VERSION}"
    if found.version < OLDEST_VERSION:
        raise StoreUnusable(f"{said}: version {found.version} was never released; begin with an empty database")
    if found.version < SCHEMA_VERSION:
        raise StoreUnusable(f"{said}: type trichat db upgrade")
    if found.compatible_from > SCHEMA_VERSION:
        raise StoreUnusable(f"{said}: run a trichat that knows version {found.compatible_from}, or another database")


def has_schema(connection: Connection) -> bool:
    """Whether the database has the tables of trichat, of whatever version."""
    ((there,),) = connection.execute("SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'trichat')")
    return bool(there)
