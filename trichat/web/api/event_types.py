"""The events of a room's log as types, for the documents: what `core.codec.encode_event` writes of `core.events.KINDS`.

The server never makes these: it hands bytes on. Tests hold them to KINDS, and to the transcripts of the protocol.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from trichat.core.events import Person
from trichat.core.present import ReactionCount


class LogEvent(Struct, kw_only=True, tag_field="type", rename={"from_": "from"}):
    """What all events of a room's log have; `from` is who did it, by the name at that time."""

    room: str
    seq: int
    from_: str
    from_id: str
    ts: str  # RFC 3339, UTC
    cid: str | UnsetType = UNSET


class Message(LogEvent, kw_only=True, tag="message"):
    """What somebody said. In a page it is in its present state, and has `rev` and what follows; `deleted` in the place
    of its text once it was taken back."""

    rev: int | UnsetType = UNSET  # `seq` of its last change
    text: str | UnsetType = UNSET
    reply_to: int | UnsetType = UNSET
    thread: int | UnsetType = UNSET
    mentions: list[Person] | UnsetType = UNSET
    deleted: bool | UnsetType = UNSET
    edited: str | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    reactions: list[ReactionCount] | UnsetType = UNSET
    replies: int | UnsetType = UNSET
    last_reply: int | UnsetType = UNSET


class Edited(LogEvent, kw_only=True, tag="edited"):
    """The message `target` says something else now; or (`superseded`) said so, which is old."""

    target: int | UnsetType = UNSET
    text: str | UnsetType = UNSET
    mentions: list[Person] | UnsetType = UNSET
    superseded: bool | UnsetType = UNSET


class Deleted(LogEvent, kw_only=True, tag="deleted"):
    """The message `target` was taken back."""

    target: int
    thread: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class Reacted(LogEvent, kw_only=True, tag="reacted"):
    """`from` has put an emoji to the message `target`."""

    target: int
    emoji: str


class Unreacted(LogEvent, kw_only=True, tag="unreacted"):
    """`from` has taken it back."""

    target: int
    emoji: str


class MessagePinned(LogEvent, kw_only=True, tag="pinned"):
    """The message `target` is pinned."""

    target: int


class MessageUnpinned(LogEvent, kw_only=True, tag="unpinned"):
    """The message `target` is pinned no more."""

    target: int


class MemberChanged(LogEvent, kw_only=True, tag="member"):
    """Who belongs to the room, was removed, muted, or has another role; by `from`."""

    user: str
    user_id: str
    change: str
    role: str | UnsetType = UNSET
    from_role: str | UnsetType = UNSET
    until: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class RoomChanged(LogEvent, kw_only=True, tag="room"):
    """The room's title, topic or rules: what has changed, with the new values."""

    changes: dict[str, Any]


#: One for each of `core.events.KINDS`.
EVENTS: tuple[type[LogEvent], ...] = (
    Message, Edited, Deleted, Reacted, Unreacted, MessagePinned, MessageUnpinned, MemberChanged, RoomChanged,
)  # fmt: skip
