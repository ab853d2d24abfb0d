"""How far people have read, and what is new for them. Synchronous functions of a connection; raise Refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from trichat.chat.people_ports import Access
from trichat.core.conversation import InboxRoom, Level, Mention, Moved, ReadUpTo, Told
from trichat.core.errors import Refusal
from trichat.core.governance import permit
from trichat.core.judging import needs_role, no_such_room
from trichat.core.names import RoomId, UserId
from trichat.core.parse import MAX_SEQ
from trichat.core.standing import Actor, Role, RoomRules, Standing
from trichat.store.connection import Connection
from trichat.store.governance import access_by_id
from trichat.store.messages import PRESENT, read_message
from trichat.store.room_lock import NOW_MS
from trichat.store.rooms import PEER, read_peer
from trichat.store.unread import MARKER, MARKER_COLUMNS, read_marker


def demand_member(rules: RoomRules, actor: Actor, standing: Standing, now: int) -> None:
    """Raises Refusal unless `actor` is a member, and may read the room."""
    permit(rules, actor, standing, "read", now=now)
    if standing.role is None:
        raise needs_role(Role.MEMBER)


def beyond(head: int) -> Refusal:
    """Of a marker that is to be where there is nothing yet."""
    return Refusal("bad_field", f"nobody can have read so far: the head is {head}", field="seq")


def too_many_members(most: int) -> Refusal:
    return Refusal("limit_reached", f"who has read how far is shown up to {most} members", field="room")


def _access(connection: Connection, room_id: RoomId, viewer: Actor, *, marked: bool = False) -> Access:
    found = access_by_id(connection, room_id, viewer.user_id, marked=marked)
    if found is None:
        raise no_such_room()
    demand_member(found.record.rules, viewer, found.standing, found.now)
    return found


# read and seen

# Of one's own row alone: what somebody else's device says at the same moment waits for it, and then goes on from there.
_READ: Final = f"""
    UPDATE trichat.standings SET read_seq = %(seq)s, read_no = coalesce(
        (SELECT no FROM trichat.events WHERE room_id = %(room_id)s AND seq = %(seq)s), rooms.first_no
    )
    FROM trichat.rooms
    WHERE rooms.id = %(room_id)s AND standings.room_id = %(room_id)s AND standings.user_id = %(user_id)s
        AND standings.role IS NOT NULL AND standings.read_seq < %(seq)s
    RETURNING {MARKER}
"""  # noqa: S608 (our own constants)


def read(connection: Connection, room_id: RoomId, viewer: Actor, seq: int) -> Moved:
    """Move the marker forward to `seq`; a message that is kept no more is before all that are."""
    head = _access(connection, room_id, viewer).record.head
    if seq > head:
        raise beyond(head)
    row = connection.execute(_READ, {"room_id": room_id, "user_id": viewer.user_id, "seq": seq}).fetchone()
    if row is not None and (moved := read_marker(row)) is not None:
        return Moved(moved, moved=True)
    marker = _access(connection, room_id, viewer, marked=True).marker  # it was there already, or they are gone
    assert marker is not None  # as of every member
    return Moved(marker, moved=False)


# One more than `most` is enough to say that there are too many; they are sorted here.
_SEEN: Final = """
    SELECT coalesce(u.name, s.name), s.user_id, s.read_seq
    FROM trichat.standings s LEFT JOIN trichat.users u ON u.id = s.user_id
    WHERE s.room_id = %(room_id)s AND s.role IS NOT NULL LIMIT %(most)s + 1
"""


def seen(connection: Connection, room_id: RoomId, viewer: Actor, *, most: int) -> list[ReadUpTo]:
    """How far each member has read, by name."""
    _access(connection, room_id, viewer)
    people = connection.execute(_SEEN, {"room_id": room_id, "most": most}).fetchall()
    if len(people) > most:
        raise too_many_members(most)
    return [ReadUpTo(*person) for person in sorted(people)]


_NOTIFY: Final = f"""
    UPDATE trichat.standings
    SET level = coalesce(%(level)s, level), quiet_until = coalesce(%(quiet_until)s::bigint, quiet_until)
    WHERE room_id = %(room_id)s AND user_id = %(user_id)s AND role IS NOT NULL
    RETURNING level, CASE WHEN quiet_until > {NOW_MS} THEN quiet_until ELSE 0 END
"""  # noqa: S608 (our own constants)
_TOLD: Final = f"""
    SELECT level, CASE WHEN quiet_until > {NOW_MS} THEN quiet_until ELSE 0 END
    FROM trichat.standings WHERE room_id = %(room_id)s AND user_id = %(user_id)s AND role IS NOT NULL
"""  # noqa: S608 (our own constants)


def notify(
    connection: Connection, room_id: RoomId, viewer: Actor, level: Level | None, quiet_until: int | None
) -> Told:
    """Keep what a member wants to be told, and say what holds then."""
    _access(connection, room_id, viewer)
    statement = _TOLD if level is None and quiet_until is None else _NOTIFY
    params = {"room_id": room_id, "user_id": viewer.user_id, "level": level, "quiet_until": quiet_until}
    row = connection.execute(statement, params).fetchone()
    if row is None:
        raise needs_role(Role.MEMBER)  # they have left at this moment
    return Told(*row)


# Lists over many rooms are read by the indexes that are made for them, also where statistics are old or missing or
# speak of an average: whom few mention shares them with '*'.
_BY_INDEX: Final = """
    SELECT set_config(name, 'off', true)
    FROM unnest(ARRAY['enable_seqscan', 'enable_sort', 'enable_bitmapscan']) AS name
"""


@contextmanager
def _by_index(connection: Connection) -> Iterator[None]:
    with connection.transaction():
        connection.execute(_BY_INDEX)
        yield


# inbox

# First the page of rooms, then what takes a look for each of them; LATERAL and LIMIT keep the planner from walking
# through the names of all rooms that there are. Since `read_seq` is never before the event that made somebody a member,
# what is unread they may see.
_INBOX: Final = f"""
    SELECT
        rooms.id, rooms.name, rooms.kind, rooms.title, rooms.epoch, rooms.last_seq, standings.role, standings.level,
        CASE WHEN standings.quiet_until > {NOW_MS} THEN standings.quiet_until ELSE 0 END,
        {PEER}, {MARKER}, {PRESENT}
    FROM (
        SELECT named.id, named.name
        FROM trichat.standings mine
        CROSS JOIN LATERAL (SELECT id, name FROM trichat.rooms WHERE id = mine.room_id LIMIT 1) named
        WHERE mine.user_id = %(viewer)s AND mine.role IS NOT NULL AND named.name > %(after)s
        ORDER BY named.name LIMIT %(limit)s
    ) page
    CROSS JOIN LATERAL (SELECT * FROM trichat.rooms WHERE id = page.id LIMIT 1) rooms
    CROSS JOIN LATERAL (
        SELECT * FROM trichat.standings WHERE room_id = page.id AND user_id = %(viewer)s LIMIT 1
    ) standings
    LEFT JOIN LATERAL (
        SELECT * FROM trichat.events
        WHERE room_id = page.id AND seq = rooms.last_message AND seq >= rooms.first_seq
            AND (rooms.history = 'all' OR seq >= standings.since)
        LIMIT 1
    ) e ON true
    ORDER BY page.name
"""  # noqa: S608 (our own constants)


def inbox(connection: Connection, user_id: UserId, *, after: str, limit: int) -> list[InboxRoom]:
    """The rooms of this account by name, after `after`, with what is new in them."""
    with _by_index(connection):
        rows = connection.execute(_INBOX, {"viewer": user_id, "after": after, "limit": limit}).fetchall()
    return [_inbox_room(row) for row in rows]


def _inbox_room(row: tuple[Any, ...]) -> InboxRoom:
    room_id, name, kind, title, epoch, head, role, level, quiet_until, peer, *rest = row
    marker, message = read_marker(rest[:MARKER_COLUMNS]), rest[MARKER_COLUMNS:]
    assert marker is not None
    return InboxRoom(
        id=room_id, room=name, kind=kind, title=title, epoch=epoch, head=head, role=Role(role), read=marker,
        told=Told(level, quiet_until), last=None if message[0] is None else read_message(message),
        peer=read_peer(peer),
    )  # fmt: skip


# mentions

# Of each room the last ones of either kind, by the index `mentions_at`: no other room's are looked at, and of none more
# than a page. What comes before the key in a room is one range of that index, also where times are the same.
_MENTIONS: Final = f"""
    SELECT page.at_us, page.id, page.unread, rooms.name, {PRESENT}
    FROM (
        SELECT DISTINCT m.at, mine.id, m.seq, m.seq > mine.read_seq AS unread,
            floor(extract(epoch FROM m.at) * 1000000)::bigint AS at_us
        FROM (
            SELECT rooms.id, standings.read_seq,
                greatest(rooms.first_seq, CASE WHEN rooms.history = 'all' THEN 1 ELSE standings.since END) AS first,
                CASE WHEN rooms.id < %(room_id)s THEN {MAX_SEQ} WHEN rooms.id = %(room_id)s THEN %(seq)s ELSE 0 END
                    AS before
            FROM trichat.standings JOIN trichat.rooms ON rooms.id = standings.room_id
            WHERE standings.user_id = %(viewer)s AND standings.role IS NOT NULL
        ) mine
        CROSS JOIN unnest(ARRAY[%(viewer)s, '*']) AS whom (user_id)
        CROSS JOIN LATERAL (
            SELECT at, seq FROM trichat.mentions
            WHERE user_id = whom.user_id AND room_id = mine.id AND seq >= mine.first
                AND (at, seq) < (timestamptz 'epoch' + %(at_us)s::bigint * interval '1 microsecond', mine.before)
            ORDER BY at DESC, seq DESC LIMIT %(limit)s
        ) m
        ORDER BY m.at DESC, mine.id DESC, m.seq DESC LIMIT %(limit)s
    ) page
    JOIN trichat.rooms ON rooms.id = page.id
    JOIN trichat.events e ON e.room_id = page.id AND e.seq = page.seq
    ORDER BY page.at DESC, page.id DESC, page.seq DESC
"""  # noqa: S608 (our own constants)


def mentions(connection: Connection, user_id: UserId, *, before: str, limit: int) -> list[Mention]:
    """The messages that mention this account, the last first, before the key `before`."""
    at_us, room_id, seq = parse_key(before)
    params = {"viewer": user_id, "at_us": at_us, "room_id": room_id, "seq": seq, "limit": limit}
    with _by_index(connection):
        rows = connection.execute(_MENTIONS, params).fetchall()
    return [_mention(row) for row in rows]


def _mention(row: tuple[Any, ...]) -> Mention:
    at_us, room_id, unread, name, *message = row
    event = read_message(message)
    return Mention(make_key(at_us, room_id, event.seq), name, event, unread)


#: The place of a mention in the list of somebody's: when (microseconds since 1970), in which room, and its `seq`.
MentionKey = tuple[int, RoomId, int]
#: After all others: 2100-01-01.
_END_US: Final = 4_102_444_800_000_000
_KEY: Final = re.compile(r"([0-9]{1,16})-([0-9]{1,18})-([0-9]{1,18})")


def make_key(at_us: int, room_id: RoomId, seq: int) -> str:
    return f"{at_us}-{room_id}-{seq}"


def parse_key(text: str) -> MentionKey:
    """The place of `make_key`; nothing said is the end. Raises `bad_field`."""
    if not text:
        return _END_US, RoomId(0), 0
    if (found := _KEY.fullmatch(text)) is None:
        raise Refusal("bad_field", "before is the key of an entry that the server gave", field="before")
    at_us, room_id, seq = map(int, found.groups())
    return min(at_us, _END_US), RoomId(room_id), seq
