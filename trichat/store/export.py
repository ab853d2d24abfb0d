"""What PostgreSQL keeps about a person, section by section. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trichat.core.accounts import Account, Key, LoginSession, ProfileFields, Reported
from trichat.core.conversation import Revision, Told
from trichat.core.names import UserId, given_name
from trichat.core.standing import Role, Standing, is_account
from trichat.store import personal_rows
from trichat.store.administration import ENTRY, lock_account, note, read_entry
from trichat.store.connection import Connection
from trichat.store.erased import concerns
from trichat.store.erasure import MADE, Place, find_events, names_of
from trichat.store.writing import durably


def _ms(column: str) -> str:
    return f"floor(extract(epoch FROM {column}) * 1000)::bigint"


_ACCOUNT: Final = f"""
    SELECT id, name, kind, admin, active, {_ms("created_at")}, display_name, about, avatar, locale, time_zone, issuer,
        subject, password_hash IS NOT NULL, totp_secret IS NOT NULL
    FROM trichat.users WHERE id = %s
"""  # noqa: S608
_NAMES: Final = f"""
    SELECT name, CASE WHEN isfinite(free_at) THEN {_ms("free_at")} END FROM trichat.names
    WHERE user_id = %s ORDER BY name
"""  # noqa: S608
_LOGINS: Final = f"""
    SELECT id, device, address, {_ms("created_at")}, {_ms("seen_at")}, {_ms("expires_at")}
    FROM trichat.logins WHERE user_id = %s ORDER BY created_at, id
"""  # noqa: S608
_KEYS: Final = "SELECT id, scopes, rooms FROM trichat.keys WHERE user_id = %s ORDER BY created_at, id"
_BLOCKS: Final = "SELECT blocked_id FROM trichat.blocks WHERE user_id = %s ORDER BY blocked_id"
_MEMBERSHIPS: Final = """
    SELECT r.name, s.name, s.read_seq, s.level, s.quiet_until,
        s.role, s.since, s.invited, s.muted_until, s.banned_until, s.reason
    FROM trichat.standings s LEFT JOIN trichat.rooms r ON r.id = s.room_id WHERE s.user_id = %s ORDER BY s.room_id
"""
_INVITES: Final = f"""
    SELECT r.name, uses_left, {_ms("expires_at")}
    FROM trichat.invites LEFT JOIN trichat.rooms r ON r.id = room_id WHERE {MADE} ORDER BY expires_at
"""  # noqa: S608
_REPORTS: Final = f"""
    SELECT r.name, number, seq, reporter, reason, {_ms("at")}, resolved_by, note
    FROM trichat.reports LEFT JOIN trichat.rooms r ON r.id = room_id WHERE reporter_id = %s ORDER BY number
"""  # noqa: S608
_AUDIT: Final = f"""
    SELECT {ENTRY} FROM trichat.audit WHERE number > %s AND %s IN (actor_id, target_id) ORDER BY number LIMIT %s
"""  # noqa: S608


_REVISIONS: Final = f"""
    SELECT room_id, seq, rev, {_ms("at")}, text
    FROM trichat.revisions JOIN unnest(%s::bigint[], %s::bigint[]) AS said (room_id, seq) USING (room_id, seq)
    ORDER BY room_id, seq, rev
"""  # noqa: S608
_THREADS: Final = """
    SELECT r.name, root, following, read_seq
    FROM trichat.follows LEFT JOIN trichat.rooms r ON r.id = room_id WHERE user_id = %s ORDER BY room_id, root
"""


def begin(connection: Connection, user_id: UserId, *, operator: str) -> None:
    """That somebody reads all this is noted."""
    with durably(connection):
        account = lock_account(connection, user_id) if is_account(user_id) else None
        note(connection, operator, "export", account or Account(user_id=user_id, name=given_name(user_id)))


def read_section(connection: Connection, section: str, user_id: UserId) -> list[personal_rows.Row]:
    """All rows of one of the sections that are small; not of `audit` and `events`."""
    match section:
        case "account":
            return [_account(row) for row in connection.execute(_ACCOUNT, (user_id,))]
        case "names":
            return [personal_rows.name_row(*row) for row in connection.execute(_NAMES, (user_id,))]
        case "logins":
            return [_login(row) for row in connection.execute(_LOGINS, (user_id,))]
        case "keys":
            return [_key(row) for row in connection.execute(_KEYS, (user_id,))]
        case "blocks":
            return [personal_rows.block_row(*row) for row in connection.execute(_BLOCKS, (user_id,))]
        case "memberships":
            return [_membership(row) for row in connection.execute(_MEMBERSHIPS, (user_id,))]
        case "threads":
            return [personal_rows.thread_row(*row) for row in connection.execute(_THREADS, (user_id,))]
        case "invites":
            them = {"user_id": user_id, "names": names_of(connection, user_id)}
            return [personal_rows.invite_row(*row) for row in connection.execute(_INVITES, them)]
        case _:
            assert section == "reports"
            return [_report(row) for row in connection.execute(_REPORTS, (user_id,))]


def read_audit(
    connection: Connection, user_id: UserId, after: int, limit: int
) -> tuple[list[personal_rows.Row], int | None]:
    """The first `limit` entries by or about them after the entry `after`; where to go on, or None at the end."""
    entries = [read_entry(row) for row in connection.execute(_AUDIT, (after, user_id, limit))]
    return [personal_rows.audit_row(entry, user_id) for entry in entries], entries[-1].number if entries else None


def read_events(
    connection: Connection, user_id: UserId, after: Place, portion: int
) -> tuple[list[personal_rows.Row], Place | None]:
    """Those by or about them among the next `portion` events of all; where to go on, or None at the end."""
    found, end = find_events(connection, user_id, after, portion)
    theirs = [one for one in found if concerns(one.event, user_id)]
    said = [(one.room_id, one.event.seq) for one in theirs if one.event.kind == "message"]
    revisions = _revisions(connection, said)
    return [
        personal_rows.event_row(one.room, one.event, revisions.get((one.room_id, one.event.seq), [])) for one in theirs
    ], end


def _revisions(connection: Connection, said: Sequence[Place]) -> dict[Place, list[Revision]]:
    """The old texts of these messages, oldest first."""
    found: dict[Place, list[Revision]] = {}
    columns = [[room_id for room_id, _ in said], [seq for _, seq in said]]
    for room_id, seq, *revision in connection.execute(_REVISIONS, columns):
        found.setdefault((room_id, seq), []).append(Revision(*revision))
    return found


def _account(row: Sequence[Any]) -> personal_rows.Row:
    user_id, name, kind, admin, active, created, *profile, issuer, subject, password, second_factor = row
    return personal_rows.account_row(
        Account(user_id=user_id, name=name, kind=kind, admin=admin, active=active),
        created,
        ProfileFields(**dict(zip(ProfileFields.__struct_fields__, profile, strict=True))),
        (issuer, subject),
        password=password,
        second_factor=second_factor,
    )


def _login(row: Sequence[Any]) -> personal_rows.Row:
    login_id, device, address, created, seen, expires = row
    session = LoginSession(id=login_id, device=device, address=address, created=created, seen=seen)
    return personal_rows.login_row(session, expires)


def _key(row: Sequence[Any]) -> personal_rows.Row:
    key_id, scopes, rooms = row
    only = None if rooms is None else frozenset(rooms)
    return personal_rows.key_row(Key(id=key_id, scopes=frozenset(scopes), rooms=only))


def _membership(row: Sequence[Any]) -> personal_rows.Row:
    room, name, read, level, quiet_until, role, since, invited, muted, banned, reason = row
    standing = Standing(
        role=None if role is None else Role(role), since=since, invited=invited, muted_until=muted,
        banned_until=banned, reason=reason,
    )  # fmt: skip
    return personal_rows.membership_row(room, name, standing, read, Told(level, quiet_until))


def _report(row: Sequence[Any]) -> personal_rows.Row:
    room, number, seq, reporter, reason, at, resolved_by, note = row
    report = Reported(
        number=number, seq=seq, reporter=reporter, reason=reason, at=at, resolved_by=resolved_by, note=note
    )
    return personal_rows.report_row(room, report)
