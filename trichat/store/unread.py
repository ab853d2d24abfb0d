"""How far a member has read and what that leaves, as columns of any statement about `rooms` and `standings`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trichat.core.conversation import Marker

# Two subtractions: of the counts of messages in no thread, and of those of them that were deleted since, by the index
# `events_deleted`. What mentions somebody both by name and as one of the room counts once.
_UNREAD: Final = """
    rooms.last_no - greatest(standings.read_no, rooms.first_no) - (
        SELECT count(*) FROM trichat.events d
        WHERE d.room_id = rooms.id AND d.deleted AND d.thread IS NULL
            AND d.seq > standings.read_seq AND d.seq >= rooms.first_seq
    )
"""
_MENTIONS: Final = """
    (
        SELECT count(DISTINCT m.seq) FROM trichat.mentions m
        WHERE m.room_id = rooms.id AND m.user_id IN (standings.user_id, '*')
            AND m.seq > standings.read_seq AND m.seq >= rooms.first_seq
    )
"""

#: The marker of a member, for which the two tables are joined; `read_marker` makes one of these columns.
MARKER: Final = f"standings.read_seq, {_UNREAD}, {_MENTIONS}"
#: The same where whoever stands there may be no member: nothing is counted then, and all are NULL.
MARKER_OF_MEMBER: Final = f"""
    CASE WHEN standings.role IS NOT NULL THEN standings.read_seq END,
    CASE WHEN standings.role IS NOT NULL THEN {_UNREAD} END,
    CASE WHEN standings.role IS NOT NULL THEN {_MENTIONS} END
"""
#: The same where nobody asks: counting takes longer the more is unread.
NO_MARKER: Final = "NULL::bigint, NULL::bigint, NULL::bigint"
MARKER_COLUMNS: Final = 3


def read_marker(row: Sequence[Any]) -> Marker | None:
    """The marker of the columns MARKER; None of who is no member."""
    seq, unread, mentions = row
    return None if seq is None else Marker(seq, unread, mentions)
