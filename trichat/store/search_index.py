"""The index that searches look into, filled in the background. Synchronous functions of a connection.

Any node may do it, several at a time: a room is one's who has locked its row in `trichat.indexed`, and the others
leave it alone. A step writes what it has read and how far it came in one transaction: a node that dies in it leaves
the room as it was. No step is more than a portion, and the room's own row, for which sends wait, is locked at its very
end alone.
"""

from __future__ import annotations

from typing import Any, Final

from trichat.core.names import RoomId
from trichat.store.connection import Connection

# The rooms in the order of their numbers, so many at a time: there is no list of those where something is new, which
# each send would have to keep, and which could be wrong.
_SWEEP: Final = """
    SELECT r.id, i.room_id IS NULL OR i.seq < r.last_seq OR i.language <> r.language,
        r.first_seq > 1 AND EXISTS (SELECT FROM trichat.search s WHERE s.room_id = r.id AND s.seq < r.first_seq)
    FROM (
        SELECT id, last_seq, language, first_seq FROM trichat.rooms WHERE id > %s ORDER BY id LIMIT %s
    ) r LEFT JOIN trichat.indexed i ON i.room_id = r.id
    WHERE r.last_seq > 0
    ORDER BY r.id
"""
_LAST_SWEPT: Final = "SELECT id FROM trichat.rooms WHERE id > %s ORDER BY id OFFSET %s LIMIT 1"


def index(connection: Connection, after: RoomId, *, portion: int, patience_ms: int) -> tuple[RoomId, bool]:
    """Put up to `portion` events of the next rooms after `after` into the index; long ones count more than once.

    Where to go on (0: from the first room again), and whether anything was done.
    """
    rooms = connection.execute(_SWEEP, (after, portion)).fetchall()
    left = portion
    for room_id, behind, ages in rooms:
        if ages:
            left -= _forget_old(connection, room_id, left)
        if behind:
            left -= index_room(connection, room_id, portion=left, patience_ms=patience_ms)
        if left <= 0:
            return RoomId(room_id - 1), True  # there may be more of this room
    row = connection.execute(_LAST_SWEPT, (after, portion - 1)).fetchone()
    return RoomId(0 if row is None else row[0]), left < portion


_BEGIN: Final = "INSERT INTO trichat.indexed (room_id, seq, language) VALUES (%s, 0, %s) ON CONFLICT DO NOTHING"
_TAKE: Final = "SELECT seq, language FROM trichat.indexed WHERE room_id = %s FOR UPDATE SKIP LOCKED"
_ROOM: Final = "SELECT last_seq, language, first_seq FROM trichat.rooms WHERE id = %s"
#: Bytes for which a long event counts once more: each of its words is an entry of the index.
_BYTES_MORE: Final = 128
_PORTION: Final = f"""
    SELECT max(seq), max(counted)::bigint FROM (
        SELECT seq, sum(weight) OVER (ORDER BY seq) AS counted, sum(weight) OVER (ORDER BY seq) - weight AS before
        FROM (
            SELECT seq, 1 + octet_length(body::text) / {_BYTES_MORE} AS weight FROM trichat.events
            WHERE room_id = %(room_id)s AND seq > %(after)s AND seq <= %(to)s ORDER BY seq
        ) e
    ) e
    WHERE before < %(portion)s
"""  # noqa: S608 (our own constants)
_ADD: Final = """
    INSERT INTO trichat.search (room_id, seq, ts, vector)
    SELECT e.room_id, e.seq, e.ts, trichat.search_vector(%(language)s, e)
    FROM trichat.events e
    WHERE e.room_id = %(room_id)s AND e.seq > %(after)s AND e.seq <= %(to)s AND e.kind = 'message' AND NOT e.deleted
    ON CONFLICT (room_id, seq) DO UPDATE SET ts = excluded.ts, vector = excluded.vector
"""
_LOCK_ROOM: Final = "SELECT FROM trichat.rooms WHERE id = %s FOR UPDATE"
# an erasure deletes without an event
_CHANGED_SINCE: Final = """
    SELECT s.seq FROM trichat.search s JOIN trichat.events e ON e.room_id = s.room_id AND e.seq = s.seq
    WHERE s.room_id = %(room_id)s AND s.seq > %(after)s AND s.seq <= %(to)s AND (e.rev > %(head)s OR e.deleted)
"""
_KEEP: Final = "UPDATE trichat.indexed SET seq = %s, language = %s WHERE room_id = %s"


def index_room(connection: Connection, room_id: RoomId, *, portion: int, patience_ms: int) -> int:
    """Put the room's next `portion` events into the index, or as many as that is when long ones count more than once:
    how many were counted; 0 when somebody else is at it."""
    with connection.transaction():
        # What is lost in a crash is the whole step, and is done again.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true),"
            " set_config('lock_timeout', %s, true)", (str(patience_ms),)
        )  # fmt: skip
        room = connection.execute(_ROOM, (room_id,)).fetchone()
        if room is None:
            return 0
        head, language, first = room
        connection.execute(_BEGIN, (room_id, language))
        place = connection.execute(_TAKE, (room_id,)).fetchone()
        if place is None:
            return 0
        after = max(place[0] if place[1] == language else 0, first - 1)
        span = {"room_id": room_id, "language": language, "after": after, "to": min(head, after + portion)}
        to, counted = _portion(connection, span, portion)
        span["to"] = to
        connection.execute(_ADD, span)
        # What was done to these messages after the head was read waits for this lock, or is seen by what follows it.
        if connection.execute(_LOCK_ROOM, (room_id,)).fetchone() is None:
            connection.execute("DELETE FROM trichat.search WHERE room_id = %s AND seq > %s", (room_id, after))
            return 0
        for (seq,) in connection.execute(_CHANGED_SINCE, {**span, "head": head}).fetchall():
            _renew(connection, room_id, seq)
        connection.execute(_KEEP, (max(to, after), language, room_id))
        return max(counted, 1)


def _portion(connection: Connection, span: dict[str, Any], portion: int) -> tuple[int, int]:
    """Up to which `seq` of the span it is a portion, and what its events count."""
    ((to, counted),) = connection.execute(_PORTION, {**span, "portion": portion})
    return (span["to"], 0) if to is None else (to, counted)  # none is there any more


def text_changed(connection: Connection, room_id: RoomId, seq: int) -> None:
    """The message `seq` says something else now. In the transaction that has changed its row, under the room's lock."""
    _renew(connection, room_id, seq)


def forget_text(connection: Connection, room_id: RoomId, seq: int) -> None:
    """The message `seq` is deleted. In the transaction that does so, under the room's lock."""
    place = {"room_id": room_id, "seq": seq}
    if connection.execute(_LOCKED, place).fetchone() is not None:
        connection.execute(_FORGET, place)


# A row that is locked is one that `index_room` is just writing anew: it waits for the room's lock, and sees to it then.
_LOCKED: Final = """
    SELECT FROM trichat.search WHERE room_id = %(room_id)s AND seq = %(seq)s FOR UPDATE SKIP LOCKED
"""
_FORGET: Final = "DELETE FROM trichat.search WHERE room_id = %(room_id)s AND seq = %(seq)s"
_RENEW: Final = """
    UPDATE trichat.search s SET vector = trichat.search_vector(r.language, e)
    FROM trichat.events e, trichat.rooms r
    WHERE s.room_id = %(room_id)s AND s.seq = %(seq)s AND e.room_id = %(room_id)s AND e.seq = %(seq)s
        AND r.id = %(room_id)s
"""
_IS_DELETED: Final = "SELECT deleted FROM trichat.events WHERE room_id = %(room_id)s AND seq = %(seq)s"


def _renew(connection: Connection, room_id: RoomId, seq: int) -> None:
    """Write anew what the index has of a message, if it has it: what is not there yet will be read as it is then."""
    place = {"room_id": room_id, "seq": seq}
    if connection.execute(_LOCKED, place).fetchone() is None:
        return
    ((deleted,),) = connection.execute(_IS_DELETED, place)
    connection.execute(_FORGET if deleted else _RENEW, place)


_FORGET_OLD: Final = """
    DELETE FROM trichat.search WHERE ctid = ANY (ARRAY(
        SELECT s.ctid FROM trichat.search s
        WHERE s.room_id = %(room_id)s AND s.seq < (SELECT first_seq FROM trichat.rooms WHERE id = %(room_id)s)
        ORDER BY s.seq LIMIT %(portion)s FOR UPDATE SKIP LOCKED
    ))
"""


def _forget_old(connection: Connection, room_id: RoomId, portion: int) -> int:
    """Remove a portion of what the room keeps no more."""
    return connection.execute(_FORGET_OLD, {"room_id": room_id, "portion": portion}).rowcount
