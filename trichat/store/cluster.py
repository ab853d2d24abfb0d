"""The cluster: which nodes live, who is connected where, and the heads of rooms. Synchronous functions of a connection.

A node lives while its record is younger than `gone_s`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trichat.chat.ports import DeviceChange, Look, NodeRecord, PresenceChange
from trichat.core.events import Person, RoomHead
from trichat.core.names import Incarnation, RoomId, UserId
from trichat.store import devices
from trichat.store.connection import Connection

_HEADS: Final = """
    SELECT id, last_seq, epoch, (
        SELECT count(DISTINCT p.user_id)
        FROM trichat.presence p JOIN trichat.nodes n USING (incarnation)
        WHERE p.room_id = rooms.id AND p.incarnation <> %(me)s
            AND n.seen_at > now() - make_interval(secs => %(gone_s)s)
            AND NOT EXISTS (
                SELECT FROM trichat.presence mine
                WHERE mine.room_id = p.room_id AND mine.user_id = p.user_id AND mine.incarnation = %(me)s
            )
    )
    FROM trichat.rooms
    WHERE id = ANY (%(rooms)s)
"""
_NODES: Final = "SELECT incarnation, degraded FROM trichat.nodes WHERE seen_at > now() - make_interval(secs => %s)"


def look(connection: Connection, rooms: Sequence[RoomId], me: Incarnation, *, gone_s: float) -> Look:
    """The heads of `rooms`, with the persons at other live nodes who are not at `me` too, and the live nodes."""
    heads = connection.execute(_HEADS, {"rooms": list(rooms), "me": me, "gone_s": gone_s})
    nodes = connection.execute(_NODES, (gone_s,))
    ((changes,),) = connection.execute("SELECT changes FROM trichat.meta")
    return Look({room_id: RoomHead(*head) for room_id, *head in heads}, dict(nodes.fetchall()), changes)


def note_change(connection: Connection) -> None:
    """What nodes keep in memory is not so any more: every one hears of it at its next look."""
    connection.execute("UPDATE trichat.meta SET changes = changes + 1")


# one line for each person, though they may be at several nodes, under several names for a moment; none for who hides
_MEMBERS: Final = """
    SELECT min(p.name) AS name, p.user_id
    FROM trichat.presence p JOIN trichat.nodes n USING (incarnation)
    WHERE p.room_id = %(room_id)s AND n.seen_at > now() - make_interval(secs => %(gone_s)s)
        AND (SELECT u.hidden FROM trichat.users u WHERE u.id = p.user_id) IS NOT TRUE
    GROUP BY p.user_id
    HAVING min(p.name) > %(after)s
    ORDER BY name, p.user_id
    LIMIT %(limit)s
"""


def list_members(connection: Connection, room_id: RoomId, *, after: str, limit: int, gone_s: float) -> list[Person]:
    """People connected to the room at any live node, but for those who hide it, by name after `after`."""
    rows = connection.execute(_MEMBERS, {"room_id": room_id, "after": after, "limit": limit, "gone_s": gone_s})
    return [Person(name, user_id) for name, user_id in rows]


# Who removes the row of a node, and nobody else, removes what hangs on it, and says when its people were last seen. One
# at a time, and oneself first: of a node of 50,000 people that takes a second.
_REMOVE_GONE: Final = """
    WITH gone AS (
        DELETE FROM trichat.nodes WHERE incarnation IN (
            SELECT incarnation FROM trichat.nodes
            WHERE seen_at <= now() - make_interval(secs => %s)
            ORDER BY incarnation <> %s, incarnation LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        RETURNING incarnation, seen_at
    ), emptied AS (
        DELETE FROM trichat.presence USING gone WHERE presence.incarnation = gone.incarnation
    )
    DELETE FROM trichat.devices USING gone WHERE devices.incarnation = gone.incarnation
    RETURNING devices.user_id, extract(epoch FROM now() - gone.seen_at)::float
"""
#: Before it, a look at the few rows of nodes: mostly none is gone, and that statement is made for many people.
_IS_ONE_GONE: Final = "SELECT FROM trichat.nodes WHERE seen_at <= now() - make_interval(secs => %s) LIMIT 1"
_TOUCH_NODE: Final = """
    UPDATE trichat.nodes SET node = %s, degraded = %s, seen_at = now() WHERE incarnation = %s RETURNING incarnation
"""
_ADD_NODE: Final = "INSERT INTO trichat.nodes (node, degraded, incarnation, seen_at) VALUES (%s, %s, %s, now())"
_CLEAR: Final = "DELETE FROM trichat.presence WHERE incarnation = %s"
_COME: Final = """
    INSERT INTO trichat.presence (room_id, user_id, incarnation, name)
    SELECT room_id, user_id, %s, name FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS come (room_id, user_id, name)
    ON CONFLICT (room_id, user_id, incarnation) DO UPDATE SET name = excluded.name
"""
_GO: Final = """
    DELETE FROM trichat.presence USING unnest(%s::bigint[], %s::text[]) AS gone (room_id, user_id)
    WHERE presence.incarnation = %s AND presence.room_id = gone.room_id AND presence.user_id = gone.user_id
"""


def record_node(
    connection: Connection, record: NodeRecord, changes: Sequence[PresenceChange | DeviceChange], *, gone_s: float
) -> bool:
    """The node lives, and these have come and gone; False, and only recorded, when it was not known. See the port."""
    row = (record.node, record.degraded, record.incarnation)
    with connection.transaction():
        _remove_gone(connection, record.incarnation, gone_s)
        # this lock keeps others from taking the node for gone until its presence is written
        if connection.execute(_TOUCH_NODE, row).fetchone() is None:
            connection.execute(_ADD_NODE, row)
            connection.execute(_CLEAR, (record.incarnation,))
            devices.forget(connection, record.incarnation)
            return False
        _apply(connection, record.incarnation, [change for change in changes if isinstance(change, PresenceChange)])
        devices.apply(connection, record.incarnation, [c for c in changes if isinstance(c, DeviceChange)])
    return True


def _remove_gone(connection: Connection, me: Incarnation, gone_s: float) -> None:
    if connection.execute(_IS_ONE_GONE, (gone_s,)).fetchone() is None:
        return
    ago_s: dict[UserId, float] = {}
    for user_id, seconds in connection.execute(_REMOVE_GONE, (gone_s, me)):
        ago_s[user_id] = min(seconds, ago_s.get(user_id, seconds))
    devices.note_seen(connection, list(ago_s), ago_s)


def _apply(connection: Connection, me: Incarnation, changes: Sequence[PresenceChange]) -> None:
    last = {(change.room_id, change.person.user_id): change for change in changes}.values()
    come = [change for change in last if change.here]
    go = [change for change in last if not change.here]
    if come:
        rooms, ids, names = zip(*((c.room_id, c.person.user_id, c.person.user) for c in come), strict=True)
        connection.execute(_COME, (me, list(rooms), list(ids), list(names)))
    if go:
        rooms, ids = zip(*((c.room_id, c.person.user_id) for c in go), strict=True)
        connection.execute(_GO, (list(rooms), list(ids), me))


def forget_node(connection: Connection, me: Incarnation) -> None:
    """The node's record and presence go."""
    with connection.transaction():
        connection.execute("DELETE FROM trichat.nodes WHERE incarnation = %s", (me,))
        connection.execute(_CLEAR, (me,))
        devices.forget(connection, me)


def ping(connection: Connection) -> None:
    """Returns when the server has answered."""
    connection.execute("SELECT 1")
