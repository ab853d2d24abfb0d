"""Codes that make whoever shows them a member of a room. Synchronous functions of a connection."""

from __future__ import annotations

import hashlib
from typing import Final

from trichat.core.accounts import InviteCode
from trichat.core.changes import Changed, Enter
from trichat.core.events import RoomRecord
from trichat.core.governance import no_such_room, too_many_codes
from trichat.core.names import RoomId
from trichat.core.standing import Actor
from trichat.store.connection import Connection
from trichat.store.governance import Asked, change_locked, lock_permitted, may_read
from trichat.store.room_lock import From, add_audit, governing, lock_room, reading, standing_of

#: Characters of a code by which lists name it.
BEGINNING_CHARS: Final = 6


def code_hash(code: str) -> bytes:
    """What is kept of a code."""
    return hashlib.sha256(code.encode()).digest()


_MS: Final = "timestamptz 'epoch' + %s * interval '1 millisecond'"
_USABLE: Final = f"room_id = %s AND uses_left > 0 AND expires_at > {_MS}"
_COUNT: Final = f"SELECT count(*) FROM trichat.invites WHERE {_USABLE}"  # noqa: S608 (our own constants)
_ADD: Final = f"""
    INSERT INTO trichat.invites (code_hash, beginning, room_id, made_by, made_by_id, uses_left, created_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, {_MS}, {_MS})
"""  # noqa: S608 (our own constants)


def make_invite(
    connection: Connection, room_id: RoomId, by: From, code: str, *, uses: int, for_s: int, most: int, patience_ms: int
) -> InviteCode:
    """Keep a code for `uses` uses in the next `for_s` seconds; the room has at most `most` that can be used."""
    with governing(connection, patience_ms):
        room = lock_permitted(connection, room_id, by.actor, "invite")[0]
        ((usable,),) = connection.execute(_COUNT, (room_id, room.now))
        if usable >= most:
            raise too_many_codes(most)
        expires, beginning = room.now + for_s * 1000, code[:BEGINNING_CHARS]
        row = (code_hash(code), beginning, room_id, by.actor.user, by.actor.user_id, uses, room.now, expires)
        connection.execute(_ADD, row)
        add_audit(connection, by, "make_invite", room_id, room.record.name, reason=beginning)
    return InviteCode(code=code, made_by=by.actor.user, uses_left=uses, expires=expires)


_LIST: Final = f"""
    SELECT beginning, made_by, uses_left, floor(extract(epoch FROM expires_at) * 1000)::bigint
    FROM trichat.invites WHERE {_USABLE} ORDER BY created_at, code_hash
"""  # noqa: S608 (our own constants)


def invites(connection: Connection, room_id: RoomId, actor: Actor) -> list[InviteCode]:
    """The codes that can be used, by their beginnings, oldest first."""
    with reading(connection):
        now = may_read(connection, room_id, actor, "invite")
        return [
            InviteCode(code=beginning, made_by=made_by, uses_left=uses_left, expires=expires)
            for beginning, made_by, uses_left, expires in connection.execute(_LIST, (room_id, now))
        ]


_DROP: Final = f"""
    DELETE FROM trichat.invites WHERE {_USABLE} AND (code_hash = %s OR beginning = %s)
"""  # noqa: S608 (our own constants)


def drop_invite(connection: Connection, room_id: RoomId, by: From, code: str, *, patience_ms: int) -> bool:
    """End a code, given whole or by its beginning; False when there is none that could be used."""
    with governing(connection, patience_ms):
        room = lock_permitted(connection, room_id, by.actor, "invite")[0]
        dropped = connection.execute(_DROP, (room_id, room.now, code_hash(code), code)).rowcount
        if dropped:
            add_audit(connection, by, "drop_invite", room_id, room.record.name, reason=code[:BEGINNING_CHARS])
    return bool(dropped)


_FIND: Final = "SELECT room_id FROM trichat.invites WHERE code_hash = %s"
_USE: Final = f"""
    UPDATE trichat.invites SET uses_left = uses_left - 1 WHERE {_USABLE} AND code_hash = %s
"""  # noqa: S608 (our own constants)


def accept(connection: Connection, code: str, actor: Actor, *, patience_ms: int) -> tuple[RoomRecord, Changed]:
    """Enter the code's room; see the port. A member who shows it uses nothing, also when it is used up by then."""
    hashed = code_hash(code)
    with governing(connection, patience_ms):
        found = connection.execute(_FIND, (hashed,)).fetchone()
        if found is None:
            raise no_such_room()
        room = lock_room(connection, found[0])
        member = standing_of(connection, room.id, actor.user_id).role is not None
        if not member and not connection.execute(_USE, (room.id, room.now, hashed)).rowcount:
            raise no_such_room()
        changed = change_locked(connection, room, Asked(From(actor, ""), Enter(by_invite=True)))
    return room.record_at(changed.seq), changed
