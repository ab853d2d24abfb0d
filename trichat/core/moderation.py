"""Changes that are about another person: inviting, kicking, banning, muting, roles."""

from __future__ import annotations

from typing import assert_never

from msgspec import structs

from trichat.core.changes import (
    AboutSomebody,
    Ban,
    Invite,
    Kick,
    Mute,
    SetRole,
    Target,
    Transfer,
    Unban,
    Unmute,
    Verdict,
)
from trichat.core.errors import Refusal
from trichat.core.judging import Case, member_body
from trichat.core.standing import ROLE_NAMES, Role, Standing, is_account


def judge_about(case: Case, change: AboutSomebody, target: Target) -> Verdict:
    """What `change` comes to; the room exists for the actor. Raises Refusal."""
    if case.rules.kind == "direct":
        _demand_the_other(case, change, target)
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


def _demand_the_other(case: Case, change: AboutSomebody, target: Target) -> None:
    """In a direct room either may mute the other, also one who has left it; nothing else."""
    if not isinstance(change, Mute | Unmute):
        raise Refusal("forbidden", "a direct room has its two people and no others", field="room")
    _demand_another(case, target)
    if target.standing.role is None and not target.standing.invited:
        raise _no_member(target)


def _demand_another(case: Case, target: Target) -> None:
    if target.user_id == case.actor.user_id:
        raise Refusal("bad_field", "that cannot be done to oneself", field="user")


def _demand_rank_over(case: Case, target: Target) -> None:
    _demand_another(case, target)
    theirs = target.standing.role or Role.GUEST
    if theirs >= case.role:
        raise Refusal("forbidden", f"{target.user} is {ROLE_NAMES[theirs]}; your role must be above", field="user")


def _no_member(target: Target, hint: str = "") -> Refusal:
    return Refusal("bad_state", f"{target.user} is no member of this room{hint}", field="user")


def _invite(case: Case, target: Target) -> Verdict:
    case.demand("invite")
    if not is_account(target.user_id):
        raise Refusal("bad_field", "guests cannot be invited; they have no membership", field="user")
    if target.standing.banned_at(case.now):
        raise Refusal("bad_state", f"{target.user} is banned; unban them first", field="user")
    if target.standing.role is not None or target.standing.invited:
        return Verdict()
    return _member(target, "invited", structs.replace(target.standing, invited=True), act="invite")


def _kick(case: Case, change: Kick, target: Target) -> Verdict:
    case.demand("kick")
    _demand_rank_over(case, target)
    listens = not is_account(target.user_id) and case.rules.open_to_guests  # perhaps: guests are not written down
    if target.standing.role is None and not target.standing.invited and not listens:
        raise _no_member(target)
    new = structs.replace(target.standing, role=None, since=0, invited=False)
    return _member(target, "kicked", new, act="kick", reason=change.reason)


def _ban(case: Case, change: Ban, target: Target) -> Verdict:
    case.demand("ban")
    _demand_rank_over(case, target)
    _demand_future(case, change.until)
    new = structs.replace(
        target.standing, role=None, since=0, invited=False, banned_until=change.until, reason=change.reason
    )
    if new == target.standing:
        return Verdict()
    return _member(target, "banned", new, act="ban", until=change.until, reason=change.reason)


def _unban(case: Case, target: Target) -> Verdict:
    case.demand("ban")
    if not target.standing.banned_at(case.now):
        return Verdict()
    new = structs.replace(target.standing, banned_until=0, reason=case.mute_reason(target.standing))
    return _member(target, "unbanned", new, act="unban")


def _mute(case: Case, change: Mute, target: Target) -> Verdict:
    if case.rules.kind != "direct":
        case.demand("mute")
        _demand_rank_over(case, target)
    _demand_future(case, change.until)
    new = structs.replace(target.standing, muted_until=change.until, reason=change.reason)
    if new == target.standing:
        return Verdict()
    return _member(target, "muted", new, act="mute", until=change.until, reason=change.reason)


def _unmute(case: Case, target: Target) -> Verdict:
    if case.rules.kind != "direct":
        case.demand("mute")
        _demand_rank_over(case, target)
    if case.now >= target.standing.muted_until:
        return Verdict()
    new = structs.replace(target.standing, muted_until=0, reason=case.ban_reason(target.standing))
    return _member(target, "unmuted", new, act="unmute")


def _set_role(case: Case, change: SetRole, target: Target) -> Verdict:
    case.demand("role")
    if change.role not in (Role.MEMBER, Role.MODERATOR, Role.ADMIN):
        raise Refusal("bad_field", "role is one of member, moderator, admin; transfer makes an owner", field="role")
    if target.standing.role is None:
        raise _no_member(target, "; invite them first")
    _demand_rank_over(case, target)
    if change.role >= case.role:
        raise Refusal("forbidden", f"only a role above {ROLE_NAMES[change.role]} gives it", field="role")
    if target.standing.role is change.role:
        return Verdict()
    return _member(target, "role", structs.replace(target.standing, role=change.role), act="role")


def _transfer(case: Case, target: Target) -> Verdict:
    case.demand("transfer")
    _demand_another(case, target)
    if target.standing.role is None:
        raise _no_member(target, "; invite them first")
    if target.standing.role is Role.OWNER:
        return Verdict()
    standings = {target.user_id: structs.replace(target.standing, role=Role.OWNER, muted_until=0, reason="")}
    gives_up = case.standing.role is Role.OWNER  # or acts for the server
    if gives_up:
        standings[case.actor.user_id] = structs.replace(case.standing, role=Role.ADMIN)
    from_role = Role.ADMIN if gives_up else None
    return Verdict(
        kind="member",
        body=member_body(target.user, target.user_id, "role", role=Role.OWNER, from_role=from_role),
        standings=standings,
        act="transfer",
    )


def _demand_future(case: Case, until: int) -> None:
    if until <= case.now:
        raise Refusal("bad_field", "for_s is at least 1", field="for_s")


def _member(
    target: Target, change: str, new: Standing, *, act: str, until: int | None = None, reason: str = ""
) -> Verdict:
    role = new.role if change == "role" else None
    body = member_body(target.user, target.user_id, change, role=role, until=until, reason=reason)
    return Verdict(kind="member", body=body, standings={target.user_id: new}, act=act, reason=reason)
