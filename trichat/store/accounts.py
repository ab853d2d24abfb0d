"""Accounts: made, named, and what a login is checked against. Synchronous functions of a connection.

Locks are taken in this order: the account's row of `users`, its logins, names (as `people.take_name` does).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, Final

import psycopg

from trichat.chat.people_ports import NewLogin
from trichat.core.account_names import skeleton
from trichat.core.accounts import Account, Credentials
from trichat.core.names import UserId, name_key
from trichat.store.connection import Connection
from trichat.store.logins import keep_login
from trichat.store.people import ACCOUNT, ACCOUNT_COLUMNS, read_account, take_name
from trichat.store.writing import durably

_ADD_PERSON: Final = "INSERT INTO trichat.users (id, name, kind, password_hash) VALUES (%s, %s, 'person', %s)"


def register(
    connection: Connection, user_id: UserId, name: str, password_hash: str, login: NewLogin, *, session_s: float
) -> bool:
    """A person's account with its first login; False, and nothing is written, when the name is held."""
    with durably(connection):
        if take_name(connection, user_id, name, kept_s=None) is None:
            return False
        connection.execute(_ADD_PERSON, (user_id, name, password_hash))
        keep_login(connection, user_id, login, session_s=session_s)
    return True


_CREDENTIALS: Final = f"SELECT {ACCOUNT}, password_hash, totp_secret, totp_step FROM trichat.users"  # noqa: S608
_CREDENTIALS_OF: Final = f"{_CREDENTIALS} WHERE id = %s"
# a name that an account had before is not found: it is only reserved
_CREDENTIALS_BY_NAME: Final = f"""
    {_CREDENTIALS} JOIN trichat.names ON names.user_id = users.id
    WHERE names.name_key = %s AND names.free_at = 'infinity'
"""


def credentials(connection: Connection, name: str) -> Credentials | None:
    """What a login as `name` is checked against; a name that only looks like an account's is nobody's."""
    found = _read_credentials(connection.execute(_CREDENTIALS_BY_NAME, (skeleton(name),)).fetchone())
    return found if found is not None and name_key(found.account.name) == name_key(name) else None


def credentials_of(connection: Connection, user_id: UserId) -> Credentials | None:
    """The same for the account of this id."""
    return _read_credentials(connection.execute(_CREDENTIALS_OF, (user_id,)).fetchone())


def _read_credentials(row: Sequence[Any] | None) -> Credentials | None:
    return None if row is None else Credentials(read_account(row[:ACCOUNT_COLUMNS]), *row[ACCOUNT_COLUMNS:])


def is_active(connection: Connection, user_id: UserId) -> bool:
    """Whether there is such an account, and it is active."""
    row = connection.execute("SELECT active FROM trichat.users WHERE id = %s", (user_id,)).fetchone()
    return row is not None and bool(row[0])


_SET_TOTP: Final = "UPDATE trichat.users SET totp_secret = %s WHERE id = %s"
# the last step stays when the secret changes: it is a time, and no code of before it counts any more
_USE_STEP: Final = "UPDATE trichat.users SET totp_step = %(step)s WHERE id = %(user_id)s AND totp_step < %(step)s"
_REFRESH: Final = "UPDATE trichat.users SET password_hash = %s WHERE id = %s AND password_hash = %s"


def refresh_hash(connection: Connection, user_id: UserId, old: str, new: str) -> None:
    """The same password, hashed anew; nothing when it was changed meanwhile."""
    connection.execute(_REFRESH, (new, user_id, old))


def set_totp(connection: Connection, user_id: UserId, secret: str | None) -> None:
    """Set or remove the second factor."""
    with durably(connection):
        connection.execute(_SET_TOTP, (secret, user_id))


def use_totp_step(connection: Connection, user_id: UserId, step: int) -> bool:
    """Mark a time step as used; False when it or a later one was."""
    with durably(connection):
        return connection.execute(_USE_STEP, {"step": step, "user_id": user_id}).rowcount == 1


# the lock keeps two renames of one account apart; else both new names would be present ones
_LOCK: Final = "SELECT FROM trichat.users WHERE id = %s FOR NO KEY UPDATE"
_KEEP_OLD: Final = """
    UPDATE trichat.names SET free_at = now() + make_interval(secs => %s)
    WHERE name_key = ANY (%s) AND free_at = 'infinity'
"""


def rename(connection: Connection, user_id: UserId, name: str, *, old_name_kept_s: float) -> bool:
    """Take `name`; the present one stays reserved for its holder. False, and nothing changes, when it is held."""
    with durably(connection):
        if connection.execute(_LOCK, (user_id,)).fetchone() is None:
            return False
        others = take_name(connection, user_id, name, kept_s=None)
        if others is None:
            return False
        connection.execute(_KEEP_OLD, (old_name_kept_s, others))
        connection.execute("UPDATE trichat.users SET name = %s WHERE id = %s", (name, user_id))
    return True


_FIND_OUTSIDE: Final = f"SELECT {ACCOUNT} FROM trichat.users WHERE issuer = %s AND subject = %s"  # noqa: S608
_ADD_OUTSIDE: Final = """
    INSERT INTO trichat.users (id, name, kind, issuer, subject, display_name)
    VALUES (%s, %s, 'outside', %s, %s, %s)
    ON CONFLICT (issuer, subject) DO NOTHING
"""
#: The numbers that are tried in turn: ann-2 … ann-20. Where so many have the name, one is made of the identifier.
_LAST_IN_TURN: Final = 20


def outside_names(name: str, user_id: UserId, *, name_bytes: int) -> Iterator[str]:
    """`name`, and without an end others like it with a number behind; each has `name_bytes` at most."""
    yield name
    for place in count(2):
        digest = hashlib.sha256(f"{user_id} {place}".encode()).digest()
        number = place if place <= _LAST_IN_TURN else int.from_bytes(digest[:4], "big")
        ending = f"-{number}"
        yield name.encode()[: name_bytes - len(ending)].decode(errors="ignore") + ending


def outside(
    connection: Connection,
    user_id: UserId,
    issuer: str,
    subject: str,
    name: str,
    *,
    display_name: str,
    name_bytes: int,
) -> Account | None:
    """The account of an outside identity, made when there is none; None when it was deactivated."""
    candidates = outside_names(name, user_id, name_bytes=name_bytes)
    while (row := connection.execute(_FIND_OUTSIDE, (issuer, subject)).fetchone()) is None:
        candidate = next(candidates)
        # a transaction for each name: who does not get it leaves no lock on it
        with durably(connection):
            new = (user_id, candidate, issuer, subject, display_name)
            made = connection.execute(_ADD_OUTSIDE, new).rowcount == 1  # else somebody else has just made it
            if made and take_name(connection, user_id, candidate, kept_s=None) is None:
                raise psycopg.Rollback
    account = read_account(row)
    return account if account.active else None
