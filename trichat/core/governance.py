"""Who may change what in a room: each change is judged under the room's lock, and becomes one event of its log.

Pure: the stores load what `judge` needs, under the lock, and write what it says, in the same transaction. So every
node decides by the same order, and the twins by the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import UNSET, structs

from trichat.core.changes import (
    ABOUT_SOMEBODY,
    Archive,
    Ban,
    Change,
    Changed,
    Edit,
    Enter,
    Invite,
    Kick,
    Mute,
    Quit,
    RoomState,
    SetRole,
    Target,
    Transfer,
    Unban,
    Unmute,
    Verdict,
    fingerprint,
)
from trichat.core.codec import quote
from trichat.core.errors import Refusal
from trichat.core.events import Person
from trichat.core.judging import Case, banned, demand_account, member_body, needs_role, no_such_room
from trichat.core.moderation import judge_about
from trichat.core.names import RoomName
from trichat.core.standing import ROLE_NAMES, Actor, Permission, Role, RoomRules, Standing, is_account

__all__ = [
    "ABOUT_SOMEBODY", "DIRECT_RULES", "Archive", "Ban", "Change", "Changed", "Edit", "Enter", "Invite", "Kick", "Mute",
    "Quit", "RoomState", "SetRole", "Target", "Transfer", "Unban", "Unmute", "Verdict", "banned", "check_direct",
    "check_visible", "cid_reused", "fingerprint", "judge", "made_body", "name_taken", "no_such_message",
    "no_such_room", "permit", "too_many_codes", "too_many_opened", "too_many_owned", "too_many_reports",
    "welcome_direct",
]  # fmt: skip


def judge(
    room: RoomState, actor: Actor, standing: Standing, change: Change, target: Target | None, *, now: int
) -> Verdict:
    """What `change` by `actor`, who stands so, comes to at `now` (milliseconds since 1970). Raises Refusal.

    `target` is whom the change is about, if it is about somebody.
    """
    case = Case(room.rules, actor, standing, now)
    if not isinstance(change, Enter):
        check_visible(room.rules, standing)
    match change:
        case Enter():
            return _enter(case, room, change)
        case Quit():
            return _quit(case, room)
        case Edit():
            return _edit(case, change)
        case Archive():
            return _archive(case, change)
        case _:
            assert target is not None
            return judge_about(case, change, target)


def check_visible(rules: RoomRules, standing: Standing) -> None:
    """Raises `no_such_room` where the room does not exist for whoever stands so."""
    if rules.kind != "public" and standing.role is None and not standing.invited:
        raise no_such_room()


def permit(rules: RoomRules, actor: Actor, standing: Standing, permission: Permission, *, now: int) -> None:
    """Raises Refusal unless `actor` may do what writes no event of the log: lists, codes, reports, deleting."""
    check_visible(rules, standing)
    case = Case(rules, actor, standing, now)
    if permission == "roster" and rules.kind == "public" and actor.is_account:
        case.refuse_banned()
        return
    case.demand(permission)
    if permission in ("read", "report"):
        if standing.banned_at(now):
            raise banned(standing)  # a ban keeps the server's admins from reading, too
        invited = permission == "read" and standing.invited
        if not (standing.may_read(rules, now, account=actor.is_account) or invited):
            raise needs_role(Role.MEMBER)


def check_direct(one: Actor, other: Person) -> None:
    """Raises Refusal unless these two may have a direct room."""
    demand_account(one)
    if not is_account(other.user_id):
        raise Refusal("bad_field", "guests have no direct rooms; they may register", field="user")
    if one.user_id == other.user_id:
        raise Refusal("bad_field", "a direct room is for two; name somebody else", field="user")


def welcome_direct(actor: Actor, person: Person, standing: Standing, seq: int) -> Verdict:
    """`person` becomes a member of a direct room, again or at first, because `actor` opens it; `seq` is the event's."""
    if standing.role is not None:
        return Verdict()
    return Verdict(
        kind="member",
        body=member_body(person.user, person.user_id, "joined", role=Role.MEMBER),
        standings={person.user_id: structs.replace(standing, role=Role.MEMBER, since=seq, invited=False)},
    )


#: Of every direct room.
DIRECT_RULES: Final = RoomRules(kind="direct", guests=False)


def name_taken(name: RoomName) -> Refusal:
    return Refusal("name_taken", f"there is a room named {name} already; take another name", field="room")


def cid_reused(seq: int) -> Refusal:
    return Refusal("cid_reused", f"you used this cid for the event {seq}; take a new one", field="cid")


def too_many_owned(most: int) -> Refusal:
    return Refusal("limit_reached", f"you own {most} rooms already; delete one, or transfer it", field="room")


def too_many_opened(most: int) -> Refusal:
    return Refusal("limit_reached", f"you have opened {most} direct rooms already", field="user")


def too_many_codes(most: int) -> Refusal:
    said = f"the room has {most} codes that can be used; end one, or wait for it to expire"
    return Refusal("limit_reached", said, field="room")


def too_many_reports(most: int) -> Refusal:
    said = f"you have {most} open reports in this room; wait for the moderators"
    return Refusal("limit_reached", said, field="room")


def no_such_message(seq: int) -> Refusal:
    return Refusal("bad_field", f"there is no message {seq} in this room", field="seq")


def made_body(rules: RoomRules) -> bytes:
    """The body of a room's first event: its kind, and all that is not the default."""
    usual = structs.asdict(RoomRules())
    return _room_body({k: v for k, v in structs.asdict(rules).items() if k == "kind" or v != usual[k]})


def _enter(case: Case, room: RoomState, change: Enter) -> Verdict:
    rules, standing = case.rules, case.standing
    if standing.role is not None:
        return Verdict()
    if rules.kind != "public" and not (standing.invited or change.by_invite):
        raise no_such_room()
    demand_account(case.actor)
    if standing.banned_at(case.now):
        raise banned(standing)
    if rules.member_limit and room.members >= rules.member_limit:
        raise Refusal("limit_reached", f"the room has its {rules.member_limit} members already", field="room")
    # who comes first into a room that nobody has made or used owns it
    role = Role.OWNER if room.head == 0 and room.members == 0 and rules.kind == "public" else Role.MEMBER
    new = structs.replace(
        standing, role=role, since=room.head + 1, invited=False, banned_until=0, reason=case.mute_reason(standing)
    )
    return Verdict(
        kind="member",
        body=member_body(case.actor.user, case.actor.user_id, "joined", role=role),
        standings={case.actor.user_id: new},
    )


def _quit(case: Case, room: RoomState) -> Verdict:
    if case.standing.role is None:
        return Verdict()
    direct = case.rules.kind == "direct"  # whose people may come back
    if case.standing.role is Role.OWNER and room.owners == 1:
        raise Refusal("forbidden", "you are the last owner: transfer the room first, or delete it", field="room")
    return Verdict(
        kind="member",
        body=member_body(case.actor.user, case.actor.user_id, "left"),
        standings={case.actor.user_id: structs.replace(case.standing, role=None, since=0, invited=direct)},
    )


def _edit(case: Case, change: Edit) -> Verdict:
    if case.rules.kind == "direct":
        raise Refusal("forbidden", "a direct room has no rules to change", field="room")
    case.demand("edit")
    fields = {name: value for name, value in structs.asdict(change).items() if value is not UNSET}
    if case.rules.kind != "public" and fields.get("guests"):
        raise Refusal("bad_field", "guests come into public rooms alone", field="guests")
    changes = {name: value for name, value in fields.items() if getattr(case.rules, name) != value}
    if not changes:
        return Verdict()
    return Verdict(kind="room", body=_room_body(changes), rules=structs.replace(case.rules, **changes), act="edit")


def _archive(case: Case, change: Archive) -> Verdict:
    case.demand("archive")
    if case.rules.archived == change.archived:
        return Verdict()
    return Verdict(
        kind="room",
        body=_room_body({"archived": change.archived}),
        rules=structs.replace(case.rules, archived=change.archived),
        act="archive" if change.archived else "unarchive",
    )


def _room_body(changes: Mapping[str, Any]) -> bytes:
    said = {name: ROLE_NAMES[value] if name == "send" else value for name, value in changes.items()}
    return quote({"changes": said})
