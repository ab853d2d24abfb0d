"""The order of a room: whatever comes, and however often, an observer gets 1, 2, 3 … once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.properties import steady
from trichat.core.log import Appended, Duplicate, Gap, RoomLog


def test_the_next_events_are_appended() -> None:
    log = RoomLog(0)
    assert log.append(1, 1) == Appended(1, 1)
    assert log.append(2, 3) == Appended(2, 4)
    assert log.head == 4


def test_a_repeat_is_a_duplicate() -> None:
    assert RoomLog(5).append(5, 1) == Duplicate()
    assert RoomLog(5).append(1, 5) == Duplicate()


def test_the_new_end_of_an_overlap_is_appended() -> None:
    assert RoomLog(5).append(4, 4) == Appended(6, 7)


def test_a_hole_is_named_and_nothing_is_taken() -> None:
    log = RoomLog(5)
    assert log.append(9, 2) == Gap(6, 8)
    assert log.head == 5


@given(st.integers(0, 20), st.lists(st.tuples(st.integers(1, 30), st.integers(1, 5))))
@steady
def test_it_agrees_with_a_list(head: int, runs: list[tuple[int, int]]) -> None:
    log = RoomLog(head)
    delivered = list(range(1, head + 1))
    for first, count in runs:
        offered = list(range(first, first + count))
        new = [seq for seq in offered if seq > len(delivered)]
        match log.append(first, count):
            case Appended(first=new_first, last=new_last):
                assert new == list(range(new_first, new_last + 1))
                delivered += new
            case Duplicate():
                assert new == []
            case Gap(first=missing_first, last=missing_last):
                assert (missing_first, missing_last) == (len(delivered) + 1, first - 1)
                assert missing_first <= missing_last
        assert delivered == list(range(1, log.head + 1))
