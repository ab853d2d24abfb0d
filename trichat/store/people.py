"""People: the names that guests hold, and what their tokens are signed with. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trichat.core.names import UserId, name_key
from trichat.store.connection import Connection

_CLAIM: Final = """
    WITH claimed AS (
        INSERT INTO trichat.names AS held (name_key, name, user_id, free_at)
        VALUES (%(key)s, %(name)s, %(user_id)s, now() + make_interval(secs => %(kept_s)s))
        ON CONFLICT (name_key) DO UPDATE
            SET name = excluded.name, user_id = excluded.user_id, free_at = excluded.free_at
            WHERE held.user_id = excluded.user_id OR held.free_at < now()
        RETURNING user_id
    ), freed AS (
        DELETE FROM trichat.names USING claimed
        WHERE names.user_id = claimed.user_id AND names.name_key <> %(key)s
    )
    SELECT count(*) FROM claimed
"""


def claim_name(connection: Connection, user_id: UserId, name: str, *, kept_s: float) -> bool:
    """Reserve `name`, unless another holds it who used it in the last `kept_s`; the guest's other name is free then."""
    params = {"key": name_key(name), "name": name, "user_id": user_id, "kept_s": kept_s}
    ((claimed,),) = connection.execute(_CLAIM, params)
    return bool(claimed)


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


# in the order of keys: nodes touch the names of those who are connected to several at the same time
_TOUCH: Final = """
    UPDATE trichat.names SET free_at = now() + make_interval(secs => %s)
    FROM (
        SELECT name_key FROM trichat.names
        WHERE user_id = ANY (%s) AND free_at >= now()
        ORDER BY name_key FOR UPDATE
    ) held
    WHERE names.name_key = held.name_key
"""
_FORGET: Final = """
    DELETE FROM trichat.names WHERE name_key IN (
        SELECT name_key FROM trichat.names
        WHERE free_at < now()
        ORDER BY free_at LIMIT 1000 FOR UPDATE SKIP LOCKED
    )
"""


def touch_names(connection: Connection, user_ids: Sequence[UserId], *, kept_s: float) -> None:
    """The names that these guests hold are kept for `kept_s` from now; some of those that are free are forgotten."""
    connection.execute(_TOUCH, (kept_s, list(user_ids)))
    connection.execute(_FORGET)


_KEYS: Final = "SELECT number, secret FROM trichat.secrets"
_FIRST_KEY: Final = "INSERT INTO trichat.secrets (number, secret) VALUES (1, %s) ON CONFLICT (number) DO NOTHING"


def signing_secrets(connection: Connection, first: bytes) -> dict[int, bytes]:
    """The cluster's secrets by number; `first` becomes number 1 when there is none."""
    secrets: dict[int, bytes] = dict(connection.execute(_KEYS).fetchall())
    if not secrets:
        connection.execute(_FIRST_KEY, (first,))
        secrets = dict(connection.execute(_KEYS).fetchall())  # perhaps another node's, which was faster
    return secrets
