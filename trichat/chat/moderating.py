"""Moderators and owners act on people: kick, ban, mute, roles, transfer; and see who is there and who is kept out."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from trichat.chat.governed import change_room, find_person, find_room
from trichat.chat.people_ports import Access
from trichat.chat.session import Session
from trichat.core.accounts import Member, Restrained
from trichat.core.codec import format_ts
from trichat.core.commands_rooms import (
    Bans,
    BanUser,
    KickUser,
    MuteUser,
    Roster,
    SetUserRole,
    TransferRoom,
    UnbanUser,
    UnmuteUser,
)
from trichat.core.events import Person
from trichat.core.governance import Ban, Kick, Mute, SetRole, Transfer, Unban, Unmute
from trichat.core.lines import parse_line
from trichat.core.replies_rooms import BansPage, ListedMember, ListedRestrained, RosterPage
from trichat.core.room_fields import parse_cid, parse_duration_ms, parse_given_role, parse_limit, parse_whom
from trichat.core.standing import FOREVER, ROLE_NAMES, Permission

_AboutSomebody = KickUser | BanUser | UnbanUser | MuteUser | UnmuteUser | SetUserRole | TransferRoom


async def kick(session: Session, command: KickUser) -> None:
    """Remove somebody from a room."""
    reason = parse_line(command.reason, "reason", session.hub.limits.reason_bytes)
    access, target = await _find(session, command, "kick")
    await _change(session, command, access, target, Kick(reason))


async def ban(session: Session, command: BanUser) -> None:
    """Remove somebody and keep them out."""
    reason = parse_line(command.reason, "reason", session.hub.limits.reason_bytes)
    duration_ms = parse_duration_ms(command.for_s, session.hub.limits)
    access, target = await _find(session, command, "ban")
    await _change(session, command, access, target, Ban(_until(access, duration_ms), reason))


async def unban(session: Session, command: UnbanUser) -> None:
    """Let somebody come in again."""
    access, target = await _find(session, command, "ban")
    await _change(session, command, access, target, Unban())


async def mute(session: Session, command: MuteUser) -> None:
    """Let somebody read but not send."""
    reason = parse_line(command.reason, "reason", session.hub.limits.reason_bytes)
    duration_ms = parse_duration_ms(command.for_s, session.hub.limits)
    access, target = await _find(session, command, "mute")
    await _change(session, command, access, target, Mute(_until(access, duration_ms), reason))


async def unmute(session: Session, command: UnmuteUser) -> None:
    """Let somebody send again."""
    access, target = await _find(session, command, "mute")
    await _change(session, command, access, target, Unmute())


async def set_role(session: Session, command: SetUserRole) -> None:
    """Make somebody member, moderator or admin."""
    role = parse_given_role(command.role)
    access, target = await _find(session, command, "role")
    await _change(session, command, access, target, SetRole(role))


async def transfer(session: Session, command: TransferRoom) -> None:
    """Make somebody else the owner."""
    access, target = await _find(session, command, "transfer")
    await _change(session, command, access, target, Transfer())


async def roster(session: Session, command: Roster) -> None:
    """A page of the room's members."""
    limit = parse_limit(command.limit, session.hub.limits.list_page)
    access = await find_room(session, command.room, "roster")
    await session.outbox.refilled()
    members = await session.hub.store.governance.roster(
        access.record.id, session.actor, after=command.after, limit=limit + 1
    )
    shown = [_listed_member(member, access.now) for member in members[:limit]]
    session.reply(RosterPage(id=command.id, room=access.record.name, members=shown, more=len(members) > limit))


async def bans(session: Session, command: Bans) -> None:
    """A page of those who are banned or muted."""
    limit = parse_limit(command.limit, session.hub.limits.list_page)
    access = await find_room(session, command.room, "ban")
    await session.outbox.refilled()
    people = await session.hub.store.governance.restrained(
        access.record.id, session.actor, after=command.after, limit=limit + 1
    )
    shown = [_listed_restrained(person, access.now) for person in people[:limit]]
    session.reply(BansPage(id=command.id, room=access.record.name, people=shown, more=len(people) > limit))


async def _find(session: Session, command: _AboutSomebody, permission: Permission) -> tuple[Access, Person]:
    """The room first: of a room that does not exist for the client nothing shows whether there is such a person."""
    whom = parse_whom(command.user, session.hub.limits)
    parse_cid(command.cid, session.hub.limits)
    access = await find_room(session, command.room, permission)
    return access, await find_person(session, whom)


async def _change(
    session: Session,
    command: _AboutSomebody,
    access: Access,
    target: Person,
    change: Kick | Ban | Unban | Mute | Unmute | SetRole | Transfer,
) -> None:
    await change_room(session, access, change, command_id=command.id, cid=command.cid, target=target)


def _until(access: Access, duration_ms: int | None) -> int:
    return FOREVER if duration_ms is None else access.now + duration_ms


def _listed_member(member: Member, now: int) -> ListedMember:
    muted = member.muted_until > now
    return ListedMember(
        user=member.user,
        user_id=member.user_id,
        role=ROLE_NAMES[member.role],
        since=member.since,
        muted=True if muted else UNSET,
        muted_until=_end(member.muted_until) if muted else UNSET,
    )


def _listed_restrained(person: Restrained, now: int) -> ListedRestrained:
    banned, muted = person.banned_until > now, person.muted_until > now
    return ListedRestrained(
        user=person.user,
        user_id=person.user_id,
        banned=banned,
        banned_until=_end(person.banned_until) if banned else UNSET,
        muted=muted,
        muted_until=_end(person.muted_until) if muted else UNSET,
        reason=person.reason,
    )


def _end(until: int) -> str | UnsetType:
    return UNSET if until >= FOREVER else format_ts(until)
