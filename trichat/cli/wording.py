"""What happened in a room, in words: the events that are no messages, each as one short line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trichat.client import MemberChange, RoomEvent

_BY_SOMEBODY: Final = frozenset({"invited", "kicked", "banned", "unbanned", "muted", "unmuted"})
_REMEMBERED: Final = 1_000  # messages
_QUOTED: Final = 40  # characters
_HISTORY: Final = {"all": "history is open to all", "joined": "members see what came after they joined"}


class Said:
    """What the last messages on the screen say, so that it can be told what happens to them."""

    def __init__(self) -> None:
        self._texts: dict[int, str | None] = {}

    def note(self, seq: int, text: str | None) -> None:
        """The message says this now; None: it was deleted."""
        self._texts.pop(seq, None)
        self._texts[seq] = text
        if len(self._texts) > _REMEMBERED:
            del self._texts[next(iter(self._texts))]

    def quote(self, seq: object) -> str:
        """The beginning of what the message says."""
        if not isinstance(seq, int) or seq not in self._texts:
            return "an earlier message"
        if (text := self._texts[seq]) is None:
            return "a deleted message"
        return f"“{text}”" if len(text) <= _QUOTED else f"“{text[:_QUOTED]}…”"


def message_text(frame: Mapping[str, Any], said: Said) -> str:
    """What a message says, and to which one."""
    if frame.get("deleted"):
        return "(deleted)"
    text = str(frame.get("text", ""))
    if "thread" in frame:
        return f"(in the thread of {said.quote(frame['thread'])}) {text}"
    return f"(to {said.quote(frame['reply_to'])}) {text}" if "reply_to" in frame else text


def in_words(event: RoomEvent, said: Said) -> str:
    """`bob was banned by ann: enough`. As it came: the screen escapes what could steer a terminal."""
    if event.member is not None:
        return _member(event.user, event.member)
    if event.kind == "room":
        changes = "; ".join(_change(name, value) for name, value in event.changes.items())
        return f"{event.user} changed the room: {changes}" if changes else f"{event.user} changed the room"
    return _act(event, said.quote(event.data.get("target")))


def _act(event: RoomEvent, about: str) -> str:
    match event.kind:
        case "edited":
            return f"{event.user} edited {about}: {event.text}"
        case "deleted":
            reason = event.data.get("reason")
            return f"{event.user} deleted {about}" + (f": {reason}" if reason else "")
        case "reacted":
            return f"{event.user} reacted {event.data.get('emoji')} to {about}"
        case "unreacted":
            return f"{event.user} took {event.data.get('emoji')} back from {about}"
        case "pinned" | "unpinned":
            return f"{event.user} {event.kind} {about}"
        case kind:  # of a server that knows more than we do
            details = [str(event.data[name]) for name in ("target", "emoji", "text") if name in event.data]
            return " ".join([event.user, kind, *details])


def out_of(room: str, change: str | None) -> str:
    """Why we hear the room no more, after the last change of our own membership that we heard of."""
    match change:
        case "kicked" | "banned":
            return f"you were {change} from {room}"
        case "left":
            return f"you have left {room} on another device"
        case _:
            return f"you may not be in {room} any more"


def _member(by: str, member: MemberChange) -> str:
    until = f" until {member.until}" if member.until else ""
    reason = f": {member.reason}" if member.reason else ""
    match member.change:
        case "joined":
            role = f" as {member.role}" if member.role not in (None, "member") else ""
            return f"{member.user} joined{role}"
        case "left":
            return f"{member.user} left"
        case "role":
            return f"{member.user} was made {member.role} by {by}"
        case change if change in _BY_SOMEBODY:
            return f"{member.user} was {change} by {by}{until}{reason}"
        case change:
            return f"{member.user} {change}"


def _change(name: str, value: Any) -> str:
    match name, value:
        case ("title" | "topic", ""):
            return f"no {name}"
        case "archived", True:
            return "closed for writing"
        case "archived", False:
            return "open for writing"
        case "guests", bool():
            return "guests may come in" if value else "guests may not come in"
        case "member_limit", int():
            return f"at most {value} members" if value else "any number of members"
        case "slow_s", int():
            return f"one message in {value} s" if value else "no slow mode"
        case "send", str():
            return f"{value}s and above may send"
        case "history", str():
            return _HISTORY.get(value, value)
        case _:
            return f"{name}: {_plain(value)}"


def _plain(value: Any) -> str:
    return "…" if isinstance(value, Mapping | list) else str(value)
