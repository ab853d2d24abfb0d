"""On which devices people are connected, and when they were last seen. Synchronous functions of a connection.

A device counts while its node lives: while the node's record is younger than `gone_s`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trichat.chat.ports import DeviceChange
from trichat.core.attendance import (
    BOT_DEVICE,
    UNKNOWN_DEVICE,
    Device,
    Listening,
    MemberSeen,
    RoomAttendance,
    attendance_of,
)
from trichat.core.names import Incarnation, RoomId, UserId
from trichat.core.standing import is_account
from trichat.store.connection import Connection

_CONNECT: Final = """
    INSERT INTO trichat.devices (incarnation, user_id, device, away)
    SELECT %s, user_id, device, away FROM unnest(%s::text[], %s::text[], %s::boolean[]) AS d (user_id, device, away)
    ON CONFLICT (incarnation, user_id, device) DO UPDATE SET away = excluded.away
"""
_DISCONNECT: Final = """
    DELETE FROM trichat.devices USING unnest(%s::text[], %s::text[]) AS gone (user_id, device)
    WHERE devices.incarnation = %s AND devices.user_id = gone.user_id AND devices.device = gone.device
"""


def apply(connection: Connection, me: Incarnation, changes: Sequence[DeviceChange]) -> None:
    """Record at the node `me` what came and went; within the transaction that holds the node's row."""
    last = {(change.user_id, change.device): change for change in changes}.values()
    come = [(c.user_id, c.device, c.state == "away") for c in last if c.state is not None]
    go = [(c.user_id, c.device) for c in last if c.state is None]
    if come:
        connection.execute(_CONNECT, (me, *_columns(come)))
    if go:
        connection.execute(_DISCONNECT, (*_columns(go), me))
        note_seen(connection, [user_id for user_id, _ in go])


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


# in the order of ids, or two nodes deadlock; whoever else holds an account's row waits for nothing that we hold. An
# account that is connected elsewhere is written too: it counts only when nothing is left, and has the last word then.
_SEEN: Final = """
    UPDATE trichat.users SET last_seen_at = greatest(last_seen_at, seen.at)
    FROM (
        SELECT u.id, given.at
        FROM unnest(%s::text[], %s::float[]) AS past (user_id, ago_s)
        JOIN trichat.users u ON u.id = past.user_id
        CROSS JOIN LATERAL (SELECT now() - make_interval(secs => past.ago_s) AS at) AS given
        ORDER BY u.id FOR NO KEY UPDATE OF u
    ) AS seen
    WHERE users.id = seen.id
"""


def note_seen(connection: Connection, user_ids: Sequence[UserId], ago_s: Mapping[UserId, float] | None = None) -> None:
    """These accounts (guests are passed over) were seen now, or so long ago."""
    accounts = [user_id for user_id in dict.fromkeys(user_ids) if is_account(user_id)]
    if accounts:
        connection.execute(_SEEN, (accounts, [(ago_s or {}).get(user_id, 0.0) for user_id in accounts]))


_FORGET: Final = "DELETE FROM trichat.devices WHERE incarnation = %s RETURNING user_id"


def forget(connection: Connection, me: Incarnation) -> None:
    """The devices of a node go, which is there or was a moment ago: they were seen now."""
    note_seen(connection, [user_id for (user_id,) in connection.execute(_FORGET, (me,))])


# What belongs to each row is looked up in subqueries of one row: joins may be planned as scans of all people.
# Who listens, each once, by the key (room_id, user_id, incarnation): with a limit, no more than that are read.
_LISTENING: Final = """
    p.room_id = %(room_id)s
    AND (SELECT n.seen_at FROM trichat.nodes n WHERE n.incarnation = p.incarnation)
        > now() - make_interval(secs => %(gone_s)s)
    AND (SELECT u.hidden FROM trichat.users u WHERE u.id = p.user_id) IS NOT TRUE
"""
_HERE: Final = f"""
    SELECT p.user_id, min(p.name), bool_and(NOT starts_with(p.user_id, 'u_') AND (
        SELECT d.away FROM trichat.devices d
        WHERE d.incarnation = p.incarnation AND d.user_id = p.user_id AND d.device = 'guest'
    ) IS TRUE)
    FROM trichat.presence p
    WHERE {_LISTENING}
    GROUP BY p.user_id
    ORDER BY p.user_id
    LIMIT %(most)s + 1
"""  # noqa: S608 (our own constants)
# an account is online if it is so anywhere; a guest without a row is online where they listen
_COUNTS: Final = f"""
    SELECT count(*) FILTER (WHERE away IS NOT TRUE), count(*) FILTER (WHERE away) FROM (
        SELECT bool_and((
            SELECT coalesce(bool_and(d.away), false) FROM trichat.devices d
            WHERE d.user_id = p.user_id AND (d.incarnation = p.incarnation OR starts_with(p.user_id, 'u_'))
                AND (SELECT n.seen_at FROM trichat.nodes n WHERE n.incarnation = d.incarnation)
                    > now() - make_interval(secs => %(gone_s)s)
        )) AS away
        FROM trichat.presence p
        WHERE {_LISTENING}
        GROUP BY p.user_id
    ) one
"""  # noqa: S608 (our own constants)
# Of a node that is gone and was not swept yet, what the sweep will say: that its people were seen when it was.
_MEMBERS: Final = """
    SELECT u.name, u.id, CASE WHEN NOT u.hidden THEN floor(extract(epoch FROM greatest(u.last_seen_at, (
        SELECT max((SELECT n.seen_at FROM trichat.nodes n WHERE n.incarnation = d.incarnation))
        FROM (SELECT incarnation FROM trichat.devices WHERE user_id = u.id OFFSET 0) d
    ))) * 1000)::bigint END
    FROM (
        SELECT user_id FROM trichat.standings
        WHERE room_id = %(room_id)s AND role IS NOT NULL
        LIMIT %(most)s + 1
    ) s
    CROSS JOIN LATERAL (SELECT * FROM trichat.users WHERE id = s.user_id LIMIT 1) u
"""
_DEVICES: Final = """
    SELECT d.user_id, d.device, (SELECT l.device FROM trichat.logins l WHERE l.id = d.device), d.away
    FROM unnest(%s::text[]) AS p (user_id)
    CROSS JOIN LATERAL (SELECT * FROM trichat.devices WHERE user_id = p.user_id OFFSET 0) d
    WHERE (SELECT n.seen_at FROM trichat.nodes n WHERE n.incarnation = d.incarnation)
            > now() - make_interval(secs => %s)
        AND (SELECT u.hidden FROM trichat.users u WHERE u.id = d.user_id) IS NOT TRUE
"""


def attendance(connection: Connection, room_id: RoomId, *, most: int, gone_s: float) -> RoomAttendance:
    """See the port."""
    params = {"room_id": room_id, "most": most, "gone_s": gone_s}
    here = {user_id: Listening(*listening) for user_id, *listening in connection.execute(_HERE, params)}
    if len(here) > most:
        ((online, away),) = connection.execute(_COUNTS, params)
        return RoomAttendance(None, online, away)
    members = [MemberSeen(*row) for row in connection.execute(_MEMBERS, params)]
    if len(members) > most:
        members = []
    people = list(dict.fromkeys([*filter(is_account, here), *(member.user_id for member in members)]))
    return attendance_of(here, members, _devices_of(connection, people, gone_s))


def _devices_of(connection: Connection, people: Sequence[UserId], gone_s: float) -> dict[UserId, list[Device]]:
    """The devices of each, at whatever node; one that is at two of them once, online if it is so at either."""
    away: dict[tuple[UserId, str, str], bool] = {}
    for user_id, device, name, is_away in connection.execute(_DEVICES, (people, gone_s)):
        key = (user_id, device, name or (device if device == BOT_DEVICE else UNKNOWN_DEVICE))
        away[key] = is_away and away.get(key, True)
    devices: dict[UserId, list[Device]] = {}
    for (user_id, _, name), is_away in away.items():
        devices.setdefault(user_id, []).append(Device(name, "away" if is_away else "online"))
    return devices


def set_hidden(connection: Connection, user_id: UserId, hidden: bool) -> None:
    """See the port."""
    connection.execute("UPDATE trichat.users SET hidden = %s WHERE id = %s", (hidden, user_id))


def hidden_among(connection: Connection, user_ids: Sequence[UserId]) -> set[UserId]:
    """See the port."""
    found = connection.execute("SELECT id FROM trichat.users WHERE id = ANY (%s) AND hidden", (list(user_ids),))
    return {user_id for (user_id,) in found}
