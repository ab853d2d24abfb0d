"""The events that the application has not taken yet: in order, bounded, and full means that nobody reads the socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from trichat.client.events import ClientEvent, RoomEvent
from trichat.client.options import ClientOptions


class Inbox:
    """A queue of `options.events` with one reader; it may grow tenfold while a request waits for its reply.

    A reply comes behind the events before it. An application of one task, which reads no events while it
    waits for a reply, would wait for ever if the socket were not read on for its sake. When even the longer
    queue is full and nothing is taken for `unread_s`, `on_unread` is called: it fails what waits.
    """

    def __init__(self, options: ClientOptions, on_unread: Callable[[], None]) -> None:
        self._options = options
        self._on_unread = on_unread
        self._events: deque[ClientEvent] = deque()
        self._asking = 0
        self._taken = 0
        self._ending: Exception | None = None
        self._filled = trio.Event()
        self._eased = trio.Event()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: ClientEvent) -> None:
        """Append; never waits. Whoever puts has waited for room before it read."""
        if not self._options.keep_events and isinstance(event, RoomEvent):
            return
        self._events.append(event)
        self._filled.set()

    def end(self, ending: Exception) -> None:
        """After what is queued, the reader gets `ending`."""
        self._ending = ending
        self._filled.set()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """A request waits for its reply meanwhile."""
        self._asking += 1
        self._eased.set()
        try:
            yield
        finally:
            self._asking -= 1

    async def wait_for_room(self) -> None:
        """Returns, at once if it can, when one more event may be put."""
        while self._full():
            self._eased = trio.Event()
            taken = self._taken
            with trio.move_on_after(self._options.unread_s if self._asking else float("inf")) as patience:
                await self._eased.wait()
            if patience.cancelled_caught and taken == self._taken:
                self._on_unread()

    def __aiter__(self) -> Inbox:
        return self

    async def __anext__(self) -> ClientEvent:
        """The next event. Raises the client's ending when there will be no more."""
        while not self._events:
            if self._ending is not None:
                raise self._ending
            self._filled = trio.Event()
            await self._filled.wait()
        await trio.lowlevel.checkpoint_if_cancelled()
        self._taken += 1
        self._eased.set()
        return self._events.popleft()

    def _full(self) -> bool:
        limit = self._options.events_while_asking if self._asking else self._options.events
        return len(self._events) >= limit
