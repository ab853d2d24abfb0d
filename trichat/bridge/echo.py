"""Whether our own beats are heard back in time: the one judge of a link. Pure: the clock is given, in seconds."""

from __future__ import annotations


class EchoWatch:
    """The link is up while our own beats come back within `allowed_s`.

    A busy event loop neither sends its beats nor reads them in time; that says nothing about Redis. So whoever
    asks also tells by how much they woke up later than they meant to, and the allowance grows by that until
    the next beat is heard.
    """

    def __init__(self, allowed_s: float, now: float) -> None:
        self._allowed_s = allowed_s
        self._heard_at = now
        self._late_s = 0.0

    def heard(self, now: float) -> None:
        """One of our own beats came back."""
        self._heard_at = now
        self._late_s = 0.0

    def late(self, by_s: float) -> None:
        """Our own loop woke us `by_s` after the time that we asked for."""
        self._late_s += max(by_s, 0.0)

    def missing(self, now: float) -> bool:
        """Whether the beats have been away for longer than is allowed."""
        return now - self._heard_at > self._allowed_s + self._late_s
