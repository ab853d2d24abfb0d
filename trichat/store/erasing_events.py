"""What a person has said and done goes from the logs. A synchronous function of a connection, one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trichat.core.accounts import ERASED
from trichat.core.names import UserId
from trichat.store.connection import Connection
from trichat.store.erased import becomes_tombstone, erased, mentions
from trichat.store.erasure import Found, Place, find_between, find_events
from trichat.store.writing import durably

_LOCK: Final = "SELECT FROM trichat.rooms WHERE id = ANY (%s) ORDER BY id FOR UPDATE"


def erase_events(connection: Connection, user_id: UserId, after: Place, portion: int) -> Place | None:
    """The names and texts in the next `portion` events go; where to go on, or None at the end.

    Under the locks of their rooms, as whatever else changes a message: none of it is lost, nor comes back. Rooms
    without such an event are not held up.
    """
    with durably(connection):
        found, end = find_events(connection, user_id, after, portion)
        if any(_changes(one, user_id) for one in found):
            connection.execute(_LOCK, (list({one.room_id for one in found}),))
            found = find_between(connection, user_id, after, end)
            _rewrite(connection, [one for one in found if _changes(one, user_id)], user_id)
    return end


def _changes(one: Found, user_id: UserId) -> bool:
    return erased(one.event, user_id) != one.event


_REWRITE: Final = """
    UPDATE trichat.events SET
        user_name = n.user_name, body = n.body::json, deleted = deleted OR n.gone,
        edited = CASE WHEN NOT n.gone THEN edited END
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::boolean[]
    ) AS n (room_id, seq, user_name, body, gone)
    WHERE events.room_id = n.room_id AND events.seq = n.seq
"""


def _forget(table: str) -> str:
    return f"""
        DELETE FROM trichat.{table} t USING unnest(%(rooms)s::bigint[], %(seqs)s::bigint[]) AS n (room_id, seq)
        WHERE t.room_id = n.room_id AND t.seq = n.seq
    """  # noqa: S608 (our own names)


#: What a deleted message has no more.
_FORGET: Final = [_forget(table) for table in ("revisions", "reactions", "pins", "mentions", "search")]
_FORGET_MENTIONS: Final = f"{_forget('mentions')} AND t.user_id = %(user_id)s"
_BLANK_REACTIONS: Final = """
    UPDATE trichat.reactions t SET name = %(erased)s
    FROM unnest(%(rooms)s::bigint[], %(seqs)s::bigint[]) AS n (room_id, seq)
    WHERE t.room_id = n.room_id AND t.seq = n.seq AND t.user_id = %(user_id)s
"""


def _rewrite(connection: Connection, found: Sequence[Found], user_id: UserId) -> None:
    rows = []
    for one in found:
        event = erased(one.event, user_id)
        rows.append((one.room_id, event.seq, event.user, event.body.decode(), becomes_tombstone(event, user_id)))
    if not rows:
        return
    connection.execute(_REWRITE, [list(column) for column in zip(*rows, strict=True)])
    gone = _places([(one.room_id, one.event.seq) for one in found if becomes_tombstone(one.event, user_id)])
    for statement in _FORGET:
        connection.execute(statement, gone)
    mentioned = _places([(one.room_id, one.event.seq) for one in found if mentions(one.event, user_id)])
    connection.execute(_FORGET_MENTIONS, mentioned | {"user_id": user_id})
    reacted = _places([(one.room_id, one.event.target or 0) for one in found if one.event.kind == "reacted"])
    connection.execute(_BLANK_REACTIONS, reacted | {"user_id": user_id, "erased": ERASED})


def _places(places: Sequence[Place]) -> dict[str, object]:
    return {"rooms": [room_id for room_id, _ in places], "seqs": [seq for _, seq in places]}
