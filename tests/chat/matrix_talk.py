"""What the permission table says of the commands about messages, and about what people read: a second reading of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.chat.matrix_who import Who, has_spoken, kept_from_acts, may_read, role_of, sees_past
from trichat.core.standing import PERMISSIONS, Permission, Role, RoomRules, Scope

#: What each command needs in a room. `own` and `other`: whose message it is about; who has none takes the host's.
NEEDS: Final[dict[str, Permission | None]] = {
    "send-reply": "send", "send-thread": "send", "send-name": "send", "send-room": "mention_room",
    "edit-own": "send", "edit-other": "send", "delete-own": "send", "delete-other": "delete_message",
    "react": "react", "unreact": "react", "pin": "pin", "unpin": "pin",
    "revisions-own": "revisions", "revisions-other": "revisions", "reactions": "read", "pins": "read",
    "history-thread": "read", "events-compact": "read", "threads": "read", "threads-all": "read",
    "search": "read", "search-in": "read", "search-from": "read",
    "follow": "read", "unfollow": "read", "read": "read", "read-thread": "read", "seen": "read", "notify": "read",
    "typing": "send", "presence": "read",
}  # fmt: skip
#: What the commands about no one room need of a bot's key; None: nothing.
NEEDS_OF_KEY: Final[dict[str, Scope | None]] = {
    "inbox": "read", "mentions": "read", "search-all": "read", "set_presence": None, "set_presence-hidden": None,
}  # fmt: skip

#: What is kept for members alone, and of a room that one listens to.
FOR_MEMBERS: Final = frozenset({"follow", "unfollow", "read", "read-thread", "seen", "notify"})
LISTENING: Final = frozenset({"send-reply", "send-thread", "send-name", "send-room", "typing", "presence"})
GUEST_MAY: Final = (NEEDS.keys() - FOR_MEMBERS) | {"set_presence"}

#: The type of the event that each leaves in the log.
EVENTS: Final = {
    "send-reply": "message", "send-thread": "message", "send-name": "message", "send-room": "message",
    "edit-own": "edited", "delete-own": "deleted", "delete-other": "deleted", "react": "reacted",
    "unreact": "unreacted", "pin": "pinned", "unpin": "unpinned",
}  # fmt: skip
#: The type of what the others hear that stands in no log.
WHISPERS: Final = {"typing": "typing", "read": "seen"}

_TEXTS: Final = frozenset(
    {"history-thread", "events-compact", "threads-all", "search", "search-in", "search-from", "pins", "threads"}
)


def judge(label: str, who: Who, rules: RoomRules) -> str:
    """`ok`, or the code of the error, of who has the key for it, listens if they have to, and knows of the room."""
    return _JUDGES.get(label, _read)(label, who, rules)


def shows(label: str, who: Who, rules: RoomRules) -> bool | None:
    """Of a command that is allowed: whether it shows what it is about (see `matrix_questions.shown`)."""
    if label in _TEXTS and not sees_past(who, rules):
        return False
    if label == "pins":
        return rules.kind != "direct"  # where nobody pins
    if label == "threads":
        return follows(who, rules)
    if label in ("inbox", "mentions", "search-all"):
        return who.role is not None
    return True if label in _TEXTS or label.startswith(("revisions", "reactions", "seen", "presence")) else None


def follows(who: Who, rules: RoomRules) -> bool:
    """Whether they follow the thread of what they said: a reply came while they were members."""
    return has_spoken(who, rules) and not who.guest


def writes(label: str, who: Who, rules: RoomRules) -> bool:
    """Whether it changes what is kept, though it leaves no event."""
    if label == "unfollow":
        return follows(who, rules)
    return label in FOR_MEMBERS and label != "seen"


def mentions(label: str, who: Who, rules: RoomRules) -> bool | None:
    """Of what is sent: whether it mentions somebody; None: that is not the question."""
    if label == "send-room":
        return role_of(who, rules) >= PERMISSIONS["mention_room"]
    return True if label == "send-name" else None


def send(label: str, who: Who, rules: RoomRules) -> str:
    if label in ("send-reply", "send-thread") and not sees_past(who, rules):
        return "bad_field"
    role = Role.MUTED if who.muted else who.role or Role.GUEST  # the server's admins send as what they are
    least = max(PERMISSIONS["send"], rules.send)
    return "forbidden" if rules.archived or who.muted or role < least else "ok"


def _act(label: str, who: Who, rules: RoomRules) -> str:
    kind, own, role = label.partition("-")[0], _is_own(label, who, rules), role_of(who, rules)
    if not _may_write(who, rules, taking_back=own and kind == "delete"):
        return "forbidden"
    # what a guest said they have seen; what an account said before it became a member again it has not
    if not sees_past(who, rules) and not (own and who.guest):
        return "bad_field"
    allowed = {
        "edit": own and role >= rules.send,
        "delete": own or role >= PERMISSIONS["delete_message"],
        "pin": role >= PERMISSIONS["pin"],
        "unpin": role >= PERMISSIONS["pin"],
    }
    return "ok" if allowed.get(kind, True) else "forbidden"


def _may_write(who: Who, rules: RoomRules, *, taking_back: bool) -> bool:
    if rules.archived or kept_from_acts(who):
        return False
    role = role_of(who, rules)
    inside = may_read(who, rules) if who.guest else who.role is not None or role is Role.OWNER
    return inside and (role is not Role.MUTED or taking_back)


def _is_own(label: str, who: Who, rules: RoomRules) -> bool:
    return label in ("edit-own", "delete-own", "revisions-own", "unreact") and has_spoken(who, rules)


def _read(label: str, who: Who, rules: RoomRules) -> str:
    if not may_read(who, rules) or (label in FOR_MEMBERS and who.role is None):
        return "forbidden"
    return "ok"


def _reactions(label: str, who: Who, rules: RoomRules) -> str:
    if not may_read(who, rules):
        return "forbidden"
    return "ok" if sees_past(who, rules) else "bad_field"


def _revisions(label: str, who: Who, rules: RoomRules) -> str:
    own = _is_own(label, who, rules)
    if not may_read(who, rules):
        return "forbidden"
    if not sees_past(who, rules) and not (own and who.guest):
        return "bad_field"
    return "ok" if own or role_of(who, rules) >= PERMISSIONS["revisions"] else "forbidden"


def _typing(label: str, who: Who, rules: RoomRules) -> str:
    """Who is muted, or may not send, may say that they type: a node knows what a room is, not how everybody stands."""
    return "forbidden" if rules.archived or (who.guest and rules.send > Role.GUEST) else "ok"


_JUDGES: Final[dict[str, Callable[[str, Who, RoomRules], str]]] = {
    **dict.fromkeys(("send-reply", "send-thread", "send-name", "send-room"), send),
    **dict.fromkeys(
        ("edit-own", "edit-other", "delete-own", "delete-other", "react", "unreact", "pin", "unpin"), _act
    ),
    **dict.fromkeys(("revisions-own", "revisions-other"), _revisions),
    "reactions": _reactions, "typing": _typing,
}  # fmt: skip
