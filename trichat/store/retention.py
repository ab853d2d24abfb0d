"""What a room keeps no more goes, from the beginning of its log, in portions. Synchronous functions of a connection.

A room keeps what its rules say, else what the server says for all. `seq` and `no` of what stays are as they were. With
its event a `cid` is forgotten: whoever repeats it after all that time says something new.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from trichat.core.names import RoomId
from trichat.store.connection import Connection
from trichat.store.room_lock import governing

#: Rooms that one call of `find_expired` looks at: some milliseconds.
ROOMS: Final = 1_000
#: Events that one call of `remove_expired` removes, under the room's lock: some milliseconds, in which sends wait.
EVENTS: Final = 1_000
#: Rows that hung on them, of each kind, that it removes: nobody sees them any more.
_REMAINS: Final = 5_000

# What hangs on messages, and may be more than a portion of messages can carry along, or come after they went (a reply
# whose thread was looked at before): it goes after them.
_HANGING: Final = {"reactions": "seq", "revisions": "seq", "threads": "root", "follows": "root"}
# subqueries of one row: an EXISTS may be planned as a scan of the whole table
_REMAINING: Final = " OR ".join(
    f"(SELECT true FROM trichat.{table} x WHERE x.room_id = p.id AND x.{column} < p.first_seq LIMIT 1)"  # noqa: S608
    for table, column in _HANGING.items()
)
_FIND: Final = f"""
    WITH portion AS (
        SELECT id, first_seq, coalesce(nullif(retention_days, 0), %(days)s) AS days
        FROM trichat.rooms WHERE id > %(after)s ORDER BY id LIMIT %(rooms)s
    )
    SELECT
        (SELECT CASE WHEN count(*) = %(rooms)s THEN max(id) ELSE 0 END FROM portion),
        ARRAY(
            SELECT id FROM portion p
            WHERE days > 0 AND (
                SELECT ts < now() - make_interval(days => p.days) FROM trichat.events e
                WHERE e.room_id = p.id AND e.seq = p.first_seq
            ) OR first_seq > 1 AND ({_REMAINING})
            ORDER BY id
        )
"""  # noqa: S608 (our own names)


class Expired(Struct, frozen=True):
    """Rooms with something that they keep no more, and after which room to go on (0: at the first one again)."""

    rooms: list[RoomId]
    after: RoomId


def find_expired(connection: Connection, after: RoomId, *, days: int) -> Expired:
    """Look at the next rooms after `after`, each by one look at its oldest event. `days` is what holds for all."""
    row = connection.execute(_FIND, {"after": after, "days": days, "rooms": ROOMS}).fetchone()
    assert row is not None
    return Expired(row[1], row[0])


_LOCK: Final = """
    SELECT first_seq, coalesce(nullif(retention_days, 0), %s) FROM trichat.rooms WHERE id = %s FOR UPDATE
"""
# a clock that was set back does not matter: what is kept begins at the first event that is young enough
_BOUND: Final = """
    WITH oldest AS (
        SELECT seq, ts FROM trichat.events
        WHERE room_id = %(room_id)s AND seq >= %(first)s ORDER BY seq LIMIT %(portion)s
    )
    SELECT coalesce(min(seq) FILTER (WHERE ts >= now() - make_interval(days => %(days)s)), max(seq) + 1) FROM oldest
"""
_MOVE: Final = """
    UPDATE trichat.rooms SET
        first_seq = %(end)s,
        first_no = (SELECT no FROM trichat.events WHERE room_id = %(room_id)s AND seq = %(end)s - 1),
        last_message = CASE WHEN last_message < %(end)s THEN 0 ELSE last_message END
    WHERE id = %(room_id)s
"""
_REMOVE: Final = [
    f"DELETE FROM trichat.{table} WHERE room_id = %(room_id)s AND {column} >= %(first)s AND {column} < %(end)s"  # noqa: S608
    for table, column in {"mentions": "seq", "pins": "seq", "events": "seq"}.items()
]
_SWEEP: Final = [
    f"""
    DELETE FROM trichat.{table} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM trichat.{table} WHERE room_id = %(room_id)s AND {column} < %(end)s LIMIT %(remains)s
    ))
    """  # noqa: S608 (our own names)
    for table, column in _HANGING.items()
]


def remove_expired(connection: Connection, room_id: RoomId, *, days: int, patience_ms: int) -> bool:
    """Remove one portion of what the room keeps no more; whether there may be more. `patience_ms` is for its lock."""
    with governing(connection, patience_ms):
        row = connection.execute(_LOCK, (days, room_id)).fetchone()
        if row is None:
            return False
        first, kept_days = row
        span = {"room_id": room_id, "first": first, "days": kept_days, "portion": EVENTS, "remains": _REMAINS}
        ((bound,),) = connection.execute(_BOUND, span) if kept_days else [(None,)]
        span["end"] = end = first if bound is None else bound
        if end > first:
            connection.execute(_MOVE, span)
            for statement in _REMOVE:
                connection.execute(statement, span)
        swept = [connection.execute(statement, span).rowcount for statement in _SWEEP]
    return end - first == EVENTS or _REMAINS in swept
