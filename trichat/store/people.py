"""People: the names that they hold, and what their tokens are signed with. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trichat.core.account_names import skeleton
from trichat.core.accounts import Account
from trichat.core.names import UserId
from trichat.core.standing import is_account
from trichat.store.connection import Connection

#: The columns of an Account; `read_account` makes one of them.
ACCOUNT: Final = "users.id, users.name, users.kind, users.admin, users.active, users.hidden"
ACCOUNT_COLUMNS: Final = 6


def read_account(row: Sequence[Any]) -> Account:
    """The account of the columns ACCOUNT."""
    user_id, name, kind, admin, active, hidden = row
    return Account(user_id=user_id, name=name, kind=kind, admin=admin, active=active, hidden=hidden)


# Whoever takes a name locks first what is there of it, and their own names, in the order of keys. Then they change what
# they have locked or insert what was not there: so who has changed something waits for nobody any more.
_LOCK: Final = """
    SELECT name_key, user_id = %(user_id)s OR free_at < now() FROM trichat.names
    WHERE name_key = %(key)s OR user_id = %(user_id)s
    ORDER BY name_key FOR UPDATE
"""
_FREE_AT: Final = "coalesce(now() + make_interval(secs => %(kept_s)s), 'infinity')"
_CHANGE: Final = f"""
    UPDATE trichat.names SET name = %(name)s, user_id = %(user_id)s, free_at = {_FREE_AT} WHERE name_key = %(key)s
"""  # noqa: S608 (our own constant)
# not DO UPDATE: that would wait for a lock on a row that came after ours were taken, out of order
_INSERT: Final = f"""
    INSERT INTO trichat.names (name_key, name, user_id, free_at) VALUES (%(key)s, %(name)s, %(user_id)s, {_FREE_AT})
    ON CONFLICT (name_key) DO NOTHING
"""  # noqa: S608 (our own constant)
_IS_MINE: Final = "SELECT FROM trichat.names WHERE name_key = %(key)s AND user_id = %(user_id)s"


def take_name(connection: Connection, user_id: UserId, name: str, *, kept_s: float | None) -> list[str] | None:
    """Give `name` to this person for `kept_s` (None: for good); None when another holds it or one that looks like it.

    Returns the keys of their other names, locked. Within a transaction, as the last in it that may wait for others.
    """
    key = skeleton(name)
    params = {"key": key, "name": name, "user_id": user_id, "kept_s": kept_s}
    locked: dict[str, bool] = dict(connection.execute(_LOCK, params).fetchall())
    may = locked.pop(key, None)
    if may is None:
        taken = connection.execute(_INSERT, params).rowcount == 1
        # somebody was faster, perhaps this person on another connection
        may = taken or connection.execute(_IS_MINE, params).fetchone() is not None
    elif may:
        connection.execute(_CHANGE, params)
    return list(locked) if may else None


def claim_name(connection: Connection, user_id: UserId, name: str, *, kept_s: float) -> bool:
    """Reserve `name`, unless another holds it who used it in the last `kept_s`; the guest's other name is free then."""
    with connection.transaction():
        others = take_name(connection, user_id, name, kept_s=kept_s)
        if others:
            connection.execute("DELETE FROM trichat.names WHERE name_key = ANY (%s)", (others,))
    return others is not None


# the latest: somebody who says two names at once on two connections may hold both for a while
_NAME_OF: Final = """
    SELECT name FROM trichat.names
    WHERE user_id = %s AND free_at >= now()
    ORDER BY free_at DESC LIMIT 1
"""


def name_of(connection: Connection, user_id: UserId) -> str | None:
    """The name that the guest holds; one that was not used for too long is nobody's."""
    row = connection.execute(_NAME_OF, (user_id,)).fetchone()
    return None if row is None else str(row[0])


# in the order of keys, and all of them before one is changed: nodes touch the names of those who are connected to
# several at the same time
_TOUCH: Final = """
    UPDATE trichat.names SET free_at = now() + make_interval(secs => %s)
    WHERE name_key = ANY (ARRAY(
        SELECT name_key FROM trichat.names
        WHERE user_id = ANY (%s) AND free_at >= now()
        ORDER BY name_key FOR UPDATE
    ))
"""


def touch_names(connection: Connection, user_ids: Sequence[UserId], *, kept_s: float) -> None:
    """The names that these guests hold are kept for `kept_s` from now."""
    connection.execute(_TOUCH, (kept_s, [user_id for user_id in user_ids if not is_account(user_id)]))


_KEYS: Final = "SELECT number, secret FROM trichat.secrets"
_FIRST_KEY: Final = "INSERT INTO trichat.secrets (number, secret) VALUES (1, %s) ON CONFLICT (number) DO NOTHING"


def signing_secrets(connection: Connection, first: bytes) -> dict[int, bytes]:
    """The cluster's secrets by number; `first` becomes number 1 when there is none."""
    secrets: dict[int, bytes] = dict(connection.execute(_KEYS).fetchall())
    if not secrets:
        connection.execute(_FIRST_KEY, (first,))
        secrets = dict(connection.execute(_KEYS).fetchall())  # perhaps another node's, which was faster
    return secrets
