"""Reports of messages, what moderators do of them, and the audit of a room."""

from __future__ import annotations

from msgspec import UNSET

from trichat.chat.governed import demand_reading, find_room
from trichat.chat.people_ports import Access
from trichat.chat.session import Session
from trichat.core.accounts import AuditEntry, Reported
from trichat.core.codec import format_ts
from trichat.core.commands_rooms import Audit, Report, Reports, Resolve
from trichat.core.errors import Refusal
from trichat.core.lines import parse_line
from trichat.core.replies_rooms import AuditPage, ListedAct, ListedReport, ReportedReply, ReportsPage, Resolved
from trichat.core.room_fields import parse_limit


async def report(session: Session, command: Report) -> None:
    """Tell a room's moderators of a message that one may read."""
    reason = parse_line(command.reason, "reason", session.hub.limits.reason_bytes)
    access = await find_room(session, command.room, "report")
    demand_reading(session, access)
    if not _may_see(session, access, command.seq):
        raise Refusal("bad_field", "seq is no message that you can read", field="seq")
    number = await session.hub.store.governance.report(access.record.id, command.seq, session.actor, reason)
    session.reply(ReportedReply(id=command.id, room=access.record.name, report=number))


def _may_see(session: Session, access: Access, seq: int) -> bool:
    if seq >= access.standing.first_readable(access.record.rules):
        return True
    # a guest sees no history where members see theirs alone, but hears what is said while they listen
    return session.account is None and access.record.name in session.memberships


async def reports(session: Session, command: Reports) -> None:
    """A page of the room's reports."""
    limit = parse_limit(command.limit, session.hub.limits.list_page)
    access = await find_room(session, command.room, "reports")
    await session.outbox.refilled()
    found = await session.hub.store.governance.reports(
        access.record.id, session.actor, resolved=command.all, after=command.after, limit=limit + 1
    )
    shown = [_listed(one) for one in found[:limit]]
    session.reply(ReportsPage(id=command.id, room=access.record.name, reports=shown, more=len(found) > limit))


async def resolve(session: Session, command: Resolve) -> None:
    """Close a report."""
    note = parse_line(command.note, "note", session.hub.limits.reason_bytes)
    access = await find_room(session, command.room, "reports")
    closed = await session.hub.store.governance.resolve(
        access.record.id, session.actor, command.report, note, address=session.address
    )
    if not closed:
        raise Refusal("bad_field", "this room has no open report of this number; reports lists them", field="report")
    session.reply(Resolved(id=command.id, room=access.record.name, report=command.report))


async def audit(session: Session, command: Audit) -> None:
    """A page of who did what in the room."""
    limit = parse_limit(command.limit, session.hub.limits.list_page)
    before = None if command.before is UNSET else command.before
    access = await find_room(session, command.room, "audit")
    await session.outbox.refilled()
    entries = await session.hub.store.governance.audit(access.record.id, session.actor, before=before, limit=limit + 1)
    shown = [_listed_act(entry) for entry in entries[:limit]]
    session.reply(AuditPage(id=command.id, room=access.record.name, entries=shown, more=len(entries) > limit))


def _listed(one: Reported) -> ListedReport:
    resolved = one.resolved_by is not None
    return ListedReport(
        report=one.number,
        seq=one.seq,
        by=one.reporter,
        reason=one.reason,
        at=format_ts(one.at),
        resolved_by=one.resolved_by or UNSET,
        note=one.note if resolved else UNSET,
    )


def _listed_act(entry: AuditEntry) -> ListedAct:
    return ListedAct(
        entry=entry.number,
        at=format_ts(entry.at),
        by=entry.actor,
        by_id=entry.actor_id or UNSET,
        act=entry.act,
        user=entry.target or UNSET,
        user_id=entry.target_id or UNSET,
        reason=entry.reason,
        address=entry.address,
    )
