"""The log as it stands: messages in their present state, what has become of a stretch, and what lies in between.

Synchronous functions of a connection. None of them takes longer for a long log, or for much that lies between messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trichat.chat.conversation_ports import Between, CompactPage
from trichat.chat.ports import MessagePage
from trichat.core.acts import ACT_KINDS
from trichat.core.events import EVERYBODY, Event
from trichat.core.names import RoomId, UserId
from trichat.store.connection import Connection
from trichat.store.messages import PRESENT, PRESENT_COLUMNS, read_message
from trichat.store.paging import cut

# Bytes are summed where the rows are: what comes here is a page and one row more, which tells that there is more.
# `start` is how many bytes come before a row; the second may be the one more though the first is too big already.
# What a body gets on top (reactions and so on) is counted here, when the page is cut.
_SIZE: Final = "octet_length(body::text)"


def _page(rows: str, order: str) -> str:
    """Messages of `rows` in this order, as a page, with how many there are in all and the last one's `no`."""
    return f"""
        SELECT {PRESENT}, counted, farthest, (SELECT ARRAY[first_no, last_no] FROM trichat.rooms WHERE id = %(room_id)s)
        FROM (
            SELECT *, sum({_SIZE}) OVER given - {_SIZE} AS start, row_number() OVER given AS row,
                count(*) OVER () AS counted, last_value(no) OVER (
                    given ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
                ) AS farthest
            FROM ({rows}) page
            WINDOW given AS (ORDER BY {order})
        ) e
        WHERE start <= %(max_bytes)s OR row = 2
        ORDER BY {order}
    """  # noqa: S608 (made of our own constants)


# Of the main line a stretch of the log is looked through, which nearly always holds a page. Only where it does not,
# because something else was said a thousand times between two messages, they are looked for by their numbers.
def _near(condition: str, order: str) -> str:
    return _page(
        f"""
        SELECT * FROM (
            SELECT * FROM trichat.events WHERE room_id = %(room_id)s AND {condition}
            ORDER BY {order} LIMIT %(stretch)s
        ) stretch
        WHERE kind = 'message' AND thread IS NULL
        ORDER BY {order} LIMIT %(limit)s + 1
        """,  # noqa: S608 (made of our own constants)
        order,
    )


def _by_number(first: str, last: str, order: str) -> str:
    return _page(
        f"""
        SELECT event.*
        FROM (SELECT trichat.number_at(%(room_id)s, %(at)s) AS number) place
        CROSS JOIN LATERAL trichat.main_line(%(room_id)s, {first}, {last}) AS found (seq)
        CROSS JOIN LATERAL (
            SELECT * FROM trichat.events WHERE room_id = %(room_id)s AND seq = found.seq LIMIT 1
        ) event
        """,  # noqa: S608 (made of our own constants)
        order,
    )


# Row by row of the index of threads: an equation for `thread` would let the planner believe that the whole log, read
# backwards, has enough of them soon.
def _of_thread(condition: str, direction: str) -> str:
    return _page(
        f"""
        SELECT * FROM trichat.events
        WHERE room_id = %(room_id)s AND {condition} AND kind = 'message'
        ORDER BY thread {direction}, seq {direction} LIMIT %(limit)s + 1
        """,  # noqa: S608 (made of our own constants)
        f"seq {direction}",
    )


_NEAR: Final = {True: _near("seq > %(at)s", "seq"), False: _near("seq <= %(at)s", "seq DESC")}
_BY_NUMBER: Final = {
    True: _by_number("number + 1", "number + 1 + %(limit)s", "seq"),
    False: _by_number("number - %(limit)s", "number", "seq DESC"),
}
_OF_THREAD: Final = {
    True: _of_thread("(thread, seq) > (%(thread)s, %(at)s) AND thread <= %(thread)s", ""),
    False: _of_thread("(thread, seq) <= (%(thread)s, %(at)s) AND thread >= %(thread)s", "DESC"),
}
_END_OF_LOG: Final = 2**63 - 1


def read_messages(
    connection: Connection,
    room_id: RoomId,
    *,
    before: int | None,
    after: int | None,
    limit: int,
    max_bytes: int,
    viewer: UserId | None,
    thread: int | None,
) -> MessagePage:
    """The messages nearest to the place asked for in their present state, oldest first; see the port."""
    forward = after is not None
    at = after if after is not None else _END_OF_LOG if before is None else before - 1
    params = {
        "room_id": room_id, "at": at, "limit": limit, "max_bytes": max_bytes, "viewer": viewer, "thread": thread,
        "stretch": 8 * limit + 400,
    }  # fmt: skip
    statement = _NEAR[forward] if thread is None else _OF_THREAD[forward]
    rows = connection.execute(statement, params).fetchall()
    if thread is None and _may_lack(rows, limit, forward=forward):
        rows = connection.execute(_BY_NUMBER[forward], params).fetchall()
    found = [read_message(row[:PRESENT_COLUMNS]) for row in rows]
    messages = cut(found, limit=limit, max_bytes=max_bytes)
    return MessagePage(messages if forward else messages[::-1], more=len(messages) < len(found))


def _may_lack(rows: Sequence[tuple[Any, ...]], limit: int, *, forward: bool) -> bool:
    """Whether there may be messages beyond the stretch that was looked through."""
    if not rows:
        return True
    counted, farthest, (first_no, last_no) = rows[0][PRESENT_COLUMNS:]
    return bool(counted <= limit and (farthest < last_no if forward else farthest > first_no + 1))


# At one place there are at most two: the reply that was said, or deleted, there, and the one that its thread hangs on.
_COMPACT: Final = f"""
    SELECT {PRESENT}, e.counted, r.last_seq
    FROM trichat.rooms r LEFT JOIN LATERAL (
        SELECT *, sum({_SIZE}) OVER given - {_SIZE} AS start, row_number() OVER given AS row,
            count(*) OVER () AS counted
        FROM (
            (
                SELECT seq AS place, * FROM trichat.events
                WHERE room_id = %(room_id)s AND seq > %(since)s AND seq <= %(end)s
                    AND rev IS NULL AND kind <> ALL (%(acts)s)
                ORDER BY seq LIMIT %(limit)s + 2
            )
            UNION ALL
            (
                SELECT rev AS place, * FROM trichat.events
                WHERE room_id = %(room_id)s AND rev > %(since)s AND rev <= %(end)s
                ORDER BY rev LIMIT %(limit)s + 2
            )
            ORDER BY place, seq LIMIT %(limit)s + 2
        ) page
        WINDOW given AS (ORDER BY place, seq)
    ) e ON start <= %(max_bytes)s OR row = 2
    WHERE r.id = %(room_id)s
    ORDER BY e.place, e.seq
"""  # noqa: S608 (made of our own constants)


def read_compact(
    connection: Connection,
    room_id: RoomId,
    *,
    since: int,
    limit: int,
    max_bytes: int,
    viewer: UserId | None,
    looked_at: int,
) -> CompactPage:
    """What has become of up to `looked_at` events after `since`; see the port."""
    end = since + looked_at
    params = {
        "room_id": room_id, "since": since, "end": end, "limit": limit, "max_bytes": max_bytes, "viewer": viewer,
        "acts": list(ACT_KINDS),
    }  # fmt: skip
    rows = connection.execute(_COMPACT, params).fetchall()
    counted, head = rows[0][PRESENT_COLUMNS:] if rows else (None, 0)
    found = [read_message(row[:PRESENT_COLUMNS]) for row in rows if row[0] is not None]
    entries = cut_compact(found, limit=limit, max_bytes=max_bytes)
    return compact_page(entries, since=since, end=end, head=head, all_found=len(entries) == (counted or 0))


def cut_compact(found: Sequence[Event], *, limit: int, max_bytes: int) -> list[Event]:
    """The first of `found`, as `paging.cut` has them, and one more where only both say what happened at a place."""
    entries = cut(found, limit=limit, max_bytes=max_bytes)
    beyond = found[len(entries) : len(entries) + 1]
    return entries + [event for event in beyond if place_of(event) == place_of(entries[-1])]


def place_of(event: Event) -> int:
    """Where an event is found by who takes what has become of the log."""
    return event.rev or event.seq


def compact_page(entries: list[Event], *, since: int, end: int, head: int, all_found: bool) -> CompactPage:
    """The page of the first entries, or all, from `since` to `end`, of a log that ends at `head`."""
    if not all_found:
        return CompactPage(entries, to=place_of(entries[-1]), more=True)
    return CompactPage(entries, to=max(since, min(end, head)), more=end < head)


#: Mentions that are counted; of more, so many are told.
MOST_MENTIONS: Final = 1_000
_BETWEEN: Final = """
    SELECT
        first_seq,
        trichat.number_at(id, %(last)s) - trichat.number_at(id, %(first)s - 1),
        (
            SELECT count(DISTINCT seq) FROM unnest(%(viewers)s::text[]) AS whom CROSS JOIN LATERAL (
                SELECT seq FROM trichat.mentions
                WHERE user_id = whom AND room_id = id AND seq BETWEEN %(first)s AND %(last)s
                ORDER BY seq LIMIT %(most)s
            ) m
        ),
        read_seq
    FROM trichat.rooms LEFT JOIN trichat.standings s ON s.room_id = id AND user_id = %(viewer)s AND role IS NOT NULL
    WHERE id = %(room_id)s
"""
_UNREAD: Final = """
    SELECT found.seq, deleted
    FROM (SELECT trichat.number_at(%(room_id)s, %(after)s) + %(passed)s AS number) place
    CROSS JOIN LATERAL trichat.main_line(%(room_id)s, number + 1, number + %(most)s) AS found (seq)
    CROSS JOIN LATERAL (
        SELECT deleted FROM trichat.events WHERE room_id = %(room_id)s AND seq = found.seq LIMIT 1
    ) event
    ORDER BY found.seq
"""
#: Messages looked at for the first that is not deleted: one, which mostly suffices; some; many.
_UNREAD_LOOKS: Final = (1, 30, 1_000)


def between(connection: Connection, room_id: RoomId, first: int, last: int, viewer: UserId) -> Between:
    """What lies in the events `first` … `last`; see the port."""
    params = {
        "room_id": room_id, "first": first, "last": last, "viewer": viewer, "viewers": [viewer, EVERYBODY],
        "most": MOST_MENTIONS,
    }  # fmt: skip
    row = connection.execute(_BETWEEN, params).fetchone()
    if row is None:
        return Between(0, 0, 0)
    first_seq, messages, mentions, read_seq = row
    unread = 0 if read_seq is None else _first_unread(connection, room_id, max(read_seq, first - 1), last)
    return Between(max(0, messages), min(mentions, MOST_MENTIONS), unread, first_seq)


def _first_unread(connection: Connection, room_id: RoomId, after: int, last: int) -> int:
    passed = 0
    for most in _UNREAD_LOOKS:
        params = {"room_id": room_id, "after": after, "passed": passed, "most": most}
        for seq, deleted in connection.execute(_UNREAD, params).fetchall():
            if seq > last:
                return 0
            passed += 1
            if not deleted:
                return int(seq)
    return 0
