"""Messages in their present state. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from trichat.core.events import Event
from trichat.core.names import RoomId, UserId
from trichat.core.present import decode_counts, present
from trichat.store.connection import Connection

#: The columns of a message `e` as `%(viewer)s` sees it; `read_message` makes an Event of them. What a message that
#: never changed cannot have is not looked for: a plain one costs no more than its row.
PRESENT: Final = """
    e.seq, e.kind, e.user_id, e.user_name, floor(extract(epoch FROM e.ts) * 1000)::bigint, e.cid, e.body::text,
    coalesce(e.rev, 0), e.thread, e.no, floor(extract(epoch FROM e.edited) * 1000)::bigint,
    CASE WHEN e.rev IS NOT NULL AND NOT e.deleted THEN (
        SELECT json_agg(json_build_array(emoji, n, mine) ORDER BY emoji)::text
        FROM (
            SELECT emoji, count(*) AS n, bool_or(user_id IS NOT DISTINCT FROM %(viewer)s) AS mine
            FROM trichat.reactions WHERE room_id = e.room_id AND seq = e.seq GROUP BY emoji
        ) counted
    ) END,
    e.rev IS NOT NULL AND EXISTS (SELECT FROM trichat.pins WHERE room_id = e.room_id AND seq = e.seq),
    CASE WHEN e.rev IS NOT NULL THEN (
        SELECT ARRAY[last_no - (
            SELECT count(*) FROM trichat.events d WHERE d.room_id = e.room_id AND d.deleted AND d.thread = e.seq
        ), last_seq]
        FROM trichat.threads WHERE room_id = e.room_id AND root = e.seq
    ) END
"""
PRESENT_COLUMNS: Final = 14


def read_message(row: Sequence[Any]) -> Event:
    """The message of the columns PRESENT, with its present state in its body."""
    seq, kind, user_id, user, ts, cid, body, rev, thread, no, edited, reactions, pinned, replies = row
    event = Event(seq, kind, user_id, user, ts, cid, body.encode(), rev, thread=thread, no=no)
    count, last_reply = replies or (0, 0)
    return present(
        event, edited=edited, pinned=pinned, replies=count, last_reply=last_reply, reactions=decode_counts(reactions)
    )


_BY_PLACE: Final = f"""
    SELECT e.room_id, {PRESENT}
    FROM unnest(%(rooms)s::bigint[], %(seqs)s::bigint[]) AS place (room_id, seq)
    JOIN trichat.events e ON e.room_id = place.room_id AND e.seq = place.seq
    WHERE e.kind = 'message'
"""  # noqa: S608 (our own constants)


def messages_at(
    connection: Connection, places: Collection[tuple[RoomId, int]], viewer: UserId | None
) -> dict[tuple[RoomId, int], Event]:
    """The messages at these places (room and seq) as `viewer` sees them; those that are none are left out."""
    rooms, seqs = [room_id for room_id, _ in places], [seq for _, seq in places]
    rows = connection.execute(_BY_PLACE, {"rooms": rooms, "seqs": seqs, "viewer": viewer})
    return {(row[0], row[1]): read_message(row[1:]) for row in rows}
