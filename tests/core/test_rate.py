"""Rates: a bucket that cannot be cheated, and a count that forgets."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import steady
from trichat.core.rate import BucketTable, RecentCount, TokenBucket, take_ahead, take_from_all


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


def test_a_full_bucket_lets_through_what_it_cannot_hold_and_owes_the_rest() -> None:
    bucket = TokenBucket(1, 5, now=0.0)
    assert bucket.take(0.0, cost=20) == 0.0
    assert bucket.take(0.0, cost=20) == 20.0
    assert bucket.wait_s(15.0) == 1.0
    assert bucket.take(16.0) == 0.0


# several at once


def test_all_pay_or_none_does() -> None:
    rich, poor = TokenBucket(1, 10, now=0.0), TokenBucket(1, 2, now=0.0)
    assert take_from_all((rich, poor), 0.0, 2) is None
    assert [take_from_all((rich, poor), 0.0, 1) for _ in range(100)] == [poor] * 100
    assert rich.take(0.0, cost=8) == 0.0, "it has paid once"
    assert rich.take(0.0) == 1.0


def test_the_one_that_makes_wait_longest_is_named() -> None:
    quick, slow, full = TokenBucket(8, 1, now=0.0), TokenBucket(1, 1, now=0.0), TokenBucket(1, 9, now=0.0)
    buckets = (quick, slow, full)
    assert take_from_all(buckets, 0.0, 1) is None
    assert take_from_all(buckets, 0.0, 1) is slow
    assert (quick.wait_s(0.0), slow.wait_s(0.0), full.wait_s(0.0)) == (0.125, 1.0, 0.0)
    assert take_from_all(buckets, 0.5, 1) is slow
    assert take_from_all(buckets, 1.0, 1) is None


def test_only_well_filled_buckets_pay_ahead_and_all_or_none() -> None:
    large, small = TokenBucket(1, 20, now=0.0), TokenBucket(1, 12, now=0.0)
    assert take_ahead((large, small), 5)
    assert not take_ahead((large, small), 5), "the small one would be less than half full"
    assert (large.wait_s(0.0, 20), small.wait_s(0.0, 12)) == (5.0, 5.0)


prices = st.integers(1, 12)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4), st.lists(prices))
@steady
def test_who_waits_as_long_as_told_is_let_through(rates: list[tuple[int, int]], costs: list[int]) -> None:
    now = 0.0
    buckets = [TokenBucket(per_s, burst, now) for per_s, burst in rates]
    for cost in costs:
        refusing = take_from_all(buckets, now, cost)
        if refusing is not None:
            now += refusing.wait_s(now, cost) + 1e-6
            assert take_from_all(buckets, now, cost) is None


# tables


def test_a_key_finds_its_bucket_as_it_left_it() -> None:
    table = BucketTable(1, 2, most=10)
    assert table.of("ann", 0.0).take(0.0, cost=2) == 0.0
    assert table.of("bob", 0.5).take(0.5) == 0.0
    assert table.of("ann", 1.0).wait_s(1.0, cost=2) == 1.0


def test_full_buckets_are_not_kept() -> None:
    table = BucketTable(1, 1, most=1_000)
    for second in range(100):
        table.of(f"guest{second}", float(second)).take(float(second))
        assert len(table) <= 2


def test_a_table_stays_within_its_size_and_forgets_who_was_silent_longest() -> None:
    table = BucketTable(1, 100, most=10)
    for number in range(50):
        for _ in range(2):
            table.of("busy", 0.0).take(0.0)
        table.of(number, 0.0).take(0.0)
        assert len(table) <= 10
    assert table.of("busy", 0.0).wait_s(0.0, cost=100) == 100.0, "it was never forgotten"
    assert table.of(49, 0.0).wait_s(0.0, cost=100) == 1.0
    assert table.of(0, 0.0).is_full(0.0), "it was, and begins anew"


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=60))
@steady
def test_a_large_table_forgets_nothing_that_matters(burst: int, uses: list[tuple[int, int]]) -> None:
    table, kept, now = BucketTable(1, burst, most=50), dict[int, TokenBucket](), 0
    for key, pause in uses:
        now += pause
        kept.setdefault(key, TokenBucket(1, burst, 0.0))
        assert table.of(key, float(now)).take(float(now)) == kept[key].take(float(now))


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
