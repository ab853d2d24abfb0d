"""What the chat needs of whoever traces sends: spans that begin and end. Nothing here waits or raises.

A trace is a send, from the command to its ack; under it the commit, and under that its delivery here, its publishing,
and under that its delivery at each other node that has somebody in the room. Rooms are named by their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trichat.core.names import RoomId


class Span(Protocol):
    """Something that takes its time. One that is never ended is never told of."""

    @property
    def context(self) -> str:
        """Where it belongs, for other nodes: a `traceparent` of W3C's Trace Context."""
        ...

    def end(self, *, seq: int | None = None, outcome: str | None = None) -> None:
        """It is over; only the first time counts."""
        ...


class Tracer(Protocol):
    """Begins spans."""

    def begin_send(self, room_id: RoomId) -> Span | None:
        """For one of so many sends; None for the others."""
        ...

    def begin_commit(self, sends: Sequence[Span], drafts: int) -> Span:
        """A transaction of `drafts`, of which `sends` are traced: part of the first one, and linked to the others."""
        ...

    def begin_publish(self, commit: Span, room_id: RoomId, first: int) -> Span:
        """Events from the `seq` `first` on are on their way to Redis."""
        ...

    def begin_delivery(self, context: str, room_id: RoomId, first: int) -> Span | None:
        """They were heard of here and are not handed out yet; None for a `context` that is none."""
        ...
