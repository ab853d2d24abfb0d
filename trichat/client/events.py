"""What the application sees happen, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from trichat.core.events import Person
from trichat.core.replies_conversation import PersonPresence, SeenPerson


class MemberChange(Struct, frozen=True):
    """What a `member` event says: of whom, and how they stand to the room from it on."""

    user: str
    user_id: str
    change: str  # joined, left, invited, kicked, banned, unbanned, muted, unmuted, role
    role: str | None = None  # the new one, of `joined` and `role`
    until: str | None = None  # of a ban or a mute that has an end; RFC 3339, UTC
    reason: str = ""


class RoomEvent(Struct, frozen=True, gc=False):
    """One event of a room's log, exactly once and in order. `data` is the whole frame, with what its kind adds."""

    room: str
    seq: int
    kind: str
    user: str
    user_id: str
    ts: str  # RFC 3339, UTC
    cid: str | None
    data: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The text of a message, else nothing."""
        return str(self.data.get("text", ""))

    @property
    def member(self) -> MemberChange | None:
        """Of the kind `member`: what became of whom; `user` of the event is who did it."""
        if self.kind != "member":
            return None
        texts = {name: str(value) for name, value in self.data.items() if value is not None}
        return MemberChange(
            user=texts.get("user", ""),
            user_id=texts.get("user_id", ""),
            change=texts.get("change", ""),
            role=texts.get("role"),
            until=texts.get("until"),
            reason=texts.get("reason", ""),
        )

    @property
    def changes(self) -> Mapping[str, Any]:
        """Of the kind `room`: what was changed of the room's title, topic and rules, with the new values."""
        changes = self.data.get("changes") if self.kind == "room" else None
        return changes if isinstance(changes, Mapping) else {}


class Connected(Struct, frozen=True):
    """A connection stands and knows who we are; joined rooms are resumed next. `again`: it is not the first."""

    url: str
    node: str
    user: str | None
    again: bool


class Disconnected(Struct, frozen=True):
    """The connection is gone; the next attempt comes in `retry_in` seconds."""

    code: int
    reason: str
    retry_in: float


class StatusChanged(Struct, frozen=True):
    """How the nodes hear each other: `ok` or `degraded`."""

    fanout: str


class GapEvent(Struct, frozen=True):
    """The events `first` … `last` were left out, and (`fill_gaps=False`) are for the application to page.

    `hidden`: we may not see them, so that nothing can be paged. This is told with `fill_gaps=False`; otherwise only
    where we lost the right to see them while they were being paged. `expired`: they are kept no more, which is always
    told. `messages` counts those in no thread, `mentions` those of us; `first_unread` is a message's `seq`, or 0.
    """

    room: str
    first: int
    last: int
    messages: int
    hidden: bool = False
    expired: bool = False
    mentions: int = 0
    first_unread: int = 0


class GapFilled(Struct, frozen=True):
    """The server left out `first` … `last`; they were paged, and have just been handed on."""

    room: str
    first: int
    last: int


class LogReset(Struct, frozen=True):
    """The room's log is another one now (made again, or restored from a copy), heard from `head` on."""

    room: str
    epoch: str
    head: int


class RoomLost(Struct, frozen=True):
    """The room cannot be heard again after a lost connection; `code` is the server's error code."""

    room: str
    code: str
    message: str


class RoomLeft(Struct, frozen=True):
    """We were taken out of the room, and its last event for us was handed on.

    We were kicked or banned, guests were shut out, or we left it on another device.
    """

    room: str


class Expiring(Struct, frozen=True):
    """The token of another site ends in `in_ms` milliseconds, and the client with it: `renew` it before."""

    in_ms: int


class Warned(Struct, frozen=True):
    """The server has a remark on a command: `code` is stable, `message` for people."""

    code: str
    message: str
    field: str | None


class ReadMoved(Struct, frozen=True, kw_only=True):
    """We have read on, on another device: up to the event `read`, in the room or in a thread."""

    room: str
    thread: int | None = None
    read: int
    unread: int
    mentions: int = 0


class SeenMoved(Struct, frozen=True):
    """Others have read on, in a small room."""

    room: str
    people: list[SeenPerson]


class FollowChanged(Struct, frozen=True):
    """We follow a thread, or follow it no more, as was said on another device."""

    room: str
    thread: int
    following: bool


class TypingNow(Struct, frozen=True):
    """These people are writing something; that counts for `for_ms`, unless it is said again."""

    room: str
    people: list[Person]
    for_ms: int


class PresenceChanged(Struct, frozen=True):
    """The presence of these people has changed, in a room whose presence we follow; in a large room counts alone."""

    room: str
    online: int
    away: int
    people: list[PersonPresence] = []


Ephemeral = ReadMoved | SeenMoved | FollowChanged | TypingNow | PresenceChanged
#: The pushes that say what is in no log, each as its event. They may be dropped on their way.
EPHEMERAL: Final[dict[str, type[Ephemeral]]] = {
    "read": ReadMoved,
    "seen": SeenMoved,
    "following": FollowChanged,
    "typing": TypingNow,
    "presence_diff": PresenceChanged,
}

ClientEvent = (
    RoomEvent | Connected | Disconnected | StatusChanged | GapEvent | GapFilled | LogReset | RoomLost | RoomLeft
    | Expiring | Warned | Ephemeral
)  # fmt: skip


def ephemeral(frame: Mapping[str, Any]) -> Ephemeral:
    """What a push of one of the types in EPHEMERAL says. Raises TypeError when it is not as it should be."""
    try:
        return msgspec.convert(frame, EPHEMERAL[frame["type"]])
    except msgspec.ValidationError as error:
        raise TypeError(str(error)) from None


def room_event(frame: Mapping[str, Any]) -> RoomEvent:
    """The event in `frame`, a push with `seq` or an element of an `events` page. KeyError when it is none."""
    return RoomEvent(
        room=frame["room"],
        seq=frame["seq"],
        kind=frame["type"],
        user=frame.get("from", ""),
        user_id=frame.get("from_id", ""),
        ts=frame.get("ts", ""),
        cid=frame.get("cid"),
        data=frame,
    )
