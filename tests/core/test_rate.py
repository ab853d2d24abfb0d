"""Rates: a bucket that cannot be cheated, and a count that forgets."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import steady
from trichat.core.rate import RecentCount, TokenBucket


def test_a_bucket_is_full_at_first() -> None:
    bucket = TokenBucket(1, 3, now=100.0)
    assert [bucket.take(100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(100.0) == 1.0


def test_an_empty_bucket_says_when_to_come_back() -> None:
    bucket = TokenBucket(4, 1, now=0.0)
    assert bucket.take(0.0) == 0.0
    assert bucket.take(0.0) == pytest.approx(0.25)
    assert bucket.take(0.125) == pytest.approx(0.125)
    assert bucket.take(0.25) == 0.0


def test_who_is_refused_loses_nothing() -> None:
    bucket = TokenBucket(1, 1, now=0.0)
    assert bucket.take(0.0) == 0.0
    assert all(bucket.take(0.5) > 0 for _ in range(100))
    assert bucket.take(1.0) == 0.0


def test_a_long_silence_fills_no_more_than_the_bucket() -> None:
    bucket = TokenBucket(10, 5, now=0.0)
    assert [bucket.take(1e9) for _ in range(6)] == [0.0] * 5 + [pytest.approx(0.1)]


@given(st.integers(1, 50), st.integers(1, 20), st.lists(st.integers(0, 64), max_size=100))
@steady
def test_a_bucket_agrees_with_exact_arithmetic(per_s: int, burst: int, pauses: list[int]) -> None:
    bucket, now, tokens = TokenBucket(per_s, burst, 0.0), 0, Fraction(burst)
    for pause in pauses:
        now += pause
        tokens = min(Fraction(burst), tokens + Fraction(pause * per_s, 64))
        # 64ths of a second and whole rates: floating point is exact here
        waits_s = bucket.take(now / 64)
        assert waits_s == (0.0 if tokens >= 1 else pytest.approx(float((1 - tokens) / per_s)))
        tokens -= 1 if tokens >= 1 else 0


def test_the_tenth_within_the_window_counts() -> None:
    count = RecentCount(10, 60.0)
    assert [count.add(float(second)) for second in range(10)] == [False] * 9 + [True]


def test_what_lies_longer_ago_is_forgotten() -> None:
    count = RecentCount(3, 60.0)
    assert [count.add(at) for at in (0.0, 10.0, 61.0, 70.0, 71.0)] == [False, False, False, True, True]


@given(st.integers(1, 5), st.lists(st.integers(0, 40)))
@steady
def test_a_count_agrees_with_a_list(most: int, pauses: list[int]) -> None:
    count, times = RecentCount(most, 60.0), list[int]()
    for pause in pauses:
        times.append((times[-1] if times else 0) + pause)
        recent = [at for at in times if times[-1] - at <= 60]
        assert count.add(float(times[-1])) == (len(recent) >= most)
