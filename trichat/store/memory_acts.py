"""The twin in memory of `store/acts.py` and `acts_reading.py`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from trichat.core.accounts import AuditEntry
from trichat.core.acts import (
    Act,
    Acted,
    Message,
    Remove,
    Respond,
    Rewrite,
    Stick,
    act_fingerprint,
    parse_reaction_key,
)
from trichat.core.codec import quote
from trichat.core.conversation import Pinned, Reaction, Revision
from trichat.core.events import Event
from trichat.core.governance import check_visible, cid_reused, no_such_room, permit
from trichat.core.judging import Case
from trichat.core.judging_acts import check_place, check_revisions, judge_act, said_mentions, superseded_body
from trichat.core.names import RoomId
from trichat.core.present import tombstone
from trichat.core.standing import Actor, Standing
from trichat.store.memory_moderation import standing_in
from trichat.store.memory_present import present_in
from trichat.store.memory_state import MemoryState, StoredAudit, StoredRoom


class MemoryActs:
    """Implements `Acts`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def act(self, room_id: RoomId, actor: Actor, seq: int, act: Act, *, cid: str | None, address: str) -> Acted:
        await self._state.begin()
        room = self._room(room_id)
        acted = _repeated(room, actor, act_fingerprint(act, seq), cid) or self._act(
            room, actor, seq, act, cid=cid, address=address
        )
        self._state.end()
        return acted

    def _act(self, room: StoredRoom, actor: Actor, seq: int, act: Act, *, cid: str | None, address: str) -> Acted:
        message = _message(room, seq, actor, act)
        head = len(room.events)
        verdict = judge_act(self._case(room, actor), act, seq, message, head=head, limits=self._state.limits)
        if verdict is None:
            return Acted(None, head, repeated=False)
        assert message is not None
        event = Event(
            head + 1, verdict.kind, actor.user_id, actor.user, self._state.now, cid, verdict.body, target=seq,
            no=room.last_no,
        )  # fmt: skip
        if cid is not None:
            room.cids[actor.user_id, cid] = event.seq, act_fingerprint(act, seq)
        _write(room, act, event)
        room.events.append(event)
        if verdict.audited:
            assert isinstance(act, Remove)
            self._note(room, actor, message, act.reason, address)
        return Acted(event, event.seq, repeated=False)

    async def revisions(self, room_id: RoomId, viewer: Actor, seq: int) -> list[Revision]:
        await self._state.begin()
        room = self._room(room_id)
        check_revisions(self._case(room, viewer), self._seen(room, viewer, seq))
        found = list(room.revisions.get(seq, []))
        self._state.end()
        return found

    async def reactions(self, room_id: RoomId, viewer: Actor, seq: int, *, after: str, limit: int) -> list[Reaction]:
        await self._state.begin()
        room = self._room(room_id)
        self._seen(room, viewer, seq)
        put, beginning = room.reactions.get(seq, {}), parse_reaction_key(after)
        found = [Reaction(emoji, put[emoji, who], who) for emoji, who in sorted(put) if (emoji, who) > beginning]
        self._state.end()
        return found[:limit]

    async def pins(self, room_id: RoomId, viewer: Actor) -> list[Pinned]:
        await self._state.begin()
        room = self._room(room_id)
        standing = self._demand_reading(room, viewer)
        first = max(room.first, standing.first_readable(room.rules))
        latest = sorted(((pin, seq) for seq, pin in room.pins.items() if seq >= first), reverse=True)
        found = [Pinned(pin, present_in(room, seq, viewer.user_id)) for pin, seq in latest]
        self._state.end()
        return found

    def _room(self, room_id: RoomId) -> StoredRoom:
        if (room := self._state.rooms.get(room_id)) is None:
            raise no_such_room()
        return room

    def _case(self, room: StoredRoom, actor: Actor) -> Case:
        return Case(room.rules, actor, standing_in(room, actor.user_id), self._state.now)

    def _demand_reading(self, room: StoredRoom, viewer: Actor) -> Standing:
        standing = standing_in(room, viewer.user_id)
        permit(room.rules, viewer, standing, "read", now=self._state.now)
        return standing

    def _seen(self, room: StoredRoom, viewer: Actor, seq: int) -> Message:
        """The message, if `viewer` may see it. Raises Refusal."""
        self._demand_reading(room, viewer)
        message = _message(room, seq, viewer, None)
        check_place(self._case(room, viewer), seq, message, head=len(room.events))
        assert message is not None
        return message

    def _note(self, room: StoredRoom, actor: Actor, message: Message, reason: str, address: str) -> None:
        entry = AuditEntry(
            number=len(self._state.audit) + 1, at=self._state.now, actor=actor.user, actor_id=actor.user_id,
            act="delete_message", room=room.name, target=message.user, target_id=message.user_id, reason=reason,
            address=address,
        )  # fmt: skip
        self._state.audit.append(StoredAudit(room.id, entry))


def _repeated(room: StoredRoom, actor: Actor, digest: int, cid: str | None) -> Acted | None:
    if cid is None or (before := room.cids.get((actor.user_id, cid))) is None:
        return None
    check_visible(room.rules, standing_in(room, actor.user_id))
    seq, its_digest = before
    if its_digest != digest:
        raise cid_reused(seq)
    return Acted(room.events[seq - 1], seq, repeated=True)


def _message(room: StoredRoom, seq: int, actor: Actor, act: Act | None) -> Message | None:
    """The message as `judge_act` wants to know it; None when it is none."""
    if not room.first <= seq <= len(room.events) or room.events[seq - 1].kind != "message":
        return None
    event, put = room.events[seq - 1], room.reactions.get(seq, {})
    emoji = act.emoji if isinstance(act, Respond) else ""
    emojis = {its for its, _ in put}
    return Message(
        seq, event.user_id, event.ts, _members(event).get("text", ""), user=event.user, thread=event.thread,
        deleted=seq in room.deleted, pinned=seq in room.pins, mine=(emoji, actor.user_id) in put, emojis=len(emojis),
        has_emoji=emoji in emojis, reactions=len(put), pins=len(room.pins), edits=len(room.revisions.get(seq, [])),
    )  # fmt: skip


def _write(room: StoredRoom, act: Act, event: Event) -> None:
    """What `event`, which is not in the log yet, makes of the room."""
    seq = event.target
    assert seq is not None
    match act:
        case Rewrite():
            _rewrite(room, act, event, seq)
        case Remove():
            _remove(room, event, seq)
        case Respond(emoji=emoji, on=True):
            room.reactions.setdefault(seq, {})[emoji, event.user_id] = event.user
        case Respond(emoji=emoji):
            del room.reactions[seq][emoji, event.user_id]
        case Stick(on=True):
            room.pins[seq] = event.seq
        case Stick():
            del room.pins[seq]
    _change(room, seq, rev=event.seq)


def _rewrite(room: StoredRoom, act: Rewrite, event: Event, seq: int) -> None:
    old = room.events[seq - 1]
    members = _members(old)
    rev, at = _supersede_last_edit(room, seq) or (seq, old.ts)
    room.revisions.setdefault(seq, []).append(Revision(rev, at, members["text"]))
    kept = {name: value for name, value in members.items() if name != "mentions"}
    _change(room, seq, body=quote(kept | {"text": act.text} | said_mentions(act)))
    room.edited[seq] = event.ts
    room.mentions.pop(seq, None)
    if others := tuple(who for who in act.mentions if who != event.user_id):
        room.mentions[seq] = others


def _remove(room: StoredRoom, event: Event, seq: int) -> None:
    _supersede_last_edit(room, seq)
    thread = room.events[seq - 1].thread
    _change(room, seq, body=tombstone(thread))
    room.deleted.add(seq)
    room.edited.pop(seq, None)
    room.revisions.pop(seq, None)
    room.reactions.pop(seq, None)
    room.mentions.pop(seq, None)
    room.pins.pop(seq, None)
    if thread is not None:  # whose root says how many replies there are
        _change(room, thread, rev=event.seq)


def _supersede_last_edit(room: StoredRoom, seq: int) -> tuple[int, int] | None:
    """The last event that edited the message loses its text: its seq and time, if there was one."""
    edits = [event for event in room.events if event.kind == "edited" and event.target == seq]
    if not edits:
        return None
    _change(room, edits[-1].seq, body=superseded_body(seq))
    return edits[-1].seq, edits[-1].ts


def _change(room: StoredRoom, seq: int, **fields: Any) -> None:
    room.events[seq - 1] = structs.replace(room.events[seq - 1], **fields)


def _members(event: Event) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.json.decode(event.body)
    return members
