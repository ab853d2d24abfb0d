"""What the client's calls return. What the core already has as a type (Joined, lists) is taken from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from trichat.client.events import RoomEvent
from trichat.core.events import ListedRoom
from trichat.core.replies import ListedMine


class Sent(Struct, frozen=True):
    """The message is committed as `seq`. `dup`: an earlier attempt with this `cid` had been."""

    seq: int
    cid: str
    dup: bool


class Changed(Struct, frozen=True):
    """The change is committed as the event `seq`; or nothing was to be changed, and `seq` is the room's head.

    `dup`: an earlier attempt with this `cid` had been.
    """

    seq: int
    cid: str
    dup: bool


class RoomsPage(Struct, frozen=True):
    """Public rooms, by name."""

    rooms: list[ListedRoom]
    more: bool


class MyRoomsPage(Struct, frozen=True):
    """The rooms that we are a member of, by name."""

    rooms: list[ListedMine]
    more: bool


class HistoryPage(Struct, frozen=True):
    """Messages in their present state, oldest first. `more` is about the direction that was asked for."""

    messages: list[Mapping[str, Any]]
    more: bool = False
    more_before: bool = False
    more_after: bool = False


class EventsPage(Struct, frozen=True):
    """A page of a room's log, oldest first. `first` where what came before it is kept no more, or hidden from us."""

    events: list[RoomEvent]
    more: bool
    first: int | None = None


class CompactPage(Struct, frozen=True):
    """What became of the log after `since`: messages in their present state, and the events of members and rooms.

    All up to the event `to` is in it; `more`: go on from there.
    """

    since: int
    events: list[Mapping[str, Any]]
    to: int
    more: bool


class PinsPage(Struct, frozen=True):
    """The pinned messages, the last pinned first."""

    room: str
    messages: list[Mapping[str, Any]]
    more: bool = False
    key: int | None = None  # where to go on


class ListedThread(Struct, frozen=True):
    """A thread: the message that it hangs on. `read` and `unread` are told to who follows it."""

    message: Mapping[str, Any]
    replies: int
    last_seq: int
    following: bool = False
    read: int | None = None
    unread: int = 0


class ThreadsPage(Struct, frozen=True):
    """Threads, the last replied to first."""

    room: str
    threads: list[ListedThread]
    more: bool


class InboxRoom(Struct, frozen=True, kw_only=True):
    """A room of ours and what is new in it; `seq` is its head, `read` our marker, `last` its last message."""

    room: str
    kind: str
    title: str = ""
    role: str
    epoch: str
    seq: int
    read: int
    unread: int
    mentions: int
    level: str
    quiet_until: str | None = None
    last: Mapping[str, Any] | None = None


class InboxPage(Struct, frozen=True):
    """Our rooms, by name."""

    rooms: list[InboxRoom]
    more: bool


class Mention(Struct, frozen=True):
    """A message that mentions us; `key` is its place in the list."""

    key: str
    room: str
    unread: bool
    message: Mapping[str, Any]


class MentionsPage(Struct, frozen=True):
    """Messages that mention us, the last first."""

    mentions: list[Mention]
    more: bool


class Found(Struct, frozen=True):
    """A message that was found; `marks` are places in `snippet`: the first character, and the one after the last."""

    key: str
    room: str
    message: Mapping[str, Any]
    snippet: str
    marks: list[tuple[int, int]]


class SearchPage(Struct, frozen=True):
    """What was found, the newest first."""

    found: list[Found]
    more: bool
