"""Logins and keys: kept, found by the hash of their token, ended. Synchronous functions of a connection.

What is ended is noted in `trichat.ended` in the same transaction, as its last statement: so that its time is close to
the commit's, and nodes that look at the last seconds miss nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trichat.chat.people_ports import NewLogin
from trichat.core.accounts import Account, Ended, Key, LoginSession
from trichat.core.names import UserId
from trichat.store.connection import Connection
from trichat.store.people import ACCOUNT, ACCOUNT_COLUMNS, read_account
from trichat.store.writing import durably

_KEEP: Final = """
    INSERT INTO trichat.logins (id, user_id, token_hash, device, address, created_at, seen_at, expires_at)
    SELECT %s, %s, %s, %s, %s, now, now, now + make_interval(secs => %s) FROM clock_timestamp() AS now
"""


def keep_login(connection: Connection, user_id: UserId, login: NewLogin, *, session_s: float) -> None:
    """Add a login; within a transaction that holds the account's row, or has made it."""
    row = (login.id, user_id, login.token_hash, login.device, login.address, session_s)
    connection.execute(_KEEP, row)


# who holds it changes the account's logins alone: so they are counted right, and what ends all misses none
_LOCK_ACCOUNT: Final = "SELECT FROM trichat.users WHERE id = %s FOR NO KEY UPDATE"
_END_UNUSED: Final = """
    WITH gone AS (
        DELETE FROM trichat.logins WHERE id IN (
            SELECT id FROM trichat.logins WHERE user_id = %s ORDER BY seen_at DESC, created_at DESC OFFSET %s
        )
        RETURNING user_id, id
    )
    INSERT INTO trichat.ended (at, user_id, session_id) SELECT clock_timestamp(), user_id, id FROM gone
"""


def log_in(connection: Connection, user_id: UserId, login: NewLogin, *, session_s: float, most: int) -> None:
    """Add a login; those longest unused end until the account has `most`."""
    with durably(connection):
        connection.execute(_LOCK_ACCOUNT, (user_id,))
        keep_login(connection, user_id, login, session_s=session_s)
        connection.execute(_END_UNUSED, (user_id, most))


_FIND: Final = f"""
    SELECT {ACCOUNT}, logins.id, logins.seen_at <= now() - make_interval(secs => %s)
    FROM trichat.logins JOIN trichat.users ON users.id = logins.user_id
    WHERE logins.token_hash = %s AND logins.expires_at > now() AND users.active
"""  # noqa: S608 (our own constants)
_TOUCH: Final = """
    UPDATE trichat.logins
    SET seen_at = now(), address = %s, expires_at = now() + make_interval(secs => %s)
    WHERE id = %s
"""


def find_login(
    connection: Connection, token_hash: bytes, address: str, *, session_s: float, touch_s: float
) -> tuple[Account, str] | None:
    """Whose login this is, and its id; recorded when it was not for `touch_s`, and then it lasts `session_s` more."""
    row = connection.execute(_FIND, (touch_s, token_hash)).fetchone()
    if row is None:
        return None
    *account, login_id, stale = row
    if stale:
        connection.execute(_TOUCH, (address, session_s, login_id))
    return read_account(account), login_id


# whoever holds the row of a login extends it or ends it: nothing is left to do, and who never waits is in no deadlock
_TOUCH_MANY: Final = """
    UPDATE trichat.logins
    SET seen_at = greatest(seen_at, now() - make_interval(secs => %s)), expires_at = now() + make_interval(secs => %s)
    WHERE id = ANY (ARRAY(
        SELECT id FROM trichat.logins
        WHERE id = ANY (%s) AND expires_at > now()
        FOR NO KEY UPDATE SKIP LOCKED
    ))
"""


def touch_logins(connection: Connection, login_ids: Sequence[str], *, session_s: float, touch_s: float) -> None:
    """These are in use: those that last do so for `session_s` from now, and were used `touch_s` ago at least."""
    connection.execute(_TOUCH_MANY, (touch_s, session_s, list(login_ids)))


_FIND_KEY: Final = f"""
    SELECT {ACCOUNT}, keys.id, keys.scopes, keys.rooms,
        coalesce(keys.seen_at, '-infinity') <= now() - make_interval(secs => %s)
    FROM trichat.keys JOIN trichat.users ON users.id = keys.user_id
    WHERE keys.key_hash = %s AND users.active
"""  # noqa: S608 (our own constants)


def find_key(connection: Connection, key_hash: bytes, *, touch_s: float) -> tuple[Account, Key] | None:
    """Which bot's key this is; its use is recorded when it was not for `touch_s`."""
    row = connection.execute(_FIND_KEY, (touch_s, key_hash)).fetchone()
    if row is None:
        return None
    key_id, scopes, rooms, stale = row[ACCOUNT_COLUMNS:]
    if stale:
        connection.execute("UPDATE trichat.keys SET seen_at = now() WHERE id = %s", (key_id,))
    key = Key(id=key_id, scopes=frozenset(scopes), rooms=None if rooms is None else frozenset(rooms))
    return read_account(row[:ACCOUNT_COLUMNS]), key


_LOGINS: Final = """
    SELECT id, device, address,
        floor(extract(epoch FROM created_at) * 1000)::bigint, floor(extract(epoch FROM seen_at) * 1000)::bigint
    FROM trichat.logins
    WHERE user_id = %s AND expires_at > now()
    ORDER BY created_at DESC
"""


def logins(connection: Connection, user_id: UserId) -> list[LoginSession]:
    """The logins that last, newest first."""
    rows = connection.execute(_LOGINS, (user_id,))
    return [
        LoginSession(id=login_id, device=device, address=address, created=created, seen=seen)
        for login_id, device, address, created, seen in rows
    ]


_END_ONE: Final = """
    WITH gone AS (DELETE FROM trichat.logins WHERE user_id = %s AND id = %s RETURNING user_id, id)
    INSERT INTO trichat.ended (at, user_id, session_id) SELECT clock_timestamp(), user_id, id FROM gone
"""
_END_ALL: Final = """
    WITH gone AS (
        DELETE FROM trichat.logins WHERE user_id = %s AND id IS DISTINCT FROM %s::text RETURNING user_id, id
    )
    INSERT INTO trichat.ended (at, user_id, session_id) SELECT clock_timestamp(), user_id, id FROM gone
"""


def end_login(connection: Connection, user_id: UserId, session_id: str) -> bool:
    """End one login of this account; False when there is none of this id."""
    with durably(connection):
        return connection.execute(_END_ONE, (user_id, session_id)).rowcount == 1


def end_logins(connection: Connection, user_id: UserId, keep: str | None) -> int:
    """End all logins of this account but `keep`; how many."""
    with durably(connection):
        connection.execute(_LOCK_ACCOUNT, (user_id,))
        return connection.execute(_END_ALL, (user_id, keep)).rowcount


_ENDED: Final = """
    SELECT user_id, session_id FROM trichat.ended
    WHERE at > clock_timestamp() - make_interval(secs => %s)
    ORDER BY at
"""


def ended_since(connection: Connection, seconds: float) -> list[Ended]:
    """What was ended in the last `seconds`, oldest first."""
    return [Ended(*row) for row in connection.execute(_ENDED, (seconds,))]


_SET_HASH: Final = """
    UPDATE trichat.users SET password_hash = %s, recovery_hash = NULL, recovery_until = NULL WHERE id = %s
"""


def set_password(connection: Connection, user_id: UserId, password_hash: str, keep: str | None) -> None:
    """Another password: all logins but `keep` end, and a recovery code counts no more."""
    with durably(connection):
        connection.execute(_SET_HASH, (password_hash, user_id))
        connection.execute(_END_ALL, (user_id, keep))


_RECOVER: Final = f"""
    UPDATE trichat.users
    SET password_hash = %s, totp_secret = NULL, recovery_hash = NULL, recovery_until = NULL
    WHERE recovery_hash = %s AND recovery_until > now() AND active
    RETURNING {ACCOUNT}
"""  # noqa: S608 (our own constant)


def recover(
    connection: Connection, code_hash: bytes, password_hash: str, login: NewLogin, *, session_s: float
) -> Account | None:
    """Use a recovery code up: another password, no second factor, and `login` alone. None when it does not count."""
    with durably(connection):
        row: Sequence[Any] | None = connection.execute(_RECOVER, (password_hash, code_hash)).fetchone()
        if row is None:
            return None
        account = read_account(row)
        keep_login(connection, account.user_id, login, session_s=session_s)
        connection.execute(_END_ALL, (account.user_id, login.id))
    return account
