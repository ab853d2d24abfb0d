"""A correct copy of a room, made of its events alone. Pure: whoever reads the events gives them to it.

copy = RoomCopy("lobby", client.user_id, since=0)
await client.join("lobby", since=0)
async for event in client.events():
    copy.take(event)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from trichat.client.copied import CopiedMessage, Frame, copied, touched
from trichat.client.events import ClientEvent, GapEvent, LogReset, RoomEvent
from trichat.client.replies import CompactPage

#: Events about messages that the copy does not have (yet), or whose state is uncertain while a stretch is missing.
#: More: those about the message that was touched first are forgotten.
_KEPT: Final = 10_000


class Missing(Struct, frozen=True):
    """A stretch of the log was left out. Ask for compacted events after `since` until there are no more."""

    since: int
    last: int  # the last event that was left out


class RoomCopy:
    """The messages of a room in their present state, as `me` (a `user_id`) sees them, from `since` + 1 on.

    The log's events come in order by `take`, live or replayed, once or again. Pages of history may come at any time,
    and bring what was before: what they tell that is newer than the copy counts, what is older does not. A page joins
    on to what the copy has of the room (or of the thread), so that it is never with a hole.
    """

    def __init__(self, room: str, me: str | None, *, since: int) -> None:
        self.room = room
        self._me = me
        self._begin(since)

    def _begin(self, since: int) -> None:
        self.position = since  # the last `seq` taken
        self._start = since + 1  # events before it never came
        self._first: dict[int | None, int] = {}  # and what pages have brought of the room (None) and of threads
        self._messages: dict[int, CopiedMessage] = {}
        self._kept: dict[int, list[RoomEvent]] = {}  # by the message that they are about
        self._kept_count = 0
        self._since: int | None = None  # what came after it is incomplete
        self._origin = 0  # and where that began
        self._last = 0

    @property
    def missing(self) -> Missing | None:
        """What is to be asked for before the copy is right again; None when it is."""
        return None if self._since is None else Missing(self._since, self._last)

    def message(self, seq: int) -> CopiedMessage | None:
        """One message; None when the copy does not have it."""
        found = self._messages.get(seq)
        return None if found is None or seq < self._first_of(found.thread) else found

    def history(self, thread: int | None = None) -> list[dict[str, Any]]:
        """The messages in no thread, or the replies of one, as the server's `history` has them; oldest first."""
        first = self._first_of(thread)
        of_it = (message for message in self._messages.values() if message.thread == thread and message.seq >= first)
        return [message.as_history() for message in sorted(of_it, key=lambda message: message.seq)]

    # what comes in

    def take(self, event: ClientEvent) -> None:
        """Whatever a client hears; what is not of this room's log is ignored.

        Raises ValueError when events are missing before this one, and nobody said so.
        """
        if isinstance(event, RoomEvent) and event.room == self.room:
            self._take_event(event)
        elif isinstance(event, GapEvent) and event.room == self.room:
            self._take_gap(event)
        elif isinstance(event, LogReset) and event.room == self.room:
            self._begin(event.head)  # it is another log

    def take_page(self, messages: Sequence[Frame]) -> None:
        """The messages of a page of history, of the room or of a thread."""
        for frame in messages:
            message = copied(frame)
            self._merge(message)
            self._first[message.thread] = min(self._first_of(message.thread), message.seq)

    def take_compact(self, page: CompactPage) -> None:
        """A page of compacted events, read after the gap was told; with the last one nothing is missing any more."""
        for frame in page.events:
            if frame["type"] == "message":
                self._merge(copied(frame))
        if self._since is None or page.since > self._since:
            return
        self._since = max(self._since, page.to)
        if not page.more and page.to >= self._last:  # all that was touched after the stretch is in it too
            self._since = None
            for seq in [seq for seq in self._kept if seq in self._messages]:
                self._kept_count -= len(self._kept.pop(seq))

    def forget_before(self, seq: int) -> None:
        """The room keeps what was before `seq` no more."""
        self._messages = {at: message for at, message in self._messages.items() if at >= seq}
        self._first = {thread: max(first, seq) for thread, first in self._first.items()}

    def _first_of(self, thread: int | None) -> int:
        return self._first.get(thread, self._start)

    def _take_event(self, event: RoomEvent) -> None:
        if event.seq <= self.position:
            return
        if event.seq != self.position + 1:
            raise ValueError(f"{self.room}: event {event.seq} came after {self.position}")
        self.position = event.seq
        if event.kind == "message" and event.seq not in self._messages:  # a page may have been quicker
            self._messages[event.seq] = copied(event.data)
        for seq in touched(event):
            message = self._messages.get(seq)
            if message is not None:
                message.change(event, self._me)
            if message is None or self._since is not None:
                self._keep(seq, event)

    def _take_gap(self, gap: GapEvent) -> None:
        if gap.last <= self.position:
            return
        if gap.expired:
            self.forget_before(gap.last + 1)
        elif not gap.hidden:  # what is not for us is not missing
            if self._since is None:
                self._since = self._origin = self.position
            self._last = gap.last
        self.position = gap.last

    def _merge(self, new: CopiedMessage) -> None:
        """A state of a message from a page, which may be older than what is known, or newer."""
        old = self._messages.get(new.seq)
        # while a stretch is missing, what events made of the old state is not certain: they are taken again
        known = 0 if old is None else old.rev if self._since is None else old.base
        if new.rev < known:
            return
        self._messages[new.seq] = new
        for event in self._kept.get(new.seq, ()):
            new.change(event, self._me)
        if self._since is None:
            self._kept_count -= len(self._kept.pop(new.seq, ()))

    def _keep(self, seq: int, event: RoomEvent) -> None:
        self._kept.setdefault(seq, []).append(event)
        self._kept_count += 1
        while self._kept_count > _KEPT:
            first = next(iter(self._kept))
            self._kept_count -= len(self._kept.pop(first))
            if self._since is not None:
                self._since = self._origin  # its state must be asked for again
