"""What a call of the client may raise. All of it is a ClientError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """The base of all that the client raises by itself."""


class Refused(ClientError):
    """The server's final answer is no. `message` is for people; `frame` is the whole `error`."""

    def __init__(
        self, code: str, message: str, field: str | None = None, frame: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(code, message, field)
        self.code = code
        self.message = message
        self.field = field
        self.frame = frame or {}

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Ended(ClientError):
    """The client is over and does not come back: the server's close code says so, or it was closed here (1000)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"the session ended: {self.reason} ({self.code})"


class Unreachable(ClientError):
    """The first connection could not be made. `why` is for people."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(url, why)
        self.url = url
        self.why = why

    def __str__(self) -> str:
        return f"cannot reach {self.url}: {self.why}"


class OutOfOrder(ClientError):
    """The server broke its promise: `got` came where `expected` was next in `room`. The client ends."""

    def __init__(self, room: str, expected: int, got: int) -> None:
        super().__init__(room, expected, got)
        self.room = room
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"event {self.got} came in {self.room} where {self.expected} was next"


class ConnectionLost(ClientError):
    """The connection went with a command that must not be repeated blindly: it may or may not have taken effect."""


class EventsUnread(ClientError):
    """The reply cannot be read: too many events lie before it, and nobody takes them from `client.events()`."""
