"""What the permission table says of everybody, every kind of room and every command: a second, small reading of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, get_args

from msgspec import Struct

from trichat.core.commands import Events, History, Join, Leave, Members, Resume, RoomCommand, Rooms, Send
from trichat.core.standing import PERMISSIONS, SCOPE_OF, Permission, Role, RoomRules, Scope

GUEST_MAY: Final = frozenset(
    {"join", "resume", "send", "leave", "history", "events", "members", "rooms", "room", "report"}
)


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

#: What each command needs in a room; None: to listen to it.
NEEDS: Final[dict[str, Permission | None]] = {
    "join": "read", "resume": "read", "send": "send", "leave": None, "history": "read", "events": "read",
    "members": "read", "room": "read", "roster": "roster", "bans": "ban", "invite": "invite", "invite-code": "invite",
    "invites": "invite", "uninvite": "invite", "kick": "kick", "ban": "ban", "unban": "ban", "mute": "mute",
    "unmute": "mute", "role": "role", "role-admin": "role", "edit_room": "edit", "report": "report",
    "reports": "reports", "resolve": "reports", "audit": "audit", "transfer": "transfer", "archive": "archive",
    "delete_room": "delete",
}  # fmt: skip
#: What the commands that are about no one room, or about one that is not named, need of a bot's key.
NEEDS_OF_KEY: Final[dict[str, Scope]] = {
    "rooms": "read", "rooms-mine": "read", "accept": "read", "direct": "send", "create": "moderate",
}  # fmt: skip
LABELS: Final = [*NEEDS, *NEEDS_OF_KEY]
#: What is done to somebody whose role has to be below one's own. (Whoever owns the room with others gives it to none.)
RANKED: Final = ["kick", "ban", "mute", "unmute", "role"]

#: The types of all commands about rooms, as the server knows them.
ABOUT_ROOMS: Final = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (Join, Resume, Send, Leave, History, Events, Members, Rooms, *get_args(RoomCommand))
)

_GIVEN: Final = {"role": Role.MODERATOR, "role-admin": Role.ADMIN}


def outcome(label: str, who: Who, rules: RoomRules, rank: Role = Role.MEMBER) -> str:
    """`ok`, or the code of the error; `rank` is the role of whom it is about (`role` makes a member a moderator, and
    others members). Neither that nor a role that is given may be as high as one's own."""
    if (label in RANKED or label in _GIVEN) and rules.kind != "direct":
        theirs = max(rank, _GIVEN.get(label, rank))
        if theirs >= _role(who, rules) and _outcome(label, who, rules) == "ok":
            return "forbidden"
    return _outcome(label, who, rules)


def _outcome(label: str, who: Who, rules: RoomRules) -> str:
    if who.guest and label not in GUEST_MAY:
        return "forbidden"
    if label in NEEDS_OF_KEY:
        return _of_no_room(label, who, rules)
    permission = NEEDS[label]
    if label in ("send", "leave") and not listens(who, rules):
        return "not_joined"
    if who.elsewhere:
        return "no_such_room"
    if permission is not None and who.scopes is not None and SCOPE_OF[permission] not in who.scopes:
        return "forbidden"
    if hidden(who, rules):
        return "no_such_room"
    return _JUDGES.get(label, _govern)(label, who, rules)


def type_of(label: str) -> str:
    """The type of the command; what follows a dash tells variants of one command apart."""
    return label.partition("-")[0]


def hidden(who: Who, rules: RoomRules) -> bool:
    """Whether the room does not exist for them."""
    return who.elsewhere or (rules.kind != "public" and who.role is None and not _invited(who, rules))


def listens(who: Who, rules: RoomRules) -> bool:
    """Whether they may listen as they are: an account that is no member joins first, and is another one then."""
    allowed = who.scopes is None or ("read" in who.scopes and not who.elsewhere)
    return allowed and (who.guest or who.role is not None) and not hidden(who, rules) and _may_read(who, rules)


def event_of(label: str, who: Who, rules: RoomRules) -> tuple[str, str] | None:
    """Of a command that is allowed: the type and the change of the one event that it leaves in the log."""
    if label in ("join", "accept") and (who.guest or who.role is not None):
        return None
    if label == "leave" and who.guest:
        return None
    if label == "direct" and rules.kind == "direct" and who.path == ("enter", "quit"):
        return ("member", "joined")
    return _EVENTS.get(label)


def shows(label: str, who: Who, rules: RoomRules) -> bool | None:
    """Of a command that is allowed: whether a page shows what was said, or a list the room; None: it is neither."""
    match label:
        case "history" | "events":
            return rules.history == "all" or who.role is not None
        case "rooms":
            return rules.kind == "public"
        case "rooms-mine":
            return who.role is not None
        case _:
            return None


_EVENTS: Final = {
    "join": ("member", "joined"), "accept": ("member", "joined"), "leave": ("member", "left"), "send": ("message", ""),
    "invite": ("member", "invited"), "kick": ("member", "kicked"), "ban": ("member", "banned"),
    "unban": ("member", "unbanned"), "mute": ("member", "muted"), "unmute": ("member", "unmuted"),
    "role": ("member", "role"), "role-admin": ("member", "role"), "transfer": ("member", "role"),
    "edit_room": ("room", ""), "archive": ("room", ""),
}  # fmt: skip


def _of_no_room(label: str, who: Who, rules: RoomRules) -> str:
    if who.scopes is not None and (who.elsewhere or NEEDS_OF_KEY[label] not in who.scopes):
        return "forbidden"
    if label == "accept" and rules.kind == "direct":
        return "no_such_room"  # no direct room has a code
    return "forbidden" if label == "accept" and who.banned else "ok"


def _invited(who: Who, rules: RoomRules) -> bool:
    return who.invited or (rules.kind == "direct" and who.path == ("enter", "quit"))


def _may_read(who: Who, rules: RoomRules) -> bool:
    return not who.banned and (not who.guest or (rules.kind == "public" and rules.guests))


def _role(who: Who, rules: RoomRules) -> Role:
    if who.admin and rules.kind == "public":
        return Role.OWNER
    return Role.MUTED if who.muted else who.role or Role.GUEST


def _read(label: str, who: Who, rules: RoomRules) -> str:
    if not _may_read(who, rules):
        return "forbidden"
    return "not_joined" if label == "resume" and not who.guest and who.role is None else "ok"


def _send(label: str, who: Who, rules: RoomRules) -> str:
    role = Role.MUTED if who.muted else who.role or Role.GUEST  # the server's admins send as what they are
    least = max(PERMISSIONS["send"], rules.send)
    return "forbidden" if rules.archived or who.muted or role < least else "ok"


def _leave(label: str, who: Who, rules: RoomRules) -> str:
    return "forbidden" if who.role is Role.OWNER else "ok"  # in these rooms always the last one


def _roster(label: str, who: Who, rules: RoomRules) -> str:
    if rules.kind == "public":
        return "forbidden" if _kept_from_acts(who) else "ok"
    return _govern(label, who, rules)


def _report(label: str, who: Who, rules: RoomRules) -> str:
    if not _may_read(who, rules) or (rules.kind != "public" and who.role is None):
        return "forbidden"
    sees = rules.history == "all" or who.role is not None or who.guest  # the guest listens: it is heard
    return "ok" if sees else "bad_field"


def _mute(label: str, who: Who, rules: RoomRules) -> str:
    return "ok" if rules.kind == "direct" else _govern(label, who, rules)  # there either may mute the other


def _govern(label: str, who: Who, rules: RoomRules) -> str:
    permission = NEEDS[label]
    assert permission is not None
    return "ok" if not _kept_from_acts(who) and _role(who, rules) >= PERMISSIONS[permission] else "forbidden"


def _kept_from_acts(who: Who) -> bool:
    """A ban keeps the server's admins from reading and from joining alone."""
    return who.banned and not who.admin


_JUDGES: Final[dict[str, Callable[[str, Who, RoomRules], str]]] = {
    **dict.fromkeys(("join", "resume", "history", "events", "members", "room"), _read),
    "send": _send, "leave": _leave, "roster": _roster, "report": _report, "mute": _mute, "unmute": _mute,
}  # fmt: skip
