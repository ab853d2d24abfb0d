"""The twin in memory of `store/messages.py`."""

from __future__ import annotations

from collections import Counter

from trichat.core.events import Event
from trichat.core.names import UserId
from trichat.core.present import ReactionCount, present
from trichat.store.memory_state import StoredRoom


def present_in(room: StoredRoom, seq: int, viewer: UserId | None) -> Event:
    """The message `seq` of `room` as `viewer` sees it."""
    event = room.events[seq - 1]
    thread = room.threads.get(seq)
    return present(
        event,
        edited=room.edited.get(seq),
        pinned=seq in room.pins,
        replies=0 if thread is None else thread.last_no - deleted_between(room, seq, 0),
        last_reply=0 if thread is None else thread.last_seq,
        reactions=[] if seq in room.deleted else _counts(room, seq, viewer),
    )


def deleted_between(room: StoredRoom, thread: int | None, after: int) -> int:
    """How many deleted messages there are after `after`, of a thread or (None) of those in none."""
    return sum(seq > after and room.events[seq - 1].thread == thread for seq in room.deleted)


def _counts(room: StoredRoom, seq: int, viewer: UserId | None) -> list[ReactionCount]:
    put = room.reactions.get(seq, {})
    counts = Counter(emoji for emoji, _ in put)
    return [ReactionCount(emoji, counts[emoji], (emoji, viewer) in put) for emoji in sorted(counts)]
