"""What `trichat doctor` looks at in a room, as the store has it, and what it finds."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from trichat.core.names import RoomId, RoomName, UserId

#: The tables beside the log whose rows follow from it.
Table = Literal["reactions", "pins", "threads", "revisions", "mentions", "follows", "markers"]

#: What can differ: a figure of the room, of an event, or a row of a table.
Figure = Literal[
    "seq", "kept", "last_seq", "last_no", "last_message", "first_no",
    "no", "thread_no", "rev", "edited", "deleted", "body", "text", "superseded",
    "reactions", "pins", "threads", "revisions", "mentions", "follows", "markers", "search",
]  # fmt: skip

Key = tuple[int | str, ...]
Value = tuple[int, ...]
#: What differs, where, and what is stored and computed; see Finding.
Difference = tuple[Figure, Key, Value | None, Value | None]


class RoomFigures(Struct, frozen=True):
    """The row of a room, as far as it follows from the log; see schema.sql."""

    id: RoomId
    room: RoomName
    last_seq: int
    last_no: int
    last_message: int
    first_seq: int = 1
    first_no: int = 0
    indexed_seq: int | None = None  # None: this store keeps no index


class LogEntry(Struct, frozen=True):
    """The row of an event, whole. Times in milliseconds since 1970; `rev` 0: never changed."""

    seq: int
    kind: str
    user_id: UserId
    user: str
    ts: int
    body: bytes
    no: int
    target: int | None = None
    thread: int | None = None
    thread_no: int | None = None
    rev: int = 0
    edited: int | None = None
    deleted: bool = False


class LogPage(Struct, frozen=True):
    """The next events of the log, in order, from its very beginning on."""

    entries: list[LogEntry]


class TableRow(Struct, frozen=True):
    """A row of a table beside the log: what it is of, and what it says.

    reactions: seq, emoji, user_id · pins: seq → pin · threads: root → last_no, last_seq · revisions: seq, rev ·
    mentions: seq, user_id · follows: root, user_id → read_seq, read_no · markers: user_id → read_seq, read_no
    """

    table: Table
    key: Key
    value: Value = ()


class TablePage(Struct, frozen=True):
    """Some rows of the tables, each once, in any order; after the whole log."""

    rows: list[TableRow]


class IndexPage(Struct, frozen=True):
    """The next messages that are in the index of the search, ascending; after the whole log."""

    seqs: list[int]


#: One examination of a room, all of one moment: its figures, its log, its tables, its index.
Part = RoomFigures | LogPage | TablePage | IndexPage


class Finding(Struct, frozen=True):
    """A figure that is not what the log says. None: there is none (of a row: none is stored, or none should be).

    `key` says where: the event's `seq`, the first and last of a stretch of them, or the key of a row.
    """

    room: RoomName
    room_id: RoomId
    what: Figure
    key: Key
    stored: Value | None
    computed: Value | None
