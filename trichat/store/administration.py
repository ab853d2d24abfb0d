"""What the operator does to accounts, and the audit of all. Synchronous functions of a connection.

Each act is one transaction with its entry in the audit. Locks are taken as `store.accounts` says: the account's row of
`users` first, then its logins and keys, names last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg import Rollback

from trichat.core.account_names import skeleton
from trichat.core.accounts import ERASED, Account, AccountKind, AuditEntry, MyRoom
from trichat.core.errors import Refusal
from trichat.core.names import RoomName, UserId, name_key
from trichat.core.standing import Role
from trichat.store.connection import Connection
from trichat.store.people import ACCOUNT, read_account, take_name
from trichat.store.writing import durably

_BY_ID: Final = f"SELECT {ACCOUNT} FROM trichat.users WHERE id = %s"  # noqa: S608
_BY_NAME: Final = f"""
    SELECT {ACCOUNT} FROM trichat.names JOIN trichat.users ON users.id = names.user_id
    WHERE names.name_key = %s AND names.free_at = 'infinity'
"""  # noqa: S608
_USERS: Final = f"""
    SELECT {ACCOUNT} FROM trichat.users
    WHERE name > %s AND (active OR name <> '{ERASED}') ORDER BY name LIMIT %s
"""  # noqa: S608
_ROOMS: Final = "SELECT id, name, kind, title, last_seq FROM trichat.rooms WHERE name > %s ORDER BY name LIMIT %s"


def find(connection: Connection, user: str) -> Account | None:
    """The account of this id or present name; an id comes first."""
    if (row := connection.execute(_BY_ID, (user,)).fetchone()) is not None:
        return read_account(row)
    row = connection.execute(_BY_NAME, (skeleton(user),)).fetchone()
    account = None if row is None else read_account(row)
    return account if account is not None and name_key(account.name) == name_key(user) else None


def users(connection: Connection, *, after: str, limit: int) -> list[Account]:
    return [read_account(row) for row in connection.execute(_USERS, (after, limit))]


def rooms(connection: Connection, *, after: str, limit: int) -> list[MyRoom]:
    return [
        MyRoom(id=room_id, room=name, kind=kind, title=title, role=Role.OWNER, seq=seq)
        for room_id, name, kind, title, seq in connection.execute(_ROOMS, (after, limit))
    ]


_DELETE_ROOM: Final = """
    WITH gone AS (DELETE FROM trichat.rooms WHERE name = %s RETURNING id)
    INSERT INTO trichat.dropped_rooms (room_id) SELECT id FROM gone RETURNING room_id
"""
_NOTE_ROOM: Final = "INSERT INTO trichat.audit (actor, act, room_id, room) VALUES (%s, 'delete', %s, %s)"


def delete_room(connection: Connection, name: RoomName, *, operator: str) -> bool:
    """The room is gone at once, its name free; its events are left for `tidying`."""
    with durably(connection):
        row = connection.execute(_DELETE_ROOM, (name,)).fetchone()
        if row is not None:
            connection.execute(_NOTE_ROOM, (operator, row[0], name))
    return row is not None


# accounts

_ADD: Final = "INSERT INTO trichat.users (id, name, kind, password_hash) VALUES (%s, %s, %s, %s)"
_REPLACE_HASH: Final = """
    UPDATE trichat.users SET password_hash = %s, recovery_hash = NULL, recovery_until = NULL WHERE id = %s
"""
_SET_RECOVERY: Final = """
    UPDATE trichat.users SET recovery_hash = %s, recovery_until = now() + make_interval(secs => %s) WHERE id = %s
"""


def add(
    connection: Connection, user_id: UserId, name: str, kind: AccountKind, password_hash: str | None, *, operator: str
) -> bool:
    """An account of a person or a bot; False, and nothing is written, when the name is held."""
    with durably(connection):
        connection.execute(_ADD, (user_id, name, kind, password_hash))
        act = "add_bot" if kind == "bot" else "add_user"
        note(connection, operator, act, Account(user_id=user_id, name=name))
        if take_name(connection, user_id, name, kept_s=None) is None:
            raise Rollback
        return True
    return False


def set_password(connection: Connection, user_id: UserId, password_hash: str, *, operator: str) -> None:
    with durably(connection):
        account = demand_kind(lock_account(connection, user_id), "person")
        connection.execute(_REPLACE_HASH, (password_hash, user_id))
        note(connection, operator, "password", account)
        _end_logins(connection, user_id, None)


def set_recovery(
    connection: Connection, user_id: UserId, code_hash: bytes, *, recovery_s: float, operator: str
) -> None:
    with durably(connection):
        account = demand_kind(lock_account(connection, user_id), "person")
        connection.execute(_SET_RECOVERY, (code_hash, recovery_s, user_id))
        note(connection, operator, "recovery", account)


def set_active(connection: Connection, user_id: UserId, active: bool, *, operator: str) -> None:
    with durably(connection):
        account = lock_account(connection, user_id)
        connection.execute("UPDATE trichat.users SET active = %s WHERE id = %s", (active, user_id))
        note(connection, operator, "activate" if active else "deactivate", account)
        if active:
            connection.execute(_WELCOME_BACK, (user_id,))
        else:
            end_everything(connection, user_id)


def set_admin(connection: Connection, user_id: UserId, admin: bool, *, operator: str) -> None:
    with durably(connection):
        account = demand_no_bot(lock_account(connection, user_id))
        connection.execute("UPDATE trichat.users SET admin = %s WHERE id = %s", (admin, user_id))
        note(connection, operator, "admin" if admin else "unadmin", account)
        if account.admin and not admin:  # connections have the power that they began with
            _end_logins(connection, user_id, None)
            connection.execute(_END_ACCOUNT, (user_id,))


def end_logins(connection: Connection, user_id: UserId, session_id: str | None, *, operator: str) -> int:
    with durably(connection):
        note(connection, operator, "revoke", lock_account(connection, user_id), session_id or "all")
        ended = _end_logins(connection, user_id, session_id)
        if not ended:
            raise Rollback
        return ended
    return 0


def demand_kind(account: Account, kind: AccountKind) -> Account:
    """`account`, or a Refusal when it is not of this kind."""
    if account.kind == kind:
        return account
    has = {"person": "people have passwords", "bot": "bots have keys", "outside": "another site vouches for them"}
    raise Refusal("bad_state", f"{account.name} is of the kind {account.kind}, and only {has[kind]}", field="user")


def demand_no_bot(account: Account) -> Account:
    """`account`, or a Refusal when it is a bot."""
    if account.kind == "bot":
        raise Refusal("bad_state", f"{account.name} is a bot, and no bot administers the server", field="user")
    return account


def demand_active(account: Account) -> Account:
    """`account`, or a Refusal when it was deactivated."""
    if not account.active:
        raise Refusal("bad_state", f"{account.name} is not active; activate it first", field="user")
    return account


def no_such_account(user_id: UserId) -> Refusal:
    return Refusal("no_such_user", f"there is no account {user_id}", field="user")


def lock_account(connection: Connection, user_id: UserId) -> Account:
    row = connection.execute(f"{_BY_ID} FOR NO KEY UPDATE".encode(), (user_id,)).fetchone()
    if row is None:
        raise no_such_account(user_id)
    return read_account(row)


# what ends

_END_LOGINS: Final = """
    WITH gone AS (
        DELETE FROM trichat.logins WHERE user_id = %(user_id)s AND (%(id)s::text IS NULL OR id = %(id)s) RETURNING id
    )
    INSERT INTO trichat.ended (at, user_id, session_id) SELECT clock_timestamp(), %(user_id)s, id FROM gone
"""
_END_KEYS: Final = """
    WITH gone AS (DELETE FROM trichat.keys WHERE user_id = %(user_id)s RETURNING id)
    INSERT INTO trichat.ended (at, user_id, session_id) SELECT clock_timestamp(), %(user_id)s, id FROM gone
"""
_END_ACCOUNT: Final = "INSERT INTO trichat.ended (at, user_id) VALUES (clock_timestamp(), %s)"
# old logins and keys ended each; that the account ended would close new connections for as long as it is heard
_WELCOME_BACK: Final = "DELETE FROM trichat.ended WHERE user_id = %s AND session_id IS NULL"


def end_everything(connection: Connection, user_id: UserId) -> None:
    """All logins and keys of the account end, and every connection that it has; the last thing in a transaction."""
    _end_logins(connection, user_id, None)
    connection.execute(_END_KEYS, {"user_id": user_id})
    connection.execute(_END_ACCOUNT, (user_id,))


def _end_logins(connection: Connection, user_id: UserId, session_id: str | None) -> int:
    return connection.execute(_END_LOGINS, {"user_id": user_id, "id": session_id}).rowcount


# the audit

_NOTE: Final = "INSERT INTO trichat.audit (actor, act, target, target_id, reason) VALUES (%s, %s, %s, %s, %s)"
#: The columns of an AuditEntry; `read_entry` makes one of them.
ENTRY: Final = """
    number, floor(extract(epoch FROM at) * 1000)::bigint, actor, actor_id, act, room, target, target_id, reason, address
"""
_AUDIT: Final = f"""
    SELECT {ENTRY} FROM trichat.audit WHERE number < %s ORDER BY number DESC LIMIT %s
"""  # noqa: S608
_END_OF_AUDIT: Final = 2**63 - 1


def note(connection: Connection, operator: str, act: str, target: Account | None = None, reason: str = "") -> None:
    """Write what the operator does into the audit."""
    whom = (None, None) if target is None else (target.name, target.user_id)
    connection.execute(_NOTE, (operator, act, *whom, reason))


def audit(connection: Connection, *, before: int | None, limit: int) -> list[AuditEntry]:
    rows = connection.execute(_AUDIT, (_END_OF_AUDIT if before is None else before, limit))
    return [read_entry(row) for row in rows]


def read_entry(row: Sequence[Any]) -> AuditEntry:
    """The entry of the columns ENTRY."""
    number, at, actor, actor_id, act, room, target, target_id, reason, address = row
    return AuditEntry(
        number=number, at=at, actor=actor, actor_id=actor_id, act=act, room=room, target=target, target_id=target_id,
        reason=reason, address=address,
    )  # fmt: skip
