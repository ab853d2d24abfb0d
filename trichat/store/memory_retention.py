"""The twin in memory of `store/retention.py`."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from trichat.core.events import Event
from trichat.core.names import UserId
from trichat.store.memory_state import StoredRoom

_DAY_MS: Final = 86_400_000


def remove_expired(room: StoredRoom, now: int, *, days: int) -> bool:
    """Remove what the room keeps no more, `now` in milliseconds since 1970; whether that was anything."""
    kept_days = room.rules.retention_days or days
    if not kept_days:
        return False
    oldest, before = now - kept_days * _DAY_MS, room.first
    while room.first <= len(room.events) and room.events[room.first - 1].ts < oldest:
        place = room.first - 1
        # the place stays, and its `no`, by which other places are counted
        room.events[place] = Event(room.first, "gone", UserId(""), "", 0, None, b"{}", no=room.events[place].no)
        room.first += 1
    if room.first == before:
        return False
    _forget(room)
    return True


def _forget(room: StoredRoom) -> None:
    first = room.first
    by_message: list[MutableMapping[int, Any]] = [
        room.edited, room.revisions, room.reactions, room.pins, room.threads, room.mentions,
    ]  # fmt: skip
    for rows in by_message:
        for seq in [seq for seq in rows if seq < first]:
            del rows[seq]
    room.deleted = {seq for seq in room.deleted if seq >= first}
    room.follows = {key: follow for key, follow in room.follows.items() if key[0] >= first}
    room.cids = {key: said for key, said in room.cids.items() if said[0] >= first}
