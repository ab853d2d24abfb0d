"""Invitations: by name, and by codes that can be passed on."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from trichat.chat.governed import change_room, find_person, find_room
from trichat.chat.people_ports import Access
from trichat.chat.scopes import demand_scope_everywhere
from trichat.chat.session import Session
from trichat.core.accounts import InviteCode
from trichat.core.codec import format_ts
from trichat.core.commands_rooms import Accept, Invites, InviteUser, Uninvite
from trichat.core.errors import Refusal
from trichat.core.governance import Invite
from trichat.core.replies_rooms import Accepted, InviteReply, InvitesReply, ListedInvite, Uninvited
from trichat.core.room_fields import parse_cid, parse_number, parse_whom

#: Characters of a code: 130 bits, beyond guessing.
CODE_CHARS = 26
#: Characters of what may be a code: of anything longer it is known that it is none.
_MOST_CHARS = 64


async def invite(session: Session, command: InviteUser) -> None:
    """Invite an account by name, or make a code."""
    limits = session.hub.limits
    cid = parse_cid(command.cid, limits)
    parse_number(command.uses, "uses", 1, limits.invite_uses)
    parse_number(command.for_s, "for_s", 1, limits.restraint_s)
    whom = _whom(session, command.user, cid)
    access = await find_room(session, command.room, "invite")
    if whom is None:
        return await _make_code(session, command, access)
    target = await find_person(session, whom)
    return await change_room(session, access, Invite(), command_id=command.id, cid=cid, target=target)


def _whom(session: Session, user: str | UnsetType, cid: str | None) -> str | None:
    if user is not UNSET:
        return parse_whom(user, session.hub.limits)
    if cid is not None:
        raise Refusal("bad_field", "a code is made anew each time, so it takes no cid; or say user", field="cid")
    return None


async def _make_code(session: Session, command: InviteUser, access: Access) -> None:
    if access.record.rules.kind == "direct":
        raise Refusal("forbidden", "a direct room has its two people and no others", field="room")
    made = await session.hub.store.governance.make_invite(
        access.record.id,
        session.actor,
        session.hub.chance.label(CODE_CHARS),
        uses=command.uses,
        for_s=command.for_s,
        address=session.address,
    )
    session.reply(
        InviteReply(
            id=command.id,
            room=access.record.name,
            code=made.code,
            uses=made.uses_left,
            expires=format_ts(made.expires),
        )
    )


async def invites(session: Session, command: Invites) -> None:
    """The room's codes that can be used, by their beginnings."""
    access = await find_room(session, command.room, "invite")
    await session.outbox.refilled()
    listed = await session.hub.store.governance.invites(access.record.id, session.actor)
    session.reply(InvitesReply(id=command.id, room=access.record.name, invites=[_listed(code) for code in listed]))


def _listed(invite_code: InviteCode) -> ListedInvite:
    return ListedInvite(
        code=invite_code.code,
        made_by=invite_code.made_by,
        uses=invite_code.uses_left,
        expires=format_ts(invite_code.expires),
    )


async def uninvite(session: Session, command: Uninvite) -> None:
    """End a code."""
    code = _parse_code(command.code)
    access = await find_room(session, command.room, "invite")
    dropped = await session.hub.store.governance.drop_invite(
        access.record.id, session.actor, code, address=session.address
    )
    if not dropped:
        raise Refusal("bad_field", "this room has no such code; invites lists those that can be used", field="code")
    session.reply(Uninvited(id=command.id, room=access.record.name))


async def accept(session: Session, command: Accept) -> None:
    """Become a member of the room that a code is for."""
    code = _parse_code(command.code)
    demand_scope_everywhere(session, "read")
    await session.all_answered()
    try:
        room, changed = await session.hub.store.governance.accept(code, session.actor)
    except Refusal as refusal:
        if refusal.code == "no_such_room":
            said = "this code is worth nothing: it never was, has expired, or was used up or ended"
            raise Refusal("no_such_room", said, field="code") from None
        raise
    if changed.event is not None:
        session.hub.announce_event(room.id, room.name, changed.event)
    session.reply(Accepted(id=command.id, room=room.name, seq=changed.seq))


def _parse_code(text: str) -> str:
    if not 0 < len(text) <= _MOST_CHARS:
        raise Refusal("bad_field", f"code is what invite gave, {CODE_CHARS} characters", field="code")
    return text
