"""What judging a change needs: the case at hand, and what those hear who are refused."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trichat.core.codec import format_ts, quote
from trichat.core.errors import Refusal
from trichat.core.names import UserId
from trichat.core.standing import FOREVER, PERMISSIONS, ROLE_NAMES, Actor, Permission, Role, RoomRules, Standing


class Case(Struct, frozen=True):
    """Who acts where, and how they stand to it, at `now` (milliseconds since 1970)."""

    rules: RoomRules
    actor: Actor
    standing: Standing
    now: int

    @property
    def role(self) -> Role:
        """The role that counts: who administers the server acts as an owner in every public room."""
        if self.actor.admin and self.rules.kind == "public":
            return Role.OWNER
        return self.standing.role_at(self.now)

    def refuse_banned(self) -> None:
        if self.standing.banned_at(self.now) and not self.actor.admin:
            raise banned(self.standing)

    def demand(self, permission: Permission) -> None:
        self.refuse_banned()
        least = PERMISSIONS[permission]
        if self.role < least:
            raise needs_role(least)

    def mute_reason(self, standing: Standing) -> str:
        """Of somebody who is banned no more: the reason stays while they are muted, with which they share it."""
        return standing.reason if self.now < standing.muted_until else ""

    def ban_reason(self, standing: Standing) -> str:
        """Of somebody who is muted no more: the reason stays while they are banned."""
        return standing.reason if standing.banned_at(self.now) else ""


def needs_role(least: Role) -> Refusal:
    if least == Role.MEMBER:
        return Refusal("forbidden", "that is for members of this room; join it first", field="room")
    return Refusal("forbidden", f"that takes the role {ROLE_NAMES[least]} in this room", field="room")


def banned(standing: Standing) -> Refusal:
    """What somebody hears who is banned."""
    until = "" if standing.banned_until >= FOREVER else f" until {format_ts(standing.banned_until)}"
    reason = f": {standing.reason}" if standing.reason else ""
    return Refusal("forbidden", f"you are banned from this room{until}{reason}", field="room")


def no_such_room() -> Refusal:
    """What everybody hears of a room that does not exist, or does not exist for them."""
    return Refusal("no_such_room", 'there is no such room; {"type":"rooms"} lists those there are', field="room")


def demand_account(actor: Actor) -> None:
    """Guests hold no membership, and write no event of it."""
    if not actor.is_account:
        raise Refusal("forbidden", "that takes an account; register or log in")


def member_body(
    user: str,
    user_id: UserId,
    change: str,
    *,
    role: Role | None = None,
    from_role: Role | None = None,
    until: int | None = None,
    reason: str = "",
) -> bytes:
    """The body of a `member` event; `from_role` is what its author is from then on, where that changes too."""
    body: dict[str, Any] = {"user": user, "user_id": user_id, "change": change}
    if role is not None:
        body["role"] = ROLE_NAMES[role]
    if from_role is not None:
        body["from_role"] = ROLE_NAMES[from_role]
    if until is not None and until < FOREVER:
        body["until"] = format_ts(until)
    if reason:
        body["reason"] = reason
    return quote(body)
