"""The commands about messages that were said, and about what somebody has read, heard and wants to be told."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from trichat.core.command import Command


class EditMessage(Command, frozen=True, kw_only=True, tag="edit"):
    """Say one's own message in other words."""

    room: str
    seq: int
    text: str
    cid: str | None = None


class DeleteMessage(Command, frozen=True, kw_only=True, tag="delete"):
    """Take a message back, one's own or (moderators) another's; a tombstone stays."""

    room: str
    seq: int
    reason: str = ""
    cid: str | None = None


class React(Command, frozen=True, kw_only=True, tag="react"):
    """Put an emoji to a message."""

    room: str
    seq: int
    emoji: str
    cid: str | None = None


class Unreact(Command, frozen=True, kw_only=True, tag="unreact"):
    """Take one's emoji back."""

    room: str
    seq: int
    emoji: str
    cid: str | None = None


class Pin(Command, frozen=True, kw_only=True, tag="pin"):
    """Keep a message in sight of everybody."""

    room: str
    seq: int
    cid: str | None = None


class Unpin(Command, frozen=True, kw_only=True, tag="unpin"):
    """Pin it no more."""

    room: str
    seq: int
    cid: str | None = None


class Revisions(Command, frozen=True, kw_only=True, tag="revisions"):
    """The old texts of a message that was edited: for its author, and for moderators."""

    room: str
    seq: int


class Reactions(Command, frozen=True, kw_only=True, tag="reactions"):
    """Who has reacted to a message, and how; by emoji and name, after `after` (the last entry's `key`)."""

    room: str
    seq: int
    after: str = ""
    limit: int | UnsetType = UNSET


class Pins(Command, frozen=True, kw_only=True, tag="pins"):
    """The pinned messages of a room, the last pinned first, before `before` (the `key` of a page)."""

    room: str
    before: int | UnsetType = UNSET


class Threads(Command, frozen=True, kw_only=True, tag="threads"):
    """The threads of a room that one follows (or `all`), the last replied to first, before the reply `before`."""

    room: str
    all: bool = False
    before: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET


class Follow(Command, frozen=True, kw_only=True, tag="follow"):
    """Be told of what is unread in a thread."""

    room: str
    thread: int


class Unfollow(Command, frozen=True, kw_only=True, tag="unfollow"):
    """Be told no more."""

    room: str
    thread: int


class Read(Command, frozen=True, kw_only=True, tag="read"):
    """Say up to where one has read a room, or (with `thread`) a thread. It only ever moves forward."""

    room: str
    seq: int
    thread: int | UnsetType = UNSET


class Seen(Command, frozen=True, kw_only=True, tag="seen"):
    """Who has read how far, in a small room."""

    room: str


class Inbox(Command, frozen=True, kw_only=True, tag="inbox"):
    """All rooms that one is a member of, by name after `after`: head, unread, mentions, last message."""

    after: str = ""
    limit: int | UnsetType = UNSET


class Mentions(Command, frozen=True, kw_only=True, tag="mentions"):
    """The messages that mention one, in all rooms, the last first, before `before` (an entry's `key`)."""

    before: str = ""
    limit: int | UnsetType = UNSET


class Notify(Command, frozen=True, kw_only=True, tag="notify"):
    """What of a room one wants to be told: all, mentions, none; and for how long nothing at all."""

    room: str
    level: str | UnsetType = UNSET
    quiet_s: int | UnsetType = UNSET


class Typing(Command, frozen=True, kw_only=True, tag="typing"):
    """One is writing something just now."""

    room: str


class Presence(Command, frozen=True, kw_only=True, tag="presence"):
    """Who of a joined room is online or away; with `follow`, what changes is told too."""

    room: str
    follow: bool = True


class SetPresence(Command, frozen=True, kw_only=True, tag="set_presence"):
    """Be away, or back, on this device; or hide one's presence altogether."""

    state: str | UnsetType = UNSET
    hidden: bool | UnsetType = UNSET


class Search(Command, frozen=True, kw_only=True, tag="search"):
    """Find messages by words, in one room or in all that one is a member of; newest first, before `before`."""

    text: str
    room: str | UnsetType = UNSET
    before: str = ""
    limit: int | UnsetType = UNSET
