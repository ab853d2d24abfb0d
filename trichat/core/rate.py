"""Token buckets, tables of them, and sliding counts: pure, the clock is given."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Hashable
from typing import Final

#: Buckets longest unused that are looked at for each new one: more than one, so that full ones do not pile up.
_LOOKED_AT: Final = 2


class TokenBucket:
    """Holds up to `burst` tokens and gains `per_s` a second; full at first.

    What costs more than `burst` is let through by a full bucket, which then owes the rest.
    """

    __slots__ = ("_at", "_burst", "_per_s", "_tokens")

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, cost: float = 1.0) -> float:
        """Take `cost` tokens: 0.0 when there were enough, else the seconds until there will be (none are taken)."""
        return 0.0 if take_from_all((self,), now, cost) is None else self.wait_s(now, cost)

    def wait_s(self, now: float, cost: float = 1.0) -> float:
        """The seconds until `cost` tokens can be taken, if nobody else takes any."""
        return max(0.0, min(cost, self._burst) - self._tokens_at(now)) / self._per_s

    def is_full(self, now: float) -> bool:
        """Whether it is as good as a new one."""
        return self._tokens_at(now) >= self._burst

    def _tokens_at(self, now: float) -> float:
        return min(self._burst, self._tokens + (now - self._at) * self._per_s)


def take_from_all(buckets: Collection[TokenBucket], now: float, cost: float) -> TokenBucket | None:
    """Take `cost` tokens from each of `buckets`, or from none; the one that refuses the longest, or None."""
    short = False
    for bucket in buckets:
        bucket._tokens = bucket._tokens_at(now)
        bucket._at = now
        short = short or bucket._tokens < min(cost, bucket._burst)
    if short:
        return max(buckets, key=lambda bucket: bucket.wait_s(now, cost))
    for bucket in buckets:
        bucket._tokens -= cost
    return None


def take_ahead(buckets: Collection[TokenBucket], cost: float) -> bool:
    """Take `cost` tokens more from each of `buckets`, just taken from, if that leaves each at least half full."""
    if any(bucket._tokens - cost < bucket._burst / 2 for bucket in buckets):
        return False
    for bucket in buckets:
        bucket._tokens -= cost
    return True


class BucketTable:
    """A bucket for each key: at most `most`, of which the longest unused is forgotten; full ones are not kept.

    Every bucket is full after `burst / per_s` seconds: it takes `most` keys in that time to lose one that is not.
    """

    __slots__ = ("_buckets", "_burst", "_most", "_per_s")

    def __init__(self, per_s: float, burst: float, most: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._most = most
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def of(self, key: Hashable, now: float) -> TokenBucket:
        """The bucket of `key`; a new one if there is none. To be used at once, and not to be kept."""
        buckets = self._buckets
        bucket = buckets.get(key)
        if bucket is None:
            self._forget(now)
            bucket = buckets[key] = TokenBucket(self._per_s, self._burst, now)
        else:
            buckets.move_to_end(key)
        return bucket

    def _forget(self, now: float) -> None:
        """Make room for one more."""
        for _ in range(min(_LOOKED_AT, len(self._buckets))):
            key, bucket = self._buckets.popitem(last=False)
            if not bucket.is_full(now) and len(self._buckets) < self._most - 1:
                self._buckets[key] = bucket
                self._buckets.move_to_end(key, last=False)
                break


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
