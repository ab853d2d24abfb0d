"""The pure parts: when a link counts as cut, which rooms are asked for, and what is owed when nobody listens."""

from __future__ import annotations

import trio
import trio.testing

from tests.bridge.buses import SOON_S, batch
from trichat.bridge.echo import EchoWatch
from trichat.bridge.feed import NewsFeed
from trichat.bridge.subscriptions import Changes, Subscriptions
from trichat.chat.ports import Beat, Cut, Linked, Missed, Subscribed
from trichat.core.names import Incarnation, RoomId

ONE, TWO, THREE = RoomId(1), RoomId(2), RoomId(3)


def test_the_echo_is_missing_after_what_is_allowed() -> None:
    watch = EchoWatch(0.6, now=100.0)
    assert not watch.missing(100.6)
    assert watch.missing(100.61)
    watch.heard(100.5)
    assert not watch.missing(101.1)


def test_our_own_lateness_extends_the_allowance_until_the_next_echo() -> None:
    watch = EchoWatch(0.6, now=100.0)
    watch.late(2.0)
    watch.late(-0.1)  # a clock's rounding
    assert not watch.missing(102.6)
    assert watch.missing(102.61)
    watch.heard(102.0)
    assert watch.missing(102.61)


def test_changes_are_coalesced_until_taken() -> None:
    rooms = Subscriptions()
    assert rooms.want(ONE)
    assert rooms.want(TWO)
    assert not rooms.want(TWO)
    assert rooms.unwant(TWO)
    assert not rooms.unwant(THREE)
    assert rooms.changed
    assert rooms.take() == Changes([ONE], [], [])
    assert not rooms.changed
    rooms.unwant(ONE)
    rooms.want(ONE)
    assert rooms.take() == Changes([], [], [ONE])
    rooms.unwant(ONE)
    assert rooms.take() == Changes([], [ONE], [])
    assert rooms.take() == Changes([], [], [])


def test_a_new_link_asks_for_all_wanted_rooms_once() -> None:
    rooms = Subscriptions()
    for room in (ONE, TWO, THREE):
        rooms.want(room)
    rooms.unwant(THREE)
    assert sorted(rooms.begin()) == [ONE, TWO]
    assert not rooms.changed
    rooms.unwant(ONE)
    assert sorted(rooms.begin()) == [TWO]


async def test_news_that_find_no_room_are_owed_and_told_in_order(autojump_clock: trio.testing.MockClock) -> None:
    feed = NewsFeed(2, missed_every_s=1.0)
    early, late = Beat(Incarnation(1), "n1", False), Beat(Incarnation(1), "n1", True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        for news in (batch(1, 1), batch(1, 2), batch(1, 3), batch(2, 1), batch(1, 4), early, Linked(), Cut("x"), late):
            feed.post(news)
        feed.forget(TWO)
        heard = [await feed.news.receive() for _ in range(5)]
        assert heard == [batch(1, 1), batch(1, 2), Subscribed(ONE), Cut("x"), late]
        await trio.testing.wait_all_tasks_blocked()
        feed.post(batch(1, 5))  # there is room again
        assert await feed.news.receive() == batch(1, 5)
        nursery.cancel_scope.cancel()


async def test_missed_is_told_at_once_and_then_once_in_a_while(autojump_clock: trio.testing.MockClock) -> None:
    feed = NewsFeed(10, missed_every_s=1.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        told_at = []
        for _ in range(3):
            feed.post_missed()
            feed.post_missed()
            assert await feed.news.receive() == Missed()
            told_at.append(trio.current_time())
        assert [round(at - told_at[0], 3) for at in told_at] == [0.0, 1.0, 2.0]
        nursery.cancel_scope.cancel()


async def test_nobody_listens_any_more_and_nothing_breaks() -> None:
    feed = NewsFeed(1, missed_every_s=1.0)
    with trio.move_on_after(SOON_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed.run)
            for first in range(3):
                feed.post(batch(first + 1, first + 1))
            await trio.testing.wait_all_tasks_blocked()
            feed.news.close()
            feed.post(Linked())
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
