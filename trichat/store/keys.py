"""Keys of bots, and the secrets that guests' tokens are signed with. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trichat.core.accounts import Key
from trichat.core.names import RoomName, UserId
from trichat.core.standing import Scope
from trichat.store.administration import demand_active, demand_kind, find, lock_account, note
from trichat.store.cluster import note_change
from trichat.store.connection import Connection
from trichat.store.writing import durably

_ADD_KEY: Final = "INSERT INTO trichat.keys (id, user_id, key_hash, scopes, rooms) VALUES (%s, %s, %s, %s, %s)"
_KEYS: Final = "SELECT id, scopes, rooms FROM trichat.keys WHERE user_id = %s ORDER BY created_at, id"
_ROTATE: Final = "UPDATE trichat.keys SET id = %s, key_hash = %s, seen_at = NULL WHERE id = %s RETURNING user_id"
_END_KEY: Final = "DELETE FROM trichat.keys WHERE id = %s RETURNING user_id"
_ENDED: Final = "INSERT INTO trichat.ended (at, user_id, session_id) VALUES (clock_timestamp(), %s, %s)"


def add_key(
    connection: Connection,
    key_id: str,
    user_id: UserId,
    key_hash: bytes,
    *,
    scopes: Sequence[Scope],
    rooms: Sequence[RoomName] | None,
    operator: str,
) -> None:
    with durably(connection):
        account = demand_active(demand_kind(lock_account(connection, user_id), "bot"))
        only = None if rooms is None else list(rooms)
        connection.execute(_ADD_KEY, (key_id, user_id, key_hash, list(scopes), only))
        note(connection, operator, "add_key", account, key_id)


def keys(connection: Connection, user_id: UserId) -> list[Key]:
    rows = connection.execute(_KEYS, (user_id,))
    return [
        Key(id=key_id, scopes=frozenset(scopes), rooms=None if rooms is None else frozenset(rooms))
        for key_id, scopes, rooms in rows
    ]


def rotate_key(connection: Connection, key_id: str, new_id: str, new_hash: bytes, *, operator: str) -> bool:
    with durably(connection):
        row = connection.execute(_ROTATE, (new_id, new_hash, key_id)).fetchone()
        return row is not None and _key_ended(connection, key_id, row[0], operator, "rotate_key")


def end_key(connection: Connection, key_id: str, *, operator: str) -> bool:
    with durably(connection):
        row = connection.execute(_END_KEY, (key_id,)).fetchone()
        return row is not None and _key_ended(connection, key_id, row[0], operator, "end_key")


def _key_ended(connection: Connection, key_id: str, user_id: UserId, operator: str, act: str) -> bool:
    note(connection, operator, act, find(connection, user_id), key_id)
    connection.execute(_ENDED, (user_id, key_id))
    return True


# secrets

_LOCK_ALL: Final = "LOCK TABLE trichat.secrets IN SHARE ROW EXCLUSIVE MODE"
_ADD_NEWEST: Final = """
    INSERT INTO trichat.secrets (number, secret)
    SELECT coalesce(max(number), 0) + 1, %s FROM trichat.secrets RETURNING number
"""
_DROP_OLDER: Final = """
    DELETE FROM trichat.secrets WHERE number = %s AND number < (SELECT max(number) FROM trichat.secrets)
"""


def add_secret(connection: Connection, secret: bytes, *, operator: str) -> int:
    with durably(connection):
        connection.execute(_LOCK_ALL)
        ((number,),) = connection.execute(_ADD_NEWEST, (secret,))
        note_change(connection)
        note(connection, operator, "add_secret", reason=str(number))
    return int(number)


def drop_secret(connection: Connection, number: int, *, operator: str) -> bool:
    with durably(connection):
        connection.execute(_LOCK_ALL)
        dropped = connection.execute(_DROP_OLDER, (number,)).rowcount == 1
        if dropped:
            note_change(connection)
            note(connection, operator, "drop_secret", reason=str(number))
    return dropped
