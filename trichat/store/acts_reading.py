"""What was done to messages: old texts, reactions, pins. Synchronous functions of a connection.

Each is one snapshot: what somebody may see, and what they get, are of the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from trichat.chat.people_ports import Access
from trichat.core.acts import Message
from trichat.core.conversation import Pinned, Reaction, Revision
from trichat.core.governance import no_such_room, permit
from trichat.core.judging import Case
from trichat.core.judging_acts import check_place, check_revisions
from trichat.core.names import RoomId
from trichat.core.standing import Actor
from trichat.store.acts import load_message
from trichat.store.connection import Connection
from trichat.store.governance import access_by_id
from trichat.store.messages import PRESENT, read_message
from trichat.store.room_lock import reading


class Seen(Struct, frozen=True):
    """A message that somebody may see, and how they stand to its room."""

    case: Case
    message: Message


@contextmanager
def seeing(connection: Connection, room_id: RoomId, viewer: Actor, seq: int) -> Iterator[Seen]:
    """A snapshot in which `viewer` sees the message `seq`. Raises Refusal."""
    with reading(connection):
        access = demand_reading(connection, room_id, viewer)
        room = access.record
        case = Case(room.rules, viewer, access.standing, access.now)
        stored = load_message(connection, room_id, seq, first=room.first)
        message = None if stored is None else stored.message
        check_place(case, seq, message, head=room.head)
        assert message is not None
        yield Seen(case, message)


def demand_reading(connection: Connection, room_id: RoomId, viewer: Actor) -> Access:
    """How `viewer` stands to the room, which they may read. Raises Refusal."""
    access = access_by_id(connection, room_id, viewer.user_id)
    if access is None:
        raise no_such_room()
    permit(access.record.rules, viewer, access.standing, "read", now=access.now)
    return access


_REVISIONS: Final = """
    SELECT rev, floor(extract(epoch FROM at) * 1000)::bigint, text
    FROM trichat.revisions WHERE room_id = %s AND seq = %s ORDER BY rev
"""


def revisions(connection: Connection, room_id: RoomId, viewer: Actor, seq: int) -> list[Revision]:
    """The old texts, oldest first; see the port. Their number is limited."""
    with seeing(connection, room_id, viewer, seq) as seen:
        check_revisions(seen.case, seen.message)
        return [Revision(*row) for row in connection.execute(_REVISIONS, (room_id, seq))]


_REACTIONS: Final = """
    SELECT emoji, name, user_id FROM trichat.reactions
    WHERE room_id = %s AND seq = %s AND (emoji, user_id) > (%s, %s)
    ORDER BY emoji, user_id LIMIT %s
"""


def reactions(
    connection: Connection, room_id: RoomId, viewer: Actor, seq: int, *, after: tuple[str, str], limit: int
) -> list[Reaction]:
    """Who has reacted, by emoji and person, after these."""
    with seeing(connection, room_id, viewer, seq):
        rows = connection.execute(_REACTIONS, (room_id, seq, *after, limit))
        return [Reaction(*row) for row in rows]


_PINS: Final = f"""
    SELECT p.pin, {PRESENT}
    FROM trichat.pins p JOIN trichat.events e ON e.room_id = p.room_id AND e.seq = p.seq
    WHERE p.room_id = %(room_id)s AND p.seq >= %(first)s
    ORDER BY p.pin DESC
"""  # noqa: S608 (our own constants)


def pins(connection: Connection, room_id: RoomId, viewer: Actor) -> list[Pinned]:
    """The pinned messages that the viewer may see, the last pinned first. Their number is limited."""
    with reading(connection):
        access = demand_reading(connection, room_id, viewer)
        first = max(access.standing.first_readable(access.record.rules), access.record.first)
        params = {"room_id": room_id, "first": first, "viewer": viewer.user_id}
        return [Pinned(row[0], read_message(row[1:])) for row in connection.execute(_PINS, params)]
