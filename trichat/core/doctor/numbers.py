"""The second number of events: how many messages there are that are in no thread, up to and with each."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from trichat.core.doctor.examined import Difference, LogEntry, RoomFigures


class Numbers:
    """Counts them anew."""

    def __init__(self, figures: RoomFigures) -> None:
        self._figures = figures
        self._base = figures.first_no if figures.first_seq > 1 else 0  # of what is kept no more
        self._mains: array[int] = array("q")
        self._first: LogEntry | None = None  # the first event, while it is open whether its `no` or `first_no` is wrong
        self._events = 0
        self.messages: array[int] = array("q")  # all, those of threads too

    @property
    def no(self) -> int:
        """That of the last event."""
        return self._base + len(self._mains)

    @property
    def last_message(self) -> int:
        """0: there is none."""
        return self._mains[-1] if self._mains else 0

    def no_at(self, seq: int) -> int:
        """That of the event `seq`, which is kept."""
        return self._base + bisect_right(self._mains, seq)

    @property
    def base(self) -> int:
        """That of the last event that is kept no more."""
        return self._base

    def take(self, entry: LogEntry, *, main: bool) -> list[Difference]:
        """The next event; `main` when it is a message in no thread."""
        self._events += 1
        if entry.kind == "message":
            self.messages.append(entry.seq)
        if main:
            self._mains.append(entry.seq)
        if self._first is not None:
            return self._second(self._first, entry)
        if entry.no == self.no:
            return []
        if self._events == 1 and self._figures.first_seq > 1:
            self._first = entry
            return []
        return [("no", (entry.seq,), (entry.no,), (self.no,))]

    def _second(self, first: LogEntry, entry: LogEntry) -> list[Difference]:
        """What is wrong with the first: two events that agree with each other are right."""
        self._first = None
        wrong_by = first.no - self.no_at(first.seq)
        if entry.no - self.no == wrong_by:
            self._base += wrong_by
            return [("first_no", (), (self._figures.first_no,), (self._base,))]
        found: list[Difference] = [("no", (first.seq,), (first.no,), (self.no_at(first.seq),))]
        if entry.no != self.no:
            found.append(("no", (entry.seq,), (entry.no,), (self.no,)))
        return found

    def end(self) -> list[Difference]:
        """There are no more events."""
        found: list[Difference] = []
        if self._first is not None:
            found.append(("no", (self._first.seq,), (self._first.no,), (self.no_at(self._first.seq),)))
        if self._figures.first_seq == 1 and self._figures.first_no != 0:
            found.append(("first_no", (), (self._figures.first_no,), (0,)))
        return found
