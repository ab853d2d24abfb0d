"""How many commands may be in flight: all of the window, and after a rate limit a careful new beginning. Pure."""

from __future__ import annotations


class Window:
    """Opens by one with each answer, up to `most`; `rate_limited` closes it to one and pauses."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = most
        self._in_flight = 0
        self.paused_until = 0.0  # seconds on the clock whose time `is_open` is given

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def is_open(self, now: float) -> bool:
        return self._in_flight < self._size and now >= self.paused_until

    def posted(self) -> None:
        self._in_flight += 1

    def answered(self) -> None:
        self._in_flight -= 1
        self._size = min(self._most, self._size + 1)

    def rate_limited(self, until: float) -> None:
        self._in_flight -= 1
        self._size = 1
        self.paused_until = max(self.paused_until, until)

    def forget(self) -> None:
        """The connection is gone, and with it what was in flight."""
        self._in_flight = 0
