"""What the application sees happen, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


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
    """The events `first` … `last` were left out, and (`fill_gaps=False`) are for the application to page."""

    room: str
    first: int
    last: int
    messages: int


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
    """The room is not heard any more; `code` is the server's error code, or `left`."""

    room: str
    code: str
    message: str


class Warned(Struct, frozen=True):
    """The server has a remark on a command: `code` is stable, `message` for people."""

    code: str
    message: str
    field: str | None


ClientEvent = RoomEvent | Connected | Disconnected | StatusChanged | GapEvent | GapFilled | LogReset | RoomLost | Warned


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
