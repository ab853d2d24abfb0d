"""Lists of a room's people, reports of its messages, and its audit. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trichat.core.accounts import AuditEntry, Member, Reported, Restrained
from trichat.core.governance import no_such_message, too_many_reports
from trichat.core.names import RoomId, RoomName
from trichat.core.standing import Actor, Role
from trichat.store.connection import Connection
from trichat.store.governance import lock_permitted, may_read
from trichat.store.room_lock import From, add_audit, governing, reading
from trichat.store.writing import durably

# Accounts are listed by their present names, guests by those they had; a room's people are sorted for each page.
_PEOPLE: Final = """
    SELECT coalesce(u.name, s.name) AS name, s.user_id, s.role, s.since, s.muted_until, s.banned_until, s.reason
    FROM trichat.standings s LEFT JOIN trichat.users u ON u.id = s.user_id
    WHERE s.room_id = %(room_id)s
"""
_ROSTER: Final = f"""
    SELECT name, user_id, role, since, muted_until FROM ({_PEOPLE} AND s.role IS NOT NULL) people
    WHERE name > %(after)s ORDER BY name, user_id LIMIT %(limit)s
"""  # noqa: S608 (our own constants)
_RESTRAINED: Final = f"""
    SELECT name, user_id, banned_until, muted_until, reason
    FROM ({_PEOPLE} AND (s.banned_until > %(now)s OR s.muted_until > %(now)s)) people
    WHERE name > %(after)s ORDER BY name, user_id LIMIT %(limit)s
"""  # noqa: S608 (our own constants)


def roster(connection: Connection, room_id: RoomId, actor: Actor, *, after: str, limit: int) -> list[Member]:
    """Members by name after `after`."""
    with reading(connection):
        now = may_read(connection, room_id, actor, "roster")
        rows = connection.execute(_ROSTER, {"room_id": room_id, "after": after, "limit": limit}).fetchall()
    return [
        Member(user=name, user_id=user_id, role=Role(role), since=since, muted_until=_still(muted_until, now))
        for name, user_id, role, since, muted_until in rows
    ]


def restrained(connection: Connection, room_id: RoomId, actor: Actor, *, after: str, limit: int) -> list[Restrained]:
    """Who is banned or muted now, by name after `after`."""
    with reading(connection):
        now = may_read(connection, room_id, actor, "ban")
        params = {"room_id": room_id, "after": after, "limit": limit, "now": now}
        rows = connection.execute(_RESTRAINED, params).fetchall()
    return [
        Restrained(
            user=name, user_id=user_id, banned_until=_still(banned, now), muted_until=_still(muted, now), reason=reason
        )
        for name, user_id, banned, muted, reason in rows
    ]


def _still(until: int, now: int) -> int:
    return until if until > now else 0


# reports

_MESSAGE: Final = "SELECT FROM trichat.events WHERE room_id = %s AND seq = %s AND kind = 'message'"
_REPORTED: Final = "SELECT number FROM trichat.reports WHERE room_id = %s AND seq = %s AND reporter_id = %s"
_COUNT_OPEN: Final = """
    SELECT count(*) FROM trichat.reports WHERE room_id = %s AND reporter_id = %s AND resolved_by IS NULL
"""
_REPORT: Final = """
    INSERT INTO trichat.reports (room_id, seq, reporter_id, reporter, reason) VALUES (%s, %s, %s, %s, %s)
    RETURNING number
"""


def report(
    connection: Connection, room_id: RoomId, seq: int, reporter: Actor, reason: str, *, most: int, patience_ms: int
) -> int:
    """The number of the report of this message; `reporter` has at most `most` open ones in the room."""
    me = reporter.user_id
    with governing(connection, patience_ms):
        room, standing = lock_permitted(connection, room_id, reporter, "report")
        hidden = reporter.is_account and seq < standing.first_readable(room.rules)
        if hidden or connection.execute(_MESSAGE, (room_id, seq)).fetchone() is None:
            raise no_such_message(seq)
        if (before := connection.execute(_REPORTED, (room_id, seq, me)).fetchone()) is not None:
            return int(before[0])
        ((still_open,),) = connection.execute(_COUNT_OPEN, (room_id, me))
        if still_open >= most:
            raise too_many_reports(most)
        ((number,),) = connection.execute(_REPORT, (room_id, seq, me, reporter.user, reason))
        return int(number)


_REPORTS: Final = """
    SELECT number, seq, reporter, reason, floor(extract(epoch FROM at) * 1000)::bigint, resolved_by, note
    FROM trichat.reports
    WHERE room_id = %s AND number > %s AND (%s OR resolved_by IS NULL)
    ORDER BY number LIMIT %s
"""


def reports(
    connection: Connection, room_id: RoomId, actor: Actor, *, resolved: bool, after: int, limit: int
) -> list[Reported]:
    """Open reports, or all, after the number `after`."""
    with reading(connection):
        may_read(connection, room_id, actor, "reports")
        rows = connection.execute(_REPORTS, (room_id, after, resolved, limit)).fetchall()
    return [_reported(row) for row in rows]


def _reported(row: Sequence[Any]) -> Reported:
    number, seq, reporter, reason, at, resolved_by, note = row
    return Reported(number=number, seq=seq, reporter=reporter, reason=reason, at=at, resolved_by=resolved_by, note=note)


_RESOLVE: Final = """
    UPDATE trichat.reports SET resolved_by = %s, resolved_by_id = %s, note = %s
    WHERE room_id = %s AND number = %s AND resolved_by IS NULL
"""


def resolve(connection: Connection, room_id: RoomId, by: From, number: int, note: str, *, patience_ms: int) -> bool:
    """Close an open report; False when there is none of this number."""
    with governing(connection, patience_ms):
        room, _ = lock_permitted(connection, room_id, by.actor, "reports")
        closed = connection.execute(_RESOLVE, (by.actor.user, by.actor.user_id, note, room_id, number)).rowcount
        if closed:
            add_audit(connection, by, "resolve", room_id, room.record.name, reason=note)
    return bool(closed)


# reports of all rooms, for the operator

#: By whom the operator resolves: the room's people read it, and nobody can register this name.
SERVER_NAME: Final = "server"

_ALL_REPORTS: Final = """
    SELECT r.name, p.number, p.seq, p.reporter, p.reason, floor(extract(epoch FROM p.at) * 1000)::bigint,
        p.resolved_by, p.note
    FROM trichat.reports p JOIN trichat.rooms r ON r.id = p.room_id
    WHERE p.number > %s AND (%s OR p.resolved_by IS NULL)
    ORDER BY p.number LIMIT %s
"""
_RESOLVE_ANY: Final = """
    UPDATE trichat.reports p SET resolved_by = %s, note = %s FROM trichat.rooms r
    WHERE p.number = %s AND p.resolved_by IS NULL AND r.id = p.room_id
    RETURNING r.id, r.name
"""
_NOTE_RESOLVED: Final = """
    INSERT INTO trichat.audit (actor, act, room_id, room, reason) VALUES (%s, 'resolve', %s, %s, %s)
"""


def all_reports(connection: Connection, *, resolved: bool, after: int, limit: int) -> list[tuple[RoomName, Reported]]:
    """Open reports of all rooms, or all, after the number `after`."""
    rows = connection.execute(_ALL_REPORTS, (after, resolved, limit))
    return [(RoomName(name), _reported(report)) for name, *report in rows]


def resolve_any(connection: Connection, number: int, note: str, *, operator: str) -> bool:
    """Close an open report of any room; False when there is none of this number.

    The room is not locked: the report's row alone says who of two closes it.
    """
    with durably(connection):
        room = connection.execute(_RESOLVE_ANY, (SERVER_NAME, note, number)).fetchone()
        if room is not None:
            connection.execute(_NOTE_RESOLVED, (operator, *room, note))
    return room is not None


# the audit

_AUDIT: Final = """
    SELECT number, floor(extract(epoch FROM at) * 1000)::bigint, actor, actor_id, act, room, target, target_id, reason,
        address
    FROM trichat.audit
    WHERE room_id = %s AND number < %s
    ORDER BY number DESC LIMIT %s
"""
_END: Final = 2**63 - 1


def audit(connection: Connection, room_id: RoomId, actor: Actor, *, before: int | None, limit: int) -> list[AuditEntry]:
    """The room's audit, newest first, before the entry `before`."""
    with reading(connection):
        may_read(connection, room_id, actor, "audit")
        rows = connection.execute(_AUDIT, (room_id, _END if before is None else before, limit)).fetchall()
    return [_entry(row) for row in rows]


def _entry(row: tuple[Any, ...]) -> AuditEntry:
    number, at, actor, actor_id, act, room, target, target_id, reason, address = row
    return AuditEntry(
        number=number, at=at, actor=actor, actor_id=actor_id, act=act, room=room, target=target, target_id=target_id,
        reason=reason, address=address,
    )  # fmt: skip
