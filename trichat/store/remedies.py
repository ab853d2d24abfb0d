"""What to do about a figure that differs: a statement for psql, where there is one. Pure.

Figures that sends move are moved by the difference, and rows are changed only while they say what was found: so a
statement does no harm beside running servers, nor later.
"""

# ruff: noqa: S608  (made of our own names and numbers, and of values that are quoted; an operator reads them first)

from __future__ import annotations

from typing import Final

from trichat.core.doctor import Figure, Finding
from trichat.core.doctor.examined import Table
from trichat.store.examination import SIDES, Side

_SIDES: Final = {side.table: side for side in SIDES}
_TABLES: Final[dict[Figure, Table]] = {side.table: side.table for side in SIDES}
#: What cannot be computed: in words.
_WORDS: Final = {
    "seq": "the log has a hole that nothing can fill but a backup",
    "body": "what it said cannot be computed",
    "superseded": "the text of the last edit is lost: its author may edit it again",
    "text": "its author may edit it again, which writes both",
}
#: Numbers of the room's own row.
_OF_ROOM: Final = ("last_seq", "last_no", "last_message", "first_no")
_OF_EVENT: Final = ("no", "thread_no", "rev")
_TIME: Final = "timestamptz 'epoch' + {} * interval '1 millisecond'"


def remedy(found: Finding) -> str:
    """One statement, or why there is none."""
    what, stored, computed = found.what, found.stored, found.computed
    if what in _OF_ROOM:
        assert stored is not None
        assert computed is not None
        step = computed[0] - stored[0]
        return _room(found, f"{what} = {what} {'-' if step < 0 else '+'} {abs(step)}")
    if what in _OF_EVENT:
        return _event(found, f"{what} = {_number(computed)}", f"coalesce({what}, 0) = {stored[0] if stored else 0}")
    match what:
        case "edited":
            time = "NULL" if computed is None else _TIME.format(computed[0])
            return _event(found, f"edited = {time}")
        case "deleted":
            return _event(found, f"deleted = {'true' if computed == (1,) else 'false'}")
        case "body" | "superseded" if computed == (1,):
            return _event(found, f"body = {_tombstone(found)}")
        case "kept":
            return f"DELETE FROM trichat.events WHERE {_place(found)}"
        case "search":
            return _index(found)
        case "seq" | "body" | "superseded" | "text":
            return _WORDS[what]
    return _row(found, _SIDES[_TABLES[what]])


def _tombstone(found: Finding) -> str:
    """The very bytes that a deletion writes: bodies are compact, and go to clients as they are."""
    if found.what == "superseded":
        return """format('{"target":%s,"superseded":true}', target)::json"""
    return (
        """CASE WHEN thread IS NULL THEN '{"deleted":true}'"""
        """ ELSE format('{"deleted":true,"thread":%s}', thread) END::json"""
    )


def _index(found: Finding) -> str:
    if found.key and found.computed is None:
        return f"DELETE FROM trichat.search WHERE {_place(found)}"
    # what is behind it is put into the index again, in the background
    before = int(found.key[0]) - 1 if found.key else 0
    return f"UPDATE trichat.indexed SET seq = least(seq, {before}) WHERE room_id = {found.room_id}"


# rows of the tables beside the log


def _row(found: Finding, side: Side) -> str:
    key = " AND ".join(f"{column} = {_quoted(value)}" for column, value in zip(side.keys, found.key, strict=True))
    where = f"room_id = {found.room_id} AND {key}"
    if found.computed is None:
        return f"DELETE FROM trichat.{side.name} WHERE {where}"
    if found.stored is not None:
        new = ", ".join(f"{column} = {value}" for column, value in zip(side.values, found.computed, strict=True))
        old = " AND ".join(f"{column} = {value}" for column, value in zip(side.values, found.stored, strict=True))
        return f"UPDATE trichat.{side.name} SET {new} WHERE {where} AND {old}"
    return _missing(found, side)


def _missing(found: Finding, side: Side) -> str:
    match side.table:
        case "reactions":
            seq, emoji, user_id = found.key
            return (
                "INSERT INTO trichat.reactions SELECT room_id, target, body->>'emoji', user_id, user_name"
                f" FROM trichat.events WHERE room_id = {found.room_id} AND target = {seq} AND kind = 'reacted'"
                f" AND user_id = {_quoted(user_id)} AND body->>'emoji' = {_quoted(emoji)} ORDER BY seq DESC LIMIT 1"
            )
        case "mentions":
            seq, user_id = found.key
            return (
                f"INSERT INTO trichat.mentions SELECT {_quoted(user_id)}, room_id, seq, ts"
                f" FROM trichat.events WHERE room_id = {found.room_id} AND seq = {seq}"
            )
        case "revisions":
            return "the old text is lost; nothing else depends on it"
    values = ", ".join(_quoted(value) for value in (found.room_id, *found.key, *(found.computed or ())))
    return f"INSERT INTO trichat.{side.name} VALUES ({values})"


# parts of statements


def _room(found: Finding, change: str) -> str:
    return f"UPDATE trichat.rooms SET {change} WHERE id = {found.room_id}"


def _event(found: Finding, change: str, condition: str = "") -> str:
    return f"UPDATE trichat.events SET {change} WHERE {_place(found)}" + (f" AND {condition}" if condition else "")


def _place(found: Finding) -> str:
    return f"room_id = {found.room_id} AND seq = {found.key[0]}"


def _number(value: tuple[int, ...] | None) -> str:
    return "NULL" if value is None or value[0] == 0 else str(value[0])


def _quoted(value: int | str) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
