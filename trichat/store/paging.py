"""How pages are cut: by a count and by bytes, the same for PostgreSQL and the twin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trichat.core.events import Event
from trichat.core.names import RoomId


def cut(events: Sequence[Event], *, limit: int, max_bytes: int, at_least: int = 1) -> list[Event]:
    """The first `limit` of `events`, ended early by `max_bytes` of bodies, but `at_least` so many."""
    taken: list[Event] = []
    for event in events[:limit]:
        max_bytes -= len(event.body)
        if max_bytes < 0 and len(taken) >= at_least:
            break
        taken.append(event)
    return taken


def cut_tails(
    found: Iterable[tuple[RoomId, Sequence[Event]]], *, limit: int, max_bytes: int
) -> dict[RoomId, list[Event]]:
    """The same for the tails of many rooms together; rooms without an event are there with none.

    `found` is consumed no further than to the room at which the bytes end.
    """
    tails: dict[RoomId, list[Event]] = {}
    some = False
    for room_id, events in found:
        taken = cut(events, limit=limit, max_bytes=max_bytes, at_least=0 if some else 1)
        if taken or not events:
            tails[room_id] = taken
        if len(taken) < min(len(events), limit):
            break
        some = some or bool(taken)
        max_bytes -= sum(len(event.body) for event in taken)
    return tails
