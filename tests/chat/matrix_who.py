"""Everybody who is asked about in the matrix, and every kind of room; and how the one stands to the other."""

from __future__ import annotations

from typing import Any, Final, get_args

from msgspec import Struct

from trichat.core.standing import Role, RoomRules, Scope


class Who(Struct, frozen=True, kw_only=True):
    """How somebody stands to a room, and by which steps they came to."""

    path: tuple[str, ...] = ()
    role: Role | None = None
    invited: bool = False
    muted: bool = False
    banned: bool = False
    guest: bool = False
    admin: bool = False  # of the server
    scopes: tuple[Scope, ...] | None = None  # of a bot's key
    elsewhere: bool = False  # that key is for another room

    @property
    def possible_in_direct(self) -> bool:
        """Nobody governs a direct room, and nobody is invited to it."""
        return set(self.path) <= {"enter", "quit", "mute"} and not (self.guest and self.path)


_MEMBER: Final[dict[str, Any]] = {"path": ("enter",), "role": Role.MEMBER}
_ALL: Final = get_args(Scope)

WHO: Final[dict[str, Who]] = {
    "owner": Who(path=("enter", "owner"), role=Role.OWNER),
    "admin": Who(path=("enter", "admin"), role=Role.ADMIN),
    "moderator": Who(path=("enter", "moderator"), role=Role.MODERATOR),
    "member": Who(**_MEMBER),
    "muted": Who(path=("enter", "mute"), role=Role.MEMBER, muted=True),
    "muted-moderator": Who(path=("enter", "moderator", "mute"), role=Role.MODERATOR, muted=True),
    "invited": Who(path=("invite",), invited=True),
    "left": Who(path=("enter", "quit")),
    "kicked": Who(path=("enter", "kick")),
    "banned": Who(path=("enter", "ban"), banned=True),
    "never": Who(),
    "guest": Who(guest=True),
    "muted-guest": Who(path=("mute",), guest=True, muted=True),
    "banned-guest": Who(path=("ban",), guest=True, banned=True),
    "server-admin": Who(admin=True),
    "member-server-admin": Who(**_MEMBER, admin=True),
    "banned-server-admin": Who(path=("enter", "ban"), banned=True, admin=True),
    **{f"bot-{scope}": Who(**_MEMBER, scopes=(scope,)) for scope in _ALL},
    **{f"moderator-bot-{scope}": Who(path=("enter", "moderator"), role=Role.MODERATOR, scopes=(scope,))
       for scope in _ALL},
    "bot-all": Who(**_MEMBER, scopes=_ALL),
    "bot-elsewhere": Who(**_MEMBER, scopes=_ALL, elsewhere=True),
}  # fmt: skip

ROOMS: Final[dict[str, RoomRules]] = {
    "public": RoomRules(),
    "no-guests": RoomRules(guests=False),
    "archived": RoomRules(archived=True),
    "history-joined": RoomRules(history="joined"),
    "moderators-send": RoomRules(send=Role.MODERATOR),
    "private": RoomRules(kind="private", guests=False),
    "direct": RoomRules(kind="direct", guests=False),
}

CELLS: Final = [(room, who) for room in ROOMS for who in WHO if room != "direct" or WHO[who].possible_in_direct]


def hidden(who: Who, rules: RoomRules) -> bool:
    """Whether the room does not exist for them."""
    return who.elsewhere or (rules.kind != "public" and who.role is None and not _invited(who, rules))


def listens(who: Who, rules: RoomRules) -> bool:
    """Whether they may listen as they are: an account that is no member joins first, and is another one then."""
    allowed = who.scopes is None or ("read" in who.scopes and not who.elsewhere)
    return allowed and (who.guest or who.role is not None) and not hidden(who, rules) and may_read(who, rules)


def may_read(who: Who, rules: RoomRules) -> bool:
    """Of a room that exists for them."""
    return not who.banned and (not who.guest or (rules.kind == "public" and rules.guests))


def sees_past(who: Who, rules: RoomRules) -> bool:
    """Of who may read: whether they see what was said before they asked."""
    return rules.history == "all" or who.role is not None


def has_spoken(who: Who, rules: RoomRules) -> bool:
    """Whether they have said something in the room: when they came, or as a guest before anything happened to them."""
    return "enter" in who.path or (who.guest and rules.kind == "public")


def role_of(who: Who, rules: RoomRules) -> Role:
    """The role that counts: the server's admins act as owners of every public room."""
    if who.admin and rules.kind == "public":
        return Role.OWNER
    return Role.MUTED if who.muted else who.role or Role.GUEST


def kept_from_acts(who: Who) -> bool:
    """A ban keeps the server's admins from reading and from joining alone."""
    return who.banned and not who.admin


def _invited(who: Who, rules: RoomRules) -> bool:
    return who.invited or (rules.kind == "direct" and who.path == ("enter", "quit"))
