"""What the server says about messages that were said, and about what people have read."""

from __future__ import annotations

from msgspec import UNSET, Raw, Struct, UnsetType

from trichat.core.events import Person
from trichat.core.replies import Reply


class ListedRevision(Struct, frozen=True):
    rev: int
    ts: str
    text: str


class RevisionsPage(Reply, frozen=True, kw_only=True, tag="revisions"):
    room: str
    seq: int
    revisions: list[ListedRevision]


class ListedReaction(Struct, frozen=True):
    emoji: str
    user: str
    user_id: str


class ReactionsPage(Reply, frozen=True, kw_only=True, tag="reactions"):
    room: str
    seq: int
    reactions: list[ListedReaction]
    more: bool
    key: str | UnsetType = UNSET  # of the last one: where to go on


class PinsPage(Reply, frozen=True, kw_only=True, tag="pins"):
    room: str
    messages: list[Raw]
    more: bool
    key: int | UnsetType = UNSET  # of the last one: the event that pinned it


class ListedThread(Struct, frozen=True, kw_only=True, omit_defaults=True):
    message: Raw  # the one that the thread hangs on
    replies: int
    last_seq: int
    following: bool
    read: int | UnsetType = UNSET
    unread: int | UnsetType = UNSET


class ThreadsPage(Reply, frozen=True, kw_only=True, tag="threads"):
    room: str
    threads: list[ListedThread]
    more: bool


class FollowReply(Reply, frozen=True, kw_only=True, tag="following"):
    """Also a push to one's other connections."""

    room: str
    thread: int
    following: bool


class ReadReply(Reply, frozen=True, kw_only=True, tag="read"):
    """Where the marker is now. Also a push to one's other connections."""

    room: str
    thread: int | UnsetType = UNSET
    read: int
    unread: int
    mentions: int | UnsetType = UNSET


class SeenReply(Reply, frozen=True, kw_only=True, tag="seen"):
    """With `id` who has read how far; as a push one person of a small room who has read on."""

    room: str
    people: list[SeenPerson]


class SeenPerson(Struct, frozen=True):
    user: str
    user_id: str
    seq: int


class ListedInboxRoom(Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"with_": "with"}):
    room: str
    kind: str
    title: str = ""
    with_: Person | UnsetType = UNSET  # the other one of a direct room
    role: str
    epoch: str
    seq: int
    read: int
    unread: int
    mentions: int
    level: str
    quiet_until: str | UnsetType = UNSET
    last: Raw | UnsetType = UNSET


class InboxPage(Reply, frozen=True, kw_only=True, tag="inbox"):
    rooms: list[ListedInboxRoom]
    more: bool


class ListedMention(Struct, frozen=True):
    key: str
    room: str
    unread: bool
    message: Raw


class MentionsPage(Reply, frozen=True, kw_only=True, tag="mentions"):
    mentions: list[ListedMention]
    more: bool


class NotifyReply(Reply, frozen=True, kw_only=True, tag="notify"):
    room: str
    level: str
    quiet_until: str | UnsetType = UNSET


class TypingPush(Reply, frozen=True, kw_only=True, tag="typing"):
    """As a reply: taken. As a push: these people are writing; it counts for so long, unless it is said again."""

    room: str
    people: list[Person] | UnsetType = UNSET
    for_ms: int | UnsetType = UNSET


class DevicePresence(Struct, frozen=True):
    device: str
    state: str


class PersonPresence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    user: str
    user_id: str
    state: str
    devices: list[DevicePresence] = []
    last_seen: str | UnsetType = UNSET


class PresenceState(Reply, frozen=True, kw_only=True, tag="presence_state"):
    """Everybody of the room; in a large room counts alone."""

    room: str
    people: list[PersonPresence] | UnsetType = UNSET
    online: int
    away: int


class PresenceDiff(Reply, frozen=True, kw_only=True, tag="presence_diff"):
    """Those whose presence has changed; in a large room counts alone."""

    room: str
    people: list[PersonPresence] | UnsetType = UNSET
    online: int
    away: int


class OwnPresence(Reply, frozen=True, kw_only=True, tag="set_presence"):
    state: str
    hidden: bool


class ListedFound(Struct, frozen=True):
    key: str
    room: str
    message: Raw
    snippet: str
    marks: list[tuple[int, int]]


class SearchPage(Reply, frozen=True, kw_only=True, tag="search"):
    found: list[ListedFound]
    more: bool
