"""The twin in memory of `store/history.py`."""

from __future__ import annotations

from trichat.chat.conversation_ports import Between, CompactPage
from trichat.chat.ports import EventPage, MessagePage
from trichat.core.acts import ACT_KINDS
from trichat.core.events import EVERYBODY, Event
from trichat.core.names import UserId
from trichat.store.history import MOST_MENTIONS, compact_page, cut_compact, place_of
from trichat.store.memory_moderation import standing_in
from trichat.store.memory_present import present_in
from trichat.store.memory_state import StoredRoom
from trichat.store.paging import cut


def kept(room: StoredRoom | None, after: int) -> list[Event]:
    """The events after `after` that are kept."""
    return [] if room is None else room.events[max(after, room.first - 1, 0) :]


def event_page(room: StoredRoom | None, *, after: int, limit: int, max_bytes: int) -> EventPage:
    found = kept(room, after)
    events = cut(found, limit=limit, max_bytes=max_bytes)
    first = events[0].seq if events else 1 if room is None else room.first
    return EventPage(events, more=len(events) < len(found), first=first if first > after + 1 else 1)


def message_page(
    room: StoredRoom | None,
    *,
    before: int | None,
    after: int | None,
    limit: int,
    max_bytes: int,
    viewer: UserId | None,
    thread: int | None,
) -> MessagePage:
    if room is None:
        return MessagePage([], more=False)
    seqs = [event.seq for event in kept(room, 0) if event.kind == "message" and event.thread == thread]
    if after is not None:
        seqs = [seq for seq in seqs if seq > after]
    else:
        seqs = [seq for seq in reversed(seqs) if before is None or seq < before]
    found = [present_in(room, seq, viewer) for seq in seqs[: limit + 1]]
    messages = cut(found, limit=limit, max_bytes=max_bytes)
    return MessagePage(messages if after is not None else messages[::-1], more=len(messages) < len(found))


def read_compact(
    room: StoredRoom | None, *, since: int, limit: int, max_bytes: int, viewer: UserId | None, looked_at: int
) -> CompactPage:
    if room is None:
        return CompactPage([], to=since, more=False)
    end = since + looked_at
    touched = [event for event in kept(room, 0) if event.kind not in ACT_KINDS and since < place_of(event) <= end]
    found = [
        present_in(room, event.seq, viewer) if event.kind == "message" else event
        for event in sorted(touched, key=lambda event: (place_of(event), event.seq))
    ]
    entries = cut_compact(found, limit=limit, max_bytes=max_bytes)
    return compact_page(entries, since=since, end=end, head=len(room.events), all_found=len(entries) == len(found))


def between(room: StoredRoom | None, first: int, last: int, viewer: UserId) -> Between:
    if room is None:
        return Between(0, 0, 0)
    inside = [event for event in kept(room, first - 1) if event.seq <= last]
    messages = [event.seq for event in inside if event.kind == "message" and event.thread is None]
    mentions = [event for event in inside if {viewer, EVERYBODY} & set(room.mentions.get(event.seq, ()))]
    unread = 0
    if standing_in(room, viewer).role is not None:
        read = room.standings[viewer].read_seq
        unread = next((seq for seq in messages if seq > read and seq not in room.deleted), 0)
    return Between(len(messages), min(len(mentions), MOST_MENTIONS), unread, room.first)
