"""The twin in memory of `store/examination.py`."""

from __future__ import annotations

from collections.abc import Iterator

from trichat.core.doctor import LogEntry, LogPage, Part, RoomFigures, TablePage, TableRow
from trichat.core.events import Event
from trichat.store.memory_state import StoredRoom


def examined(room: StoredRoom) -> list[Part]:
    """All parts of an examination, as the room is at this moment."""
    kept = room.events[room.first - 1 :]
    mains = [event.seq for event in kept if event.kind == "message" and event.thread is None]
    figures = RoomFigures(
        id=room.id,
        room=room.name,
        last_seq=len(room.events),
        last_no=room.last_no,
        last_message=mains[-1] if mains else 0,
        first_seq=room.first,
        first_no=room.events[room.first - 2].no if room.first > 1 else 0,
    )
    return [figures, LogPage(list(_log(room, kept))), TablePage([*_tables(room), *_read(room)])]


def _log(room: StoredRoom, kept: list[Event]) -> Iterator[LogEntry]:
    replies: dict[int, int] = {}  # which the twin counts only where it is asked
    for event in kept:
        thread_no = None
        if event.thread is not None:
            thread_no = replies[event.thread] = replies.get(event.thread, 0) + 1
        yield LogEntry(
            event.seq, event.kind, event.user_id, event.user, event.ts, event.body, event.no, event.target,
            event.thread, thread_no, event.rev, room.edited.get(event.seq), event.seq in room.deleted,
        )  # fmt: skip


def _tables(room: StoredRoom) -> Iterator[TableRow]:
    for seq, put in room.reactions.items():
        for emoji, user_id in put:
            yield TableRow("reactions", (seq, emoji, user_id))
    for seq, pin in room.pins.items():
        yield TableRow("pins", (seq,), (pin,))
    for root, thread in room.threads.items():
        yield TableRow("threads", (root,), (thread.last_no, thread.last_seq))
    for seq, revisions in room.revisions.items():
        for revision in revisions:
            yield TableRow("revisions", (seq, revision.rev))
    for seq, mentioned in room.mentions.items():
        for user_id in mentioned:
            yield TableRow("mentions", (seq, user_id))


def _read(room: StoredRoom) -> Iterator[TableRow]:
    for (root, user_id), follow in room.follows.items():
        yield TableRow("follows", (root, user_id), (follow.read_seq, follow.read_no))
    for user_id, stored in room.standings.items():
        yield TableRow("markers", (user_id,), (stored.read_seq, stored.read_no))
