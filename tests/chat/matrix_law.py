"""What the permission table says of everybody, every kind of room and every command: a second, small reading of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, get_args

from tests.chat import matrix_talk as talk
from tests.chat.matrix_who import Who, has_spoken, hidden, kept_from_acts, listens, may_read, role_of, sees_past
from trichat.core.commands import (
    ConversationCommand,
    Events,
    History,
    Join,
    Leave,
    Members,
    Resume,
    RoomCommand,
    Rooms,
    Send,
)
from trichat.core.standing import PERMISSIONS, SCOPE_OF, Permission, Role, RoomRules, Scope

GUEST_MAY: Final = talk.GUEST_MAY | {
    "join", "resume", "send", "leave", "history", "events", "members", "rooms", "room", "report",
}  # fmt: skip

#: What each command needs in a room; None: to listen to it.
NEEDS: Final[dict[str, Permission | None]] = {
    "join": "read", "resume": "read", "send": "send", "leave": None, "history": "read", "events": "read",
    "members": "read", "room": "read", "roster": "roster", "bans": "ban", "invite": "invite", "invite-code": "invite",
    "invites": "invite", "uninvite": "invite", "kick": "kick", "ban": "ban", "unban": "ban", "mute": "mute",
    "unmute": "mute", "role": "role", "role-admin": "role", "edit_room": "edit", "report": "report",
    "reports": "reports", "resolve": "reports", "audit": "audit", "transfer": "transfer", "archive": "archive",
    "delete_room": "delete", **talk.NEEDS,
}  # fmt: skip
#: What the commands that are about no one room, or about one that is not named, need of a bot's key; None: nothing.
NEEDS_OF_KEY: Final[dict[str, Scope | None]] = {
    "rooms": "read", "rooms-mine": "read", "accept": "read", "direct": "send", "create": "moderate",
    **talk.NEEDS_OF_KEY,
}  # fmt: skip
LABELS: Final = [*NEEDS, *NEEDS_OF_KEY]
#: What is done to somebody whose role has to be below one's own. (Whoever owns the room with others gives it to none.)
RANKED: Final = ["kick", "ban", "mute", "unmute", "role"]

#: The types of all commands about rooms and what is said in them, as the server knows them.
ABOUT_ROOMS: Final = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (
        Join, Resume, Send, Leave, History, Events, Members, Rooms, *get_args(RoomCommand),
        *get_args(ConversationCommand),
    )
)  # fmt: skip

_GIVEN: Final = {"role": Role.MODERATOR, "role-admin": Role.ADMIN}


def outcome(label: str, who: Who, rules: RoomRules, rank: Role = Role.MEMBER) -> str:
    """`ok`, or the code of the error; `rank` is the role of whom it is about (`role` makes a member a moderator, and
    others members). Neither that nor a role that is given may be as high as one's own."""
    if (label in RANKED or label in _GIVEN) and rules.kind != "direct":
        theirs = max(rank, _GIVEN.get(label, rank))
        if theirs >= role_of(who, rules) and _outcome(label, who, rules) == "ok":
            return "forbidden"
    return _outcome(label, who, rules)


def _outcome(label: str, who: Who, rules: RoomRules) -> str:
    if who.guest and label not in GUEST_MAY:
        return "forbidden"
    if label in NEEDS_OF_KEY:
        return _of_no_room(label, who, rules)
    permission = NEEDS[label]
    if label in _LISTENING and not listens(who, rules):
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


def event_of(label: str, who: Who, rules: RoomRules) -> tuple[str, str] | None:
    """Of a command that is allowed: the type and the change of the one event that it leaves in the log."""
    if label in ("join", "accept") and (who.guest or who.role is not None):
        return None
    if label == "leave" and who.guest:
        return None
    if label == "direct" and rules.kind == "direct" and who.path == ("enter", "quit"):
        return ("member", "joined")
    if label == "unreact" and not has_spoken(who, rules):
        return None  # they have put none
    return _EVENTS.get(label)


def alters(label: str, who: Who, rules: RoomRules) -> bool | None:
    """Of a command that is allowed: whether it changes anything that is kept of the room; None: it may."""
    if event_of(label, who, rules) is not None or talk.writes(label, who, rules):
        return True
    return None if label in _WITHOUT_EVENT else False


def shows(label: str, who: Who, rules: RoomRules) -> bool | None:
    """Of a command that is allowed: whether a page shows what was said, or a list the room; None: it is neither."""
    match label:
        case "history" | "events":
            return sees_past(who, rules)
        case "rooms":
            return rules.kind == "public"
        case "rooms-mine":
            return who.role is not None
        case _:
            return talk.shows(label, who, rules)


_LISTENING: Final = talk.LISTENING | {"send", "leave"}
_EVENTS: Final = {
    "join": ("member", "joined"), "accept": ("member", "joined"), "leave": ("member", "left"), "send": ("message", ""),
    "invite": ("member", "invited"), "kick": ("member", "kicked"), "ban": ("member", "banned"),
    "unban": ("member", "unbanned"), "mute": ("member", "muted"), "unmute": ("member", "unmuted"),
    "role": ("member", "role"), "role-admin": ("member", "role"), "transfer": ("member", "role"),
    "edit_room": ("room", ""), "archive": ("room", ""), **{label: (kind, "") for label, kind in talk.EVENTS.items()},
}  # fmt: skip
#: What changes codes, reports, other rooms, or leaves no log.
_WITHOUT_EVENT: Final = frozenset({"invite-code", "uninvite", "accept", "report", "resolve", "direct", "delete_room"})


def _of_no_room(label: str, who: Who, rules: RoomRules) -> str:
    needed = NEEDS_OF_KEY[label]
    if needed is not None and who.scopes is not None and (who.elsewhere or needed not in who.scopes):
        return "forbidden"
    if label == "accept" and rules.kind == "direct":
        return "no_such_room"  # no direct room has a code
    return "forbidden" if label == "accept" and who.banned else "ok"


def _read(label: str, who: Who, rules: RoomRules) -> str:
    if not may_read(who, rules):
        return "forbidden"
    return "not_joined" if label == "resume" and not who.guest and who.role is None else "ok"


def _leave(label: str, who: Who, rules: RoomRules) -> str:
    return "forbidden" if who.role is Role.OWNER else "ok"  # in these rooms always the last one


def _roster(label: str, who: Who, rules: RoomRules) -> str:
    if rules.kind == "public":
        return "forbidden" if kept_from_acts(who) else "ok"
    return _govern(label, who, rules)


def _report(label: str, who: Who, rules: RoomRules) -> str:
    if not may_read(who, rules) or (rules.kind != "public" and who.role is None):
        return "forbidden"
    return "ok" if sees_past(who, rules) or who.guest else "bad_field"  # the guest listens: it is heard


def _mute(label: str, who: Who, rules: RoomRules) -> str:
    return "ok" if rules.kind == "direct" else _govern(label, who, rules)  # there either may mute the other


def _govern(label: str, who: Who, rules: RoomRules) -> str:
    permission = NEEDS[label]
    assert permission is not None
    return "ok" if not kept_from_acts(who) and role_of(who, rules) >= PERMISSIONS[permission] else "forbidden"


_JUDGES: Final[dict[str, Callable[[str, Who, RoomRules], str]]] = {
    **dict.fromkeys(("join", "resume", "history", "events", "members", "room"), _read),
    "send": talk.send, "leave": _leave, "roster": _roster, "report": _report, "mute": _mute, "unmute": _mute,
    **dict.fromkeys(talk.NEEDS, talk.judge),
}  # fmt: skip
