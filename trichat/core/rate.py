"""Token buckets and sliding counts: pure, the clock is given."""

from __future__ import annotations

from collections import deque


class TokenBucket:
    """Holds up to `burst` tokens and gains `per_s` a second; full at first."""

    __slots__ = ("_at", "_burst", "_per_s", "_tokens")

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, cost: float = 1.0) -> float:
        """Take `cost` tokens: 0.0 when there were enough, else the seconds until there will be (none are taken)."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens >= cost:
            self._tokens -= cost
            return 0.0
        return (cost - self._tokens) / self._per_s


class RecentCount:
    """How often something happened in the last `window_s` seconds; remembers at most `most` times."""

    __slots__ = ("_most", "_times", "_window_s")

    def __init__(self, most: int, window_s: float) -> None:
        self._times: deque[float] = deque(maxlen=most)
        self._most = most
        self._window_s = window_s

    def add(self, now: float) -> bool:
        """It happened now. True when that makes `most` within the window."""
        self._times.append(now)
        return len(self._times) == self._most and now - self._times[0] <= self._window_s
