"""What a node counts as it goes, for those who watch it: plain numbers that only grow, written where things happen.

The hot path pays an integer's increment where a batch or a hand-out is, and nothing for a listener or a message. What
can be read off the hub when somebody asks (sessions, rooms, queues) is not counted here.
"""

from __future__ import annotations

from typing import Final

from trichat.core.closing import CLOSE_REASONS, CloseReason
from trichat.core.histogram import Histogram

#: Upper bounds in seconds: from a call over a Unix socket to a request that polls for half a minute.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 40.0)
#: Upper bounds of how many drafts a transaction takes: `commit_batch` is 1,000.
_DRAFTS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
#: What the store's connections are for: commits of messages, and all else.
STORE_POOLS: Final = ("commits", "queries")
#: What becomes of a draft (chat/committer.py).
SEND_OUTCOMES: Final = ("committed", "repeated", "refused", "unavailable", "withdrawn")


class Figures:
    """One node's. All of it is written and read in Trio's thread."""

    def __init__(self) -> None:
        self.connections = 0  # WebSockets that were served, those of now too
        self.closes = dict.fromkeys(CLOSE_REASONS, 0)  # how they ended, by close code
        self.sends = dict.fromkeys(SEND_OUTCOMES, 0)  # drafts, by what became of them
        self.events = 0  # that were committed by this node and announced: messages, and all else in a log
        self.deliveries = 0  # events times listeners, handed out live
        self.replayed = 0  # events sent by replays, one listener at a time
        self.batch_drafts = Histogram(_DRAFTS)
        self.commit_s = Histogram(_SECONDS)
        self.looks = {"ok": 0, "unavailable": 0}  # of the relay, at the heads in the store
        self.gaps_healed = 0  # times that a room was behind, and was read from the store
        self.events_healed = 0  # events that came so
        self.whispers_dropped = 0  # at this node, on their way out or in
        # seconds of the store's calls, by what they are for and what became of them
        self.store_s = {pool: {how: Histogram(_SECONDS) for how in ("ok", "unavailable")} for pool in STORE_POOLS}
        self.passwords = 0  # that are being hashed or wait for it
        self.long_polls = 0  # HTTP requests that wait for events
        self.late_s = Histogram(_SECONDS)  # how late the event loop woke a task that wanted to look at the clock
        self.requests: dict[tuple[str, str, str], Histogram] = {}  # seconds, by route, method and class of status

    def closed(self, reason: CloseReason) -> None:
        """A connection has ended. A code that is not in the table counts as none: labels are bounded."""
        if reason.code in self.closes:
            self.closes[reason.code] += 1

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """An HTTP request is over: answered, or cut off (a `status` of 0).

        `route` is a template of ours, never a path that somebody has asked for.
        """
        how = f"{status // 100}xx" if status else "cut off"
        key = route, method if method in _METHODS else "other", how
        histogram = self.requests.get(key)
        if histogram is None:
            histogram = self.requests[key] = Histogram(_SECONDS)
        histogram.observe(seconds)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
