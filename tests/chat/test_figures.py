"""What a node counts as it goes has bounds."""

from __future__ import annotations

from tests.nodes import LOOSE
from trichat.bridge.feed import NewsFeed
from trichat.chat.figures import Figures
from trichat.chat.ports import Whisper
from trichat.core.closing import CLOSE_REASONS, CloseReason, Reconnect
from trichat.core.histogram import Histogram
from trichat.core.names import RoomId, UserId
from trichat.web.api.polling import LongPolls


async def test_who_polls_is_counted_while_they_wait() -> None:
    figures = Figures()
    polls = LongPolls(LOOSE, figures)
    with polls.one_more(UserId("g_ann")), polls.one_more(UserId("g_bob")):
        assert figures.long_polls == 2
    assert figures.long_polls == 0


def test_a_request_is_counted_by_its_route_and_by_what_is_bounded() -> None:
    figures = Figures()
    figures.request("/api/v1/rooms/{room}", "GET", 204, 0.2)
    figures.request("/api/v1/rooms/{room}", "BREW", 418, 0.2)
    assert list(figures.requests) == [("/api/v1/rooms/{room}", "GET", "2xx"), ("/api/v1/rooms/{room}", "other", "4xx")]


def test_an_ending_that_is_in_no_table_makes_no_new_label() -> None:
    figures = Figures()
    figures.closed(CloseReason(4999, "?", Reconnect.NOW))
    assert figures.closes.keys() == CLOSE_REASONS.keys()


def test_a_number_is_counted_by_the_least_bound_that_it_does_not_exceed() -> None:
    histogram = Histogram((1, 2))
    for number in (0.5, 1, 1.5, 2, 3, 4):
        histogram.observe(number)
    assert (histogram.counts, histogram.total, histogram.count) == ([2, 2, 2], 12.0, 6)


async def test_whispers_for_which_there_is_no_room_are_counted() -> None:
    figures = Figures()
    feed = NewsFeed(1, missed_every_s=1.0, figures=figures)
    for _ in range(3):
        feed.post_whisper(Whisper(RoomId(1), b"{}"))
    assert figures.whispers_dropped == 2
