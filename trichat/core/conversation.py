"""What is known of a conversation beside its log: states of messages, and how far people have read."""

from __future__ import annotations

from typing import Final, Literal, get_args

from msgspec import Struct

from trichat.core.events import Event, Person
from trichat.core.names import Epoch, RoomId, RoomName, UserId
from trichat.core.standing import Role, RoomKind

Level = Literal["all", "mentions", "none"]
LEVELS: Final[dict[str, Level]] = {level: level for level in get_args(Level)}


class Marker(Struct, frozen=True):
    """How far somebody has read a room or a thread (`seq`), and what that leaves: unread messages, and of the messages
    that mention them those after it. Deleted messages are neither."""

    seq: int
    unread: int
    mentions: int = 0


class Moved(Struct, frozen=True):
    """Where a marker is now; `moved` unless it was there or beyond already."""

    marker: Marker
    moved: bool


class Revision(Struct, frozen=True):
    """An old text of a message: brought by the event `rev`, at `at` (milliseconds since 1970)."""

    rev: int
    at: int
    text: str


class Reaction(Struct, frozen=True):
    """Somebody's reaction to a message; `user` is the name at that time."""

    emoji: str
    user: str
    user_id: UserId


class Pinned(Struct, frozen=True):
    """A pinned message in its present state, and the event that pinned it."""

    pin: int
    message: Event


class Thread(Struct, frozen=True):
    """A thread: the message that it hangs on in its present state, and for who asks how far they have read it."""

    root: Event
    replies: int  # without deleted ones
    last_seq: int  # of its last reply
    following: bool
    read: Marker


class ReadUpTo(Struct, frozen=True):
    """How far a member has read."""

    user: str
    user_id: UserId
    seq: int


class Told(Struct, frozen=True):
    """What a member wants to be told of a room; `quiet_until` in milliseconds since 1970."""

    level: Level = "all"
    quiet_until: int = 0


class InboxRoom(Struct, frozen=True, kw_only=True):
    """A room of somebody's, with what is new in it for them; `last` is its last message in its present state."""

    id: RoomId
    room: RoomName
    kind: RoomKind
    title: str
    epoch: Epoch
    head: int
    role: Role
    read: Marker
    told: Told
    last: Event | None
    peer: Person | None = None  # the other one of a direct room


class Mention(Struct, frozen=True):
    """A message that mentions somebody, in its present state; `key` is its place in the list of all of theirs."""

    key: str
    room: RoomName
    message: Event
    unread: bool


class Found(Struct, frozen=True):
    """A message that a search has found, in its present state.

    `snippet` is the part of its text around what was found; `marks` are the places in it, as pairs of the first
    character and the one after the last. `key` is the message's place in the list of all that was found.
    """

    key: str
    room: RoomName
    message: Event
    snippet: str
    marks: list[tuple[int, int]]
