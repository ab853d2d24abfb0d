"""When a client comes back: as the close codes say, spread out, and never in a storm."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trichat.client.backoff import Backoff, Delays, Ending
from trichat.client.window import Window
from trichat.core.chance import Chance
from trichat.core.closing import BANNED, CLOSE_REASONS, DRAINING, GONE, SLOW, Reconnect, reconnect_of

SETTLED = 10.0


def ending(code: int, resume_after_s: float = 0.0) -> Ending:
    return Ending(code, "", reconnect_of(code), resume_after_s)


def backoff(seed: int = 1) -> Backoff:
    return Backoff(Chance(random.Random(seed)), SETTLED)


@given(seed=st.integers(), count=st.integers(1, 20))
def test_backing_off_grows_from_half_a_second_to_thirty(seed: int, count: int) -> None:
    series = backoff(seed)
    for n in range(count):
        delay = series.after(ending(SLOW.code), 0.0)
        assert delay is not None
        assert 0.5 <= delay <= min(30.0, 0.5 * 2 ** (n + 1))


@given(seed=st.integers(), count=st.integers(1, 20))
def test_lost_connections_are_sought_again_within_five_seconds(seed: int, count: int) -> None:
    series = backoff(seed)
    for n in range(count):
        delay = series.after(ending(GONE.code), 0.0)
        assert delay is not None
        assert 0.1 <= delay <= min(5.0, 0.1 * 2 ** (n + 1))


def test_the_delays_of_many_clients_differ() -> None:
    delays = {backoff(seed).after(ending(SLOW.code), 0.0) for seed in range(50)}
    assert len(delays) == 50


def test_a_draining_server_says_when_to_come_back() -> None:
    assert backoff().after(ending(DRAINING.code), 0.0) == 0.0
    assert backoff().after(ending(DRAINING.code, 1.3), 0.0) == 1.3


def test_a_server_that_always_says_now_is_not_stormed() -> None:
    series = backoff()
    delays = [series.after(ending(DRAINING.code), 0.5) for _ in range(50)]
    assert delays[0] == 0.0
    assert sum(delay or 0.0 for delay in delays) > 50.0


def test_a_connection_that_lived_ends_a_series_of_failures() -> None:
    series = backoff()
    for _ in range(20):
        series.after(ending(GONE.code), 0.0)
        series.after(ending(SLOW.code), 0.0)
    assert (series.after(ending(GONE.code), SETTLED) or 9.0) <= 0.2
    assert (series.after(ending(SLOW.code), SETTLED) or 9.0) <= 1.0


@pytest.mark.parametrize("code", sorted(CLOSE_REASONS))
def test_every_close_code_is_obeyed(code: int) -> None:
    gives_up = backoff().after(ending(code), 0.0) is None
    assert gives_up == (CLOSE_REASONS[code].reconnect is Reconnect.DIFFERENTLY)


def test_a_banned_client_does_not_come_back_even_after_a_long_life() -> None:
    assert backoff().after(ending(BANNED.code), 3600.0) is None


def test_delays_can_begin_anew() -> None:
    delays = Delays(1.0, 64.0, Chance(random.Random(3)))
    for _ in range(10):
        delays.next()
    delays.reset()
    assert 1.0 <= delays.next() < 2.0


def test_a_rate_limit_closes_the_window_to_one_and_answers_open_it_again() -> None:
    window = Window(4)
    for _ in range(4):
        assert window.is_open(0.0)
        window.posted()
    assert not window.is_open(0.0)
    for _ in range(4):
        window.rate_limited(until=2.0)
    assert not window.is_open(1.9)
    assert window.is_open(2.0)
    window.posted()
    assert not window.is_open(2.0)
    window.answered()
    window.posted()
    assert window.is_open(2.0)  # two at a time now
