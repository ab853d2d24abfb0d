"""The twin in memory of the SQL functions `trichat.append` and `trichat.connect`."""

from __future__ import annotations

from msgspec import structs

from trichat.core.events import (
    EVERYBODY,
    CidReused,
    Committed,
    Denial,
    Denied,
    Draft,
    Event,
    Outcome,
    Repeated,
    RoomGone,
)
from trichat.core.names import UserId
from trichat.core.standing import Role, is_account
from trichat.store.memory_attendance import live_nodes
from trichat.store.memory_moderation import standing_in
from trichat.store.memory_state import MemoryState, StoredFollow, StoredOutgoing, StoredRoom, StoredThread
from trichat.store.memory_threads import may_hear


def append(state: MemoryState, draft: Draft, ts: int) -> Outcome:
    """Number and store a draft, at `ts` (milliseconds since 1970)."""
    room = state.rooms.get(draft.room_id)
    if room is None:
        return RoomGone()
    if draft.cid is not None and (draft.user_id, draft.cid) in room.cids:
        seq, digest = room.cids[draft.user_id, draft.cid]
        return Repeated(seq) if digest == draft.digest() else CidReused(seq)
    if (denial := _denial(room, draft.user_id, ts)) is not None:
        return Denied(denial)
    seq = _write(room, draft, ts)
    if draft.special and draft.kind == "message":
        _connect(state, room, draft, seq)
    return Committed(seq, ts)


def _write(room: StoredRoom, draft: Draft, ts: int) -> int:
    seq = len(room.events) + 1
    if draft.cid is not None:
        room.cids[draft.user_id, draft.cid] = (seq, draft.digest())
    counts = draft.kind == "message" and draft.thread is None
    no = room.last_no + counts
    event = Event(seq, draft.kind, draft.user_id, draft.user, ts, draft.cid, draft.body, thread=draft.thread, no=no)
    room.events.append(event)
    stored = room.standings.get(draft.user_id)
    if stored is not None and counts:  # who says something has read what came before it
        stored.read_seq, stored.read_no = seq, no
    if room.rules.slow_s and _paced(room, draft.user_id):
        room.spoke_at[draft.user_id] = ts
    return seq


def _connect(state: MemoryState, room: StoredRoom, draft: Draft, seq: int) -> None:
    """What a message does beside standing in the log: its thread, whom it mentions, and whom to tell outside."""
    others = [who for who in dict.fromkeys(draft.mentions) if who != draft.user_id]
    heard = tuple(who for who in others if who == EVERYBODY or may_hear(room, who, state.now))
    if heard:
        room.mentions[seq] = heard
    if draft.thread is not None:
        _count_reply(room, draft, draft.thread, seq, heard)
    _tell(state, room, draft, seq, heard)


def _count_reply(room: StoredRoom, draft: Draft, root: int, seq: int, heard: tuple[UserId, ...]) -> None:
    thread = room.threads.setdefault(root, StoredThread())
    thread.last_no, thread.last_seq = thread.last_no + 1, seq
    if root >= room.first:
        room.events[root - 1] = structs.replace(room.events[root - 1], rev=seq)
    if is_account(draft.user_id):
        follow = room.follows.setdefault((root, draft.user_id), StoredFollow())
        follow.following, follow.read_seq, follow.read_no = True, seq, thread.last_no
    for who in (room.events[root - 1].user_id, *heard):
        if is_account(who) and standing_in(room, who).role is not None:
            room.follows.setdefault((root, who), StoredFollow(True, seq - 1, thread.last_no - 1))


def _tell(state: MemoryState, room: StoredRoom, draft: Draft, seq: int, heard: tuple[UserId, ...]) -> None:
    if EVERYBODY in heard:
        state.outgoing.append(StoredOutgoing(state.now, "mention", EVERYBODY, room.id, seq))
    whom = heard if room.rules.kind != "direct" else tuple(room.standings)
    for who in whom:
        why = "mention" if who in heard else "direct"
        if who != draft.user_id and _wants(state, room, who, draft.user_id, why):
            state.outgoing.append(StoredOutgoing(state.now, why, who, room.id, seq))


def _wants(state: MemoryState, room: StoredRoom, who: UserId, author: UserId, why: str) -> bool:
    """Whether a member is to be told outside: they are away, and have not said that they do not want to be."""
    stored = room.standings.get(who)
    if not is_account(who) or stored is None or stored.standing.role is None:
        return False
    levels = ("all", "mentions") if why == "mention" else ("all",)
    told = stored.level in levels and stored.quiet_until <= state.now
    return told and author not in state.blocks.get(who, set()) and not _is_online(state, who)


def _is_online(state: MemoryState, who: UserId) -> bool:
    """Whether they have a device that is not away, at a node that lives."""
    return any(
        user_id == who and not away
        for node in live_nodes(state).values()
        for (user_id, _), away in node.devices.items()
    )


def _denial(room: StoredRoom, user_id: UserId, now: int) -> Denial | None:
    """Why this author may not send now, as `trichat.append` says."""
    standing = standing_in(room, user_id)
    if room.rules.archived:
        return "archived"
    if standing.banned_at(now):
        return "banned"
    if now < standing.muted_until:
        return "muted"
    if standing.role is None and is_account(user_id):
        return "not_member"
    if (standing.role or Role.GUEST) < room.rules.least_sender:
        return "role"
    too_soon = room.spoke_at.get(user_id, 0) > now - room.rules.slow_s * 1000
    return "slow" if room.rules.slow_s and too_soon and _paced(room, user_id) else None


def _paced(room: StoredRoom, user_id: UserId) -> bool:
    return (standing_in(room, user_id).role or Role.GUEST) < Role.MODERATOR
