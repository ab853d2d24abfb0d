"""Messages that are edited, deleted, reacted to and pinned. Synchronous functions of a connection.

Like a change of the room (`governance.change`), an act is judged and written under the lock of the room's row. The row
of the message becomes its present state; what hangs on it is in tables of its own, found by room and `seq`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from trichat.core.acts import Act, Acted, Message, Remove, Respond, Rewrite, Stick, act_fingerprint
from trichat.core.codec import quote
from trichat.core.events import Event
from trichat.core.judging import Case
from trichat.core.judging_acts import judge_act, said_mentions, superseded_body
from trichat.core.limits import Limits
from trichat.core.names import RoomId
from trichat.core.present import tombstone
from trichat.store.connection import Connection
from trichat.store.repeats import repeated_event
from trichat.store.room_lock import (
    From,
    LockedRoom,
    add_audit,
    add_event,
    governing,
    lock_room,
    new_event,
    standing_of,
)
from trichat.store.search_index import forget_text, text_changed


class AskedAct(Struct, frozen=True):
    """What somebody asks to be done to the message `seq`."""

    by: From
    seq: int
    act: Act
    cid: str | None = None

    @property
    def digest(self) -> int | None:
        """Kept with the `cid`."""
        return None if self.cid is None else act_fingerprint(self.act, self.seq)


class StoredMessage(Struct, frozen=True):
    """A message as its row is: what is judged, and the members of its body."""

    message: Message
    members: dict[str, Any]


def act(connection: Connection, room_id: RoomId, asked: AskedAct, limits: Limits, *, patience_ms: int) -> Acted:
    """Judge and write an act; see the port."""
    with governing(connection, patience_ms):
        room = lock_room(connection, room_id)
        standing = standing_of(connection, room.id, asked.by.actor.user_id)
        before = repeated_event(connection, room, asked.by.actor.user_id, standing, cid=asked.cid, digest=asked.digest)
        if before is not None:
            return Acted(before, before.seq, repeated=True)
        stored = load_message(connection, room.id, asked.seq, first=room.record.first)
        case = Case(room.rules, asked.by.actor, standing, room.now)
        known = None if stored is None else _with_what_counts(connection, room, asked, stored.message)
        verdict = judge_act(case, asked.act, asked.seq, known, head=room.record.head, limits=limits)
        if verdict is None:
            return Acted(None, room.record.head, repeated=False)
        event = new_event(
            room.record.head + 1, verdict.kind, case.actor, room.now, verdict.body, cid=asked.cid, target=asked.seq
        )
        add_event(connection, room.id, event, asked.digest)
        assert stored is not None
        _write(connection, room, asked, event, stored)
        if verdict.audited:
            _note(connection, room, asked, stored.message)
        return Acted(event, event.seq, repeated=False)


# what is judged

_MESSAGE: Final = """
    SELECT user_id, user_name, floor(extract(epoch FROM ts) * 1000)::bigint, body::text, deleted, thread
    FROM trichat.events WHERE room_id = %s AND seq = %s AND kind = 'message'
"""


def load_message(connection: Connection, room_id: RoomId, seq: int, *, first: int) -> StoredMessage | None:
    """The message `seq` of a room that keeps what comes from `first` on; None when it is none."""
    if not first <= seq < 2**63:
        return None
    row = connection.execute(_MESSAGE, (room_id, seq)).fetchone()
    if row is None:
        return None
    user_id, user, ts, body, deleted, thread = row
    members: dict[str, Any] = msgspec.json.decode(body)
    message = Message(seq, user_id, ts, members.get("text", ""), user=user, thread=thread, deleted=deleted)
    return StoredMessage(message, members)


_COUNT_REVISIONS: Final = "SELECT count(*) FROM trichat.revisions WHERE room_id = %s AND seq = %s"
_COUNT_REACTIONS: Final = """
    SELECT count(*), count(DISTINCT emoji), coalesce(bool_or(emoji = %(emoji)s), false),
        coalesce(bool_or(emoji = %(emoji)s AND user_id = %(user_id)s), false)
    FROM trichat.reactions WHERE room_id = %(room_id)s AND seq = %(seq)s
"""
_COUNT_PINS: Final = "SELECT count(*), coalesce(bool_or(seq = %s), false) FROM trichat.pins WHERE room_id = %s"


def _with_what_counts(connection: Connection, room: LockedRoom, asked: AskedAct, message: Message) -> Message:
    """The message with what `judge_act` needs for this act: counts of rows whose number is limited."""
    match asked.act:
        case Rewrite():
            ((edits,),) = connection.execute(_COUNT_REVISIONS, (room.id, message.seq))
            return structs.replace(message, edits=edits)
        case Respond(emoji=emoji):
            params = {"room_id": room.id, "seq": message.seq, "emoji": emoji, "user_id": asked.by.actor.user_id}
            ((reactions, emojis, has_emoji, mine),) = connection.execute(_COUNT_REACTIONS, params)
            return structs.replace(message, reactions=reactions, emojis=emojis, has_emoji=has_emoji, mine=mine)
        case Stick():
            ((pins, pinned),) = connection.execute(_COUNT_PINS, (message.seq, room.id))
            return structs.replace(message, pins=pins, pinned=pinned)
        case Remove():
            return message


# what is written

_CHANGED: Final = "UPDATE trichat.events SET rev = %s WHERE room_id = %s AND seq = %s"
_REACT: Final = "INSERT INTO trichat.reactions (room_id, seq, emoji, user_id, name) VALUES (%s, %s, %s, %s, %s)"
_UNREACT: Final = "DELETE FROM trichat.reactions WHERE room_id = %s AND seq = %s AND emoji = %s AND user_id = %s"
_PIN: Final = "INSERT INTO trichat.pins (room_id, seq, pin) VALUES (%s, %s, %s)"
_UNPIN: Final = "DELETE FROM trichat.pins WHERE room_id = %s AND seq = %s"


def _write(connection: Connection, room: LockedRoom, asked: AskedAct, event: Event, stored: StoredMessage) -> None:
    match asked.act:
        case Rewrite() as act:
            _rewrite(connection, room, act, event, stored)
        case Remove():
            _remove(connection, room, event, stored)
        case Respond() | Stick() as act:
            _mark(connection, room, act, event)


def _mark(connection: Connection, room: LockedRoom, act: Respond | Stick, event: Event) -> None:
    place = room.id, event.target
    match act:
        case Respond(emoji=emoji, on=True):
            connection.execute(_REACT, (*place, emoji, event.user_id, event.user))
        case Respond(emoji=emoji):
            connection.execute(_UNREACT, (*place, emoji, event.user_id))
        case Stick(on=True):
            connection.execute(_PIN, (*place, event.seq))
        case Stick():
            connection.execute(_UNPIN, place)
    connection.execute(_CHANGED, (event.seq, *place))


_EDITED: Final = """
    UPDATE trichat.events SET
        body = %(body)s::json, rev = %(rev)s, edited = timestamptz 'epoch' + %(ts)s * interval '1 millisecond'
    WHERE room_id = %(room_id)s AND seq = %(seq)s
"""
# of the events that edited a message the last one alone has a text: the others were superseded in their turn
_LAST_EDIT: Final = """
    SELECT seq, floor(extract(epoch FROM ts) * 1000)::bigint
    FROM trichat.events WHERE room_id = %s AND target = %s AND kind = 'edited' AND seq < %s
    ORDER BY seq DESC LIMIT 1
"""
_SUPERSEDE: Final = "UPDATE trichat.events SET body = %s::json WHERE room_id = %s AND seq = %s"
_KEEP_TEXT: Final = """
    INSERT INTO trichat.revisions (room_id, seq, rev, at, text)
    VALUES (%s, %s, %s, timestamptz 'epoch' + %s * interval '1 millisecond', %s)
"""
_MENTION: Final = """
    INSERT INTO trichat.mentions (user_id, room_id, seq, at)
    SELECT DISTINCT user_id, %s, %s, timestamptz 'epoch' + %s * interval '1 millisecond'
    FROM unnest(%s::text[]) AS mentioned (user_id)
"""
_FORGET_MENTIONS: Final = "DELETE FROM trichat.mentions WHERE room_id = %s AND seq = %s"


def _rewrite(connection: Connection, room: LockedRoom, act: Rewrite, event: Event, stored: StoredMessage) -> None:
    message, place = stored.message, (room.id, stored.message.seq)
    rev, at = _supersede_last_edit(connection, room, event) or (message.seq, message.ts)
    connection.execute(_KEEP_TEXT, (*place, rev, at, message.text))
    members = {name: value for name, value in stored.members.items() if name != "mentions"}
    body = quote(members | {"text": act.text} | said_mentions(act)).decode()
    params = {"room_id": room.id, "seq": message.seq, "rev": event.seq, "ts": event.ts, "body": body}
    connection.execute(_EDITED, params)
    connection.execute(_FORGET_MENTIONS, place)
    if others := [who for who in act.mentions if who != message.user_id]:  # as `append` has it
        connection.execute(_MENTION, (*place, message.ts, others))
    text_changed(connection, *place)


def _supersede_last_edit(connection: Connection, room: LockedRoom, event: Event) -> tuple[int, int] | None:
    """The event before `event` that edited the same message loses its text: its seq and time, if there was one."""
    assert event.target is not None
    row = connection.execute(_LAST_EDIT, (room.id, event.target, event.seq)).fetchone()
    if row is None:
        return None
    connection.execute(_SUPERSEDE, (superseded_body(event.target).decode(), room.id, row[0]))
    return row[0], row[1]


_DELETED: Final = """
    UPDATE trichat.events SET body = %s::json, rev = %s, edited = NULL, deleted = true WHERE room_id = %s AND seq = %s
"""
_FORGET: Final = (
    "DELETE FROM trichat.revisions WHERE room_id = %s AND seq = %s",
    "DELETE FROM trichat.reactions WHERE room_id = %s AND seq = %s",
    _FORGET_MENTIONS,
    _UNPIN,
)


def _remove(connection: Connection, room: LockedRoom, event: Event, stored: StoredMessage) -> None:
    place, thread = (room.id, stored.message.seq), stored.message.thread
    _supersede_last_edit(connection, room, event)
    connection.execute(_DELETED, (tombstone(thread).decode(), event.seq, *place))
    for statement in _FORGET:
        connection.execute(statement, place)
    forget_text(connection, *place)
    if thread is not None:  # whose root says how many replies there are
        connection.execute(_CHANGED, (event.seq, room.id, thread))


def _note(connection: Connection, room: LockedRoom, asked: AskedAct, message: Message) -> None:
    reason = asked.act.reason if isinstance(asked.act, Remove) else ""
    whom = message.user, message.user_id
    add_audit(connection, asked.by, "delete_message", room.id, room.record.name, target=whom, reason=reason)
