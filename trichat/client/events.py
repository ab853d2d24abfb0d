"""What the application sees happen, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


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
    where we lost the right to see them while they were being paged.
    """

    room: str
    first: int
    last: int
    messages: int
    hidden: bool = False


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


ClientEvent = (
    RoomEvent | Connected | Disconnected | StatusChanged | GapEvent | GapFilled | LogReset | RoomLost | RoomLeft
    | Expiring | Warned
)  # fmt: skip


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
