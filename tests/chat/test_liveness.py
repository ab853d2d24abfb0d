"""Beats against the clock: who is missed, and since when."""

from __future__ import annotations

from typing import Final

from trichat.chat.liveness import BeatWatch
from trichat.core.names import Incarnation

ONE: Final = Incarnation(1)
TWO: Final = Incarnation(2)


def test_a_node_is_missed_when_its_beats_stop() -> None:
    watch = BeatWatch(missing_s=0.6)
    watch.expect([ONE], now=0.0)
    watch.heard(ONE, now=1.0)
    assert not watch.missing(now=1.5)
    assert watch.missing(now=1.7)
    watch.heard(ONE, now=1.8)
    assert not watch.missing(now=2.0)


def test_a_node_that_was_never_heard_is_missed_from_when_it_was_first_expected() -> None:
    watch = BeatWatch(missing_s=0.6)
    watch.expect([ONE], now=5.0)
    watch.expect([ONE], now=5.5)
    assert not watch.missing(now=5.5)
    assert watch.missing(now=5.7)


def test_a_node_that_is_gone_from_the_store_is_not_missed() -> None:
    watch = BeatWatch(missing_s=0.6)
    watch.expect([ONE, TWO], now=0.0)
    watch.heard(TWO, now=9.0)
    assert watch.missing(now=9.0)
    watch.expect([TWO], now=9.0)
    assert not watch.missing(now=9.0)


def test_a_node_that_said_its_last_word_is_not_missed_though_the_store_still_knows_it() -> None:
    watch = BeatWatch(missing_s=0.6)
    watch.expect([ONE], now=0.0)
    watch.left(ONE, now=0.1)
    watch.expect([ONE], now=5.0)
    assert not watch.missing(now=9.0)


def test_the_time_in_which_we_could_not_listen_does_not_count() -> None:
    watch = BeatWatch(missing_s=0.6)
    watch.expect([ONE], now=0.0)
    watch.late(5.0, now=5.2)
    assert not watch.missing(now=5.5)
    assert watch.missing(now=5.7)


def test_who_was_heard_just_now_is_not_given_the_lost_time_on_top() -> None:
    watch = BeatWatch(missing_s=0.6)
    watch.expect([ONE], now=0.0)
    watch.heard(ONE, now=5.2)
    watch.late(5.0, now=5.2)
    assert watch.missing(now=5.9)
