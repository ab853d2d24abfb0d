"""What changes a room: each change is judged under the room's lock, and becomes one event of its log.

Pure: the stores load what `judge` needs, under the lock, and write what it says, in the same transaction. So every
node decides by the same order, and the twins by the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, assert_never

from msgspec import UNSET, Struct, UnsetType, structs

from trichat.core.codec import format_ts, quote
from trichat.core.errors import Refusal
from trichat.core.events import Event
from trichat.core.names import UserId
from trichat.core.standing import (
    FOREVER,
    NOBODY,
    PERMISSIONS,
    ROLE_NAMES,
    Actor,
    HistoryRule,
    Permission,
    Role,
    RoomRules,
    Standing,
    is_account,
)


class Enter(Struct, frozen=True):
    """Become a member (an account's first join). `by_invite`: an invite's code was shown, and used up."""

    by_invite: bool = False


class Quit(Struct, frozen=True):
    """Be a member no more, by one's own will."""


class Invite(Struct, frozen=True):
    """Let the target in where they could not come alone."""


class Kick(Struct, frozen=True):
    """End the target's membership and listening; they may come back as the room's kind allows."""

    reason: str = ""


class Ban(Struct, frozen=True):
    """Kick, and keep out until `until` (milliseconds since 1970)."""

    until: int = FOREVER
    reason: str = ""


class Unban(Struct, frozen=True):
    """Let the target come again."""


class Mute(Struct, frozen=True):
    """Let the target read but not send until `until` (milliseconds since 1970)."""

    until: int = FOREVER
    reason: str = ""


class Unmute(Struct, frozen=True):
    """Let the target send again."""


class SetRole(Struct, frozen=True):
    """Make the target a member, moderator or admin."""

    role: Role


class Transfer(Struct, frozen=True):
    """Make the target the owner, and the actor an admin."""


class Edit(Struct, frozen=True, kw_only=True):
    """Change the room's rules; what is UNSET stays."""

    title: str | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    member_limit: int | UnsetType = UNSET
    slow_s: int | UnsetType = UNSET
    send: Role | UnsetType = UNSET
    history: HistoryRule | UnsetType = UNSET
    guests: bool | UnsetType = UNSET


class Archive(Struct, frozen=True):
    """Close the room for writing, or open it again."""

    archived: bool = True


Change = (
    Enter | Quit | Invite | Kick | Ban | Unban | Mute | Unmute | SetRole | Transfer | Edit | Archive
)  # fmt: skip

#: Changes that are about another person; the others are about oneself or the room.
ABOUT_SOMEBODY: Final = (Invite, Kick, Ban, Unban, Mute, Unmute, SetRole, Transfer)


class RoomState(Struct, frozen=True):
    """What is to be known of a room under its lock: `members` and `owners` count accounts with a role."""

    rules: RoomRules
    head: int
    members: int
    owners: int


class Target(Struct, frozen=True):
    """Whom a change is about."""

    user_id: UserId
    user: str
    standing: Standing


class Verdict(Struct, frozen=True, kw_only=True):
    """What a permitted change does. With no `kind` nothing is to be written: all is so already."""

    kind: Literal["member", "room"] | None = None
    body: bytes = b""  # the event's body: compact JSON
    standings: Mapping[UserId, Standing] = {}
    rules: RoomRules | None = None
    act: str = ""  # how the audit calls it; empty: not audited
    reason: str = ""


def judge(
    room: RoomState, actor: Actor, standing: Standing, change: Change, target: Target | None, *, now: int
) -> Verdict:
    """What `change` by `actor`, who stands so, comes to at `now` (milliseconds since 1970). Raises Refusal."""
    case = _Case(room, actor, standing, now)
    hidden = room.rules.kind != "public" and standing.role is None and not standing.invited
    if hidden and not isinstance(change, Enter):
        raise no_such_room()
    match change:
        case Enter():
            return _enter(case, change)
        case Quit():
            return _quit(case)
        case Edit():
            return _edit(case, change)
        case Archive():
            return _archive(case, change)
        case _:
            assert target is not None
            return _about_somebody(case, change, target)


class _Case(Struct, frozen=True):
    room: RoomState
    actor: Actor
    standing: Standing
    now: int

    @property
    def next_seq(self) -> int:
        return self.room.head + 1

    @property
    def role(self) -> Role:
        """The role that counts: who administers the server acts as an owner in every public room."""
        if self.actor.admin and self.room.rules.kind == "public":
            return Role.OWNER
        return self.standing.role_at(self.now)

    def demand(self, permission: Permission) -> None:
        if self.standing.banned_at(self.now) and not self.actor.admin:
            raise banned(self.standing)
        least = PERMISSIONS[permission]
        if self.role < least:
            raise Refusal("forbidden", f"that takes the role {ROLE_NAMES[least]} in this room", field="room")

    def demand_rank_over(self, target: Target) -> None:
        if target.user_id == self.actor.user_id:
            raise Refusal("bad_field", "that cannot be done to oneself", field="user")
        theirs = target.standing.role or Role.GUEST
        if theirs >= self.role:
            raise Refusal("forbidden", f"{target.user} is {ROLE_NAMES[theirs]}; your role must be above", field="user")


def banned(standing: Standing) -> Refusal:
    """What somebody hears who is banned."""
    until = "" if standing.banned_until >= FOREVER else f" until {format_ts(standing.banned_until)}"
    reason = f": {standing.reason}" if standing.reason else ""
    return Refusal("forbidden", f"you are banned from this room{until}{reason}", field="room")


def no_such_room() -> Refusal:
    """What everybody hears of a room that does not exist, or does not exist for them."""
    return Refusal("no_such_room", 'there is no such room; {"type":"rooms"} lists those there are', field="room")


def _enter(case: _Case, change: Enter) -> Verdict:
    room, standing = case.room, case.standing
    if standing.role is not None:
        return Verdict()
    if room.rules.kind != "public" and not (standing.invited or change.by_invite):
        raise no_such_room()
    if standing.banned_at(case.now):
        raise banned(standing)
    if room.rules.member_limit and room.members >= room.rules.member_limit:
        raise Refusal("limit_reached", f"the room has its {room.rules.member_limit} members already", field="room")
    # who comes first into a room that nobody has made or used owns it
    role = Role.OWNER if room.head == 0 and room.members == 0 and room.rules.kind == "public" else Role.MEMBER
    new = structs.replace(standing, role=role, since=case.next_seq, invited=False, banned_until=0)
    return Verdict(
        kind="member",
        body=_member_body(case.actor.user, case.actor.user_id, "joined", role=role),
        standings={case.actor.user_id: new},
    )


def _quit(case: _Case) -> Verdict:
    if case.standing.role is None:
        return Verdict()
    direct = case.room.rules.kind == "direct"  # whose people may come back
    if case.standing.role is Role.OWNER and case.room.owners == 1 and not direct:
        raise Refusal("forbidden", "you are the last owner: transfer the room first, or delete it", field="room")
    return Verdict(
        kind="member",
        body=_member_body(case.actor.user, case.actor.user_id, "left"),
        standings={case.actor.user_id: structs.replace(case.standing, role=None, since=0, invited=direct)},
    )


def _edit(case: _Case, change: Edit) -> Verdict:
    if case.room.rules.kind == "direct":
        raise Refusal("forbidden", "a direct room has no rules to change", field="room")
    case.demand("edit")
    fields = {name: value for name, value in structs.asdict(change).items() if value is not UNSET}
    rules = structs.replace(case.room.rules, **fields)
    if rules.kind != "public" and rules.guests:
        raise Refusal("bad_field", "guests come into public rooms alone", field="guests")
    changes = {name: value for name, value in fields.items() if getattr(case.room.rules, name) != value}
    if not changes:
        return Verdict()
    if "send" in changes:
        changes["send"] = ROLE_NAMES[Role(changes["send"])]
    return Verdict(kind="room", body=_room_body(changes), rules=rules, act="edit")


def _archive(case: _Case, change: Archive) -> Verdict:
    case.demand("archive")
    if case.room.rules.archived == change.archived:
        return Verdict()
    return Verdict(
        kind="room",
        body=_room_body({"archived": change.archived}),
        rules=structs.replace(case.room.rules, archived=change.archived),
        act="archive" if change.archived else "unarchive",
    )


def _about_somebody(
    case: _Case,
    change: Invite | Kick | Ban | Unban | Mute | Unmute | SetRole | Transfer,
    target: Target,
) -> Verdict:
    if case.room.rules.kind == "direct" and not isinstance(change, Mute | Unmute):
        raise Refusal("forbidden", "a direct room has its two people and no others", field="room")
    match change:
        case Invite():
            return _invite(case, target)
        case Kick():
            return _kick(case, change, target)
        case Ban():
            return _ban(case, change, target)
        case Unban():
            return _unban(case, target)
        case Mute():
            return _mute(case, change, target)
        case Unmute():
            return _unmute(case, target)
        case SetRole():
            return _set_role(case, change, target)
        case Transfer():
            return _transfer(case, target)
        case _:
            assert_never(change)


def _invite(case: _Case, target: Target) -> Verdict:
    case.demand("invite")
    if not is_account(target.user_id):
        raise Refusal("bad_field", "guests cannot be invited; they have no membership", field="user")
    if target.standing.banned_at(case.now):
        raise Refusal("bad_state", f"{target.user} is banned; unban them first", field="user")
    if target.standing.role is not None or target.standing.invited:
        return Verdict()
    new = structs.replace(target.standing, invited=True)
    return _member(case, target, "invited", new, act="invite")


def _kick(case: _Case, change: Kick, target: Target) -> Verdict:
    case.demand("kick")
    case.demand_rank_over(target)
    if target.standing.role is None and is_account(target.user_id) and not target.standing.invited:
        raise Refusal("bad_state", f"{target.user} is no member of this room", field="user")
    new = structs.replace(target.standing, role=None, since=0, invited=False)
    return _member(case, target, "kicked", new, act="kick", reason=change.reason)


def _ban(case: _Case, change: Ban, target: Target) -> Verdict:
    case.demand("ban")
    case.demand_rank_over(target)
    _demand_future(case, change.until)
    new = structs.replace(
        target.standing, role=None, since=0, invited=False, banned_until=change.until, reason=change.reason
    )
    return _member(case, target, "banned", new, act="ban", until=change.until, reason=change.reason)


def _unban(case: _Case, target: Target) -> Verdict:
    case.demand("ban")
    if not target.standing.banned_at(case.now):
        return Verdict()
    return _member(case, target, "unbanned", structs.replace(target.standing, banned_until=0, reason=""), act="unban")


def _mute(case: _Case, change: Mute, target: Target) -> Verdict:
    if case.room.rules.kind == "direct":
        if case.standing.role is None:
            raise no_such_room()
    else:
        case.demand("mute")
        case.demand_rank_over(target)
    _demand_future(case, change.until)
    new = structs.replace(target.standing, muted_until=change.until, reason=change.reason)
    return _member(case, target, "muted", new, act="mute", until=change.until, reason=change.reason)


def _unmute(case: _Case, target: Target) -> Verdict:
    if case.room.rules.kind == "direct":
        if case.standing.role is None:
            raise no_such_room()
    else:
        case.demand("mute")
        case.demand_rank_over(target)
    if case.now >= target.standing.muted_until:
        return Verdict()
    return _member(case, target, "unmuted", structs.replace(target.standing, muted_until=0, reason=""), act="unmute")


def _set_role(case: _Case, change: SetRole, target: Target) -> Verdict:
    case.demand("role")
    if change.role not in (Role.MEMBER, Role.MODERATOR, Role.ADMIN):
        raise Refusal("bad_field", "role is one of member, moderator, admin; transfer makes an owner", field="role")
    if target.standing.role is None:
        raise Refusal("bad_state", f"{target.user} is no member of this room; invite them first", field="user")
    case.demand_rank_over(target)
    if change.role >= case.role:
        raise Refusal("forbidden", f"only a role above {ROLE_NAMES[change.role]} gives it", field="role")
    if target.standing.role is change.role:
        return Verdict()
    return _member(case, target, "role", structs.replace(target.standing, role=change.role), act="role")


def _transfer(case: _Case, target: Target) -> Verdict:
    case.demand("transfer")
    if target.user_id == case.actor.user_id:
        raise Refusal("bad_field", "that cannot be done to oneself", field="user")
    if target.standing.role is None:
        raise Refusal("bad_state", f"{target.user} is no member of this room; invite them first", field="user")
    if target.standing.role is Role.OWNER:
        return Verdict()
    standings = {target.user_id: structs.replace(target.standing, role=Role.OWNER, muted_until=0)}
    if case.standing.role is Role.OWNER:
        standings[case.actor.user_id] = structs.replace(case.standing, role=Role.ADMIN)
    return Verdict(
        kind="member",
        body=_member_body(target.user, target.user_id, "role", role=Role.OWNER),
        standings=standings,
        act="transfer",
    )


def _demand_future(case: _Case, until: int) -> None:
    if until <= case.now:
        raise Refusal("bad_field", "for_s is at least 1", field="for_s")


def _member(
    case: _Case, target: Target, change: str, new: Standing, *, act: str, until: int | None = None, reason: str = ""
) -> Verdict:
    role = new.role if change == "role" else None
    body = _member_body(target.user, target.user_id, change, role=role, until=until, reason=reason)
    return Verdict(kind="member", body=body, standings={target.user_id: new}, act=act, reason=reason)


def _member_body(
    user: str, user_id: UserId, change: str, *, role: Role | None = None, until: int | None = None, reason: str = ""
) -> bytes:
    body: dict[str, Any] = {"user": user, "user_id": user_id, "change": change}
    if role is not None:
        body["role"] = ROLE_NAMES[role]
    if until is not None and until < FOREVER:
        body["until"] = format_ts(until)
    if reason:
        body["reason"] = reason
    return quote(body)


def _room_body(changes: Mapping[str, Any]) -> bytes:
    return quote({"changes": changes})


class Changed(Struct, frozen=True):
    """What a change came to: the event that it wrote; `repeated` when a `cid` had written it before.

    `event` is None when nothing was to be changed. `standing` is how the actor stands afterwards.
    """

    event: Event | None
    seq: int  # of the event, or the head when there is none
    repeated: bool
    standing: Standing = NOBODY
