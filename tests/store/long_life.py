"""A chat that has lived long, written at once: a room with half of all events, and many small ones with the rest.

Of each hundred events in a row the last four are a reply in a thread, a deletion, an edit and a reaction, of messages
of that hundred; one message of each hundred mentions ann and one the room. Rows are as the server writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg
from msgspec import Struct

from trichat.core.names import RoomId, RoomName, UserId
from trichat.store.schema import schema_text

ANN: Final = UserId("u_ann")
#: Rooms beside the long one, all of which ann is a member of.
SMALL_ROOMS: Final = 199
#: In each hundred: the message that is replied to, deleted, edited, reacted to; that mentions ann, and everybody.
ROOT, DELETED, EDITED, REACTED, TO_ANN, TO_ALL = 10, 20, 30, 40, 50, 60
_MESSAGES: Final = 97 - 1  # of each hundred, in no thread

Row = tuple[Any, ...]
_COLUMNS: Final = {
    "events": "room_id, seq, kind, user_id, user_name, ts, target, rev, body, no, thread, thread_no, edited, deleted",
    "revisions": "room_id, seq, rev, at, text",
    "reactions": "room_id, seq, emoji, user_id, name",
    "threads": "room_id, root, last_no, last_seq",
    "follows": "room_id, root, user_id, following, read_seq, read_no",
    "mentions": "user_id, room_id, seq, at",
}
_AT: Final = "2026-01-01T00:00:00Z"
_TEXT: Final = "something of the length that people say in a chat, now and then"


class Lived(Struct, frozen=True):
    """What was written: the long room and its head, and how many events there are in all rooms."""

    room_id: RoomId
    name: RoomName
    head: int
    events: int


def fill(url: str, events: int) -> Lived:
    """Fill an empty database with so many events, about; a small room has at least a hundred.

    Ann has read all but the last two hundred of each room.
    """
    long, small = events // 200 * 100, events // 2 // SMALL_ROOMS // 100 * 100
    sizes = {RoomId(1): long} | {RoomId(2 + n): max(small, 100) for n in range(SMALL_ROOMS)}
    with psycopg.connect(url) as connection:
        connection.execute(schema_text().encode())
        for room_id, head in sizes.items():
            _add_room(connection, room_id, head)
        for table, columns in _COLUMNS.items():
            with connection.cursor().copy(f"COPY trichat.{table} ({columns}) FROM STDIN".encode()) as copy:
                for room_id, head in sizes.items():
                    for hundred in range(0, head, 100):
                        for row in _rows(table, room_id, hundred):
                            copy.write_row(row)
        connection.execute("SELECT setval(pg_get_serial_sequence('trichat.rooms', 'id'), 1000)")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return Lived(RoomId(1), RoomName("room001"), long, sum(sizes.values()))


def _add_room(connection: psycopg.Connection[Any], room_id: RoomId, head: int) -> None:
    no = head // 100 * _MESSAGES
    connection.execute(
        "INSERT INTO trichat.rooms (id, name, epoch, last_seq, last_no, last_message) OVERRIDING SYSTEM VALUE"
        " VALUES (%s, %s, 'epoch', %s, %s, %s)",
        (room_id, f"room{room_id:03}", head, no, head - 4),
    )
    connection.execute(
        "INSERT INTO trichat.standings (room_id, user_id, name, role, since, read_seq, read_no)"
        " VALUES (%s, %s, 'ann', 2, 1, %s, %s)",
        (room_id, ANN, max(0, head - 200), max(0, no - 2 * _MESSAGES)),
    )


def _rows(table: str, room_id: RoomId, hundred: int) -> Iterator[Row]:
    """The rows of a table for the events `hundred` + 1 … `hundred` + 100."""
    match table:
        case "events":
            yield from _events(room_id, hundred)
        case "revisions":
            yield room_id, hundred + EDITED, hundred + EDITED, _AT, "before"
        case "reactions":
            yield room_id, hundred + REACTED, "👍", "u_bob", "bob"
        case "threads":
            yield room_id, hundred + ROOT, 1, hundred + 97
        case "follows":
            yield room_id, hundred + ROOT, ANN, True, hundred + 97, 1
        case "mentions":
            yield ANN, room_id, hundred + TO_ANN, _AT
            yield "*", room_id, hundred + TO_ALL, _AT


def _events(room_id: RoomId, hundred: int) -> Iterator[Row]:
    no = hundred // 100 * _MESSAGES
    changes = {ROOT: 97, DELETED: 98, EDITED: 99, REACTED: 100}
    said = '{"text":"%s %d"}'
    for place in range(1, 97):
        seq, rev = hundred + place, changes.get(place)
        body = '{"deleted":true}' if place == DELETED else said % (_TEXT, seq)
        edited = _AT if place == EDITED else None
        yield (
            room_id, seq, "message", f"u_{seq % 50}", f"person {seq % 50}", _AT, None, rev and hundred + rev, body,
            no + place, None, None, edited, place == DELETED,
        )  # fmt: skip
    end, root = no + _MESSAGES, hundred + ROOT
    reply = f'{{"text":"a reply","thread":{root}}}'
    yield room_id, hundred + 97, "message", "u_1", "one", _AT, None, None, reply, end, root, 1, None, False
    acts = {
        98: ("deleted", DELETED, ""),
        99: ("edited", EDITED, f',"text":"{_TEXT}"'),
        100: ("reacted", REACTED, ',"emoji":"👍"'),
    }
    for place, (kind, message, more) in acts.items():
        target = hundred + message
        body = f'{{"target":{target}{more}}}'
        yield room_id, hundred + place, kind, "u_bob", "bob", _AT, target, None, body, end, None, None, None, False
