"""What has expired goes, in small portions that hold nobody up. Synchronous functions of a connection.

Every node does this; what one of them has locked the others leave to it.
"""

from __future__ import annotations

from typing import Final

from trichat.store.connection import Connection

#: Rows of each kind that one call removes: some milliseconds, at up to so many a minute and node.
_PORTION: Final = 1_000
#: Events of a deleted room, and all else that hangs on it, that one call removes: about 50 ms.
_ROOM_PORTION: Final = 5_000

# who listens by an expired login hears of its end as of any other
_LOGINS: Final = """
    WITH gone AS (
        DELETE FROM trichat.logins WHERE id IN (
            SELECT id FROM trichat.logins
            WHERE expires_at <= now()
            ORDER BY expires_at LIMIT %(portion)s FOR UPDATE SKIP LOCKED
        )
        RETURNING user_id, id
    )
    INSERT INTO trichat.ended (at, user_id, session_id) SELECT clock_timestamp(), user_id, id FROM gone
"""
_NAMES: Final = """
    DELETE FROM trichat.names WHERE name_key IN (
        SELECT name_key FROM trichat.names
        WHERE free_at < now()
        ORDER BY free_at LIMIT %(portion)s FOR UPDATE SKIP LOCKED
    )
"""
_INVITES: Final = """
    DELETE FROM trichat.invites WHERE code_hash IN (
        SELECT code_hash FROM trichat.invites
        WHERE expires_at <= now() OR uses_left <= 0
        LIMIT %(portion)s FOR UPDATE SKIP LOCKED
    )
"""
_ENDED: Final = """
    DELETE FROM trichat.ended WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM trichat.ended
        WHERE at < now() - make_interval(secs => %(revoked_kept_s)s)
        ORDER BY at LIMIT %(portion)s FOR UPDATE SKIP LOCKED
    ))
"""
_OUTGOING: Final = """
    DELETE FROM trichat.outgoing WHERE number IN (
        SELECT number FROM trichat.outgoing
        WHERE at < now() - make_interval(secs => %(outgoing_kept_s)s)
        ORDER BY at LIMIT %(portion)s FOR UPDATE SKIP LOCKED
    )
"""


def tidy(connection: Connection, *, revoked_kept_s: float, outgoing_kept_s: float) -> None:
    """Remove one portion each of what has expired, and of a room that was deleted."""
    for statement in (_LOGINS, _NAMES, _INVITES, _ENDED, _OUTGOING):
        kept = {"revoked_kept_s": revoked_kept_s, "outgoing_kept_s": outgoing_kept_s}
        connection.execute(statement, {"portion": _PORTION, **kept})
    _tidy_dropped_room(connection)


_NEXT_ROOM: Final = "SELECT room_id FROM trichat.dropped_rooms ORDER BY room_id LIMIT 1 FOR UPDATE SKIP LOCKED"
_TABLES: Final = (
    "events", "standings", "invites", "reports", "pace", "revisions", "reactions", "pins", "threads", "follows",
    "mentions", "outgoing", "search", "indexed",
)  # fmt: skip
#: Of each table so many rows of a room; the row of `dropped_rooms` goes last, so that a crash leaves no remains.
_OF_ROOM: Final = [
    f"""
    DELETE FROM trichat.{table} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM trichat.{table} WHERE room_id = %(room_id)s LIMIT %(portion)s
    ))
    """  # noqa: S608 (our own names)
    for table in _TABLES
]


def _tidy_dropped_room(connection: Connection) -> None:
    with connection.transaction():
        row = connection.execute(_NEXT_ROOM).fetchone()
        if row is None:
            return
        left = _ROOM_PORTION
        for statement in _OF_ROOM:
            left -= connection.execute(statement, {"room_id": row[0], "portion": left}).rowcount
            if left == 0:
                return
        connection.execute("DELETE FROM trichat.dropped_rooms WHERE room_id = %s", row)
