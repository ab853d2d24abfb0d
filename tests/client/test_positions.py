"""The laws of a client's place in a log: whatever comes, what is handed on is 1, 2, 3 … once each."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from trichat.client.positions import RoomPosition, Verdict


def position(seq: int = 0, held_limit: int = 10) -> RoomPosition[int]:
    return RoomPosition("lobby", "k1", seq, held_limit)


def test_the_next_event_is_delivered_and_an_old_one_dropped() -> None:
    room = position(5)
    assert room.offer(6, 6) is Verdict.DELIVER
    assert room.offer(6, 6) is Verdict.REPEAT
    assert room.offer(2, 2) is Verdict.REPEAT
    assert room.seq == 6


def test_a_hole_that_nobody_spoke_of_is_told() -> None:
    room = position(5)
    assert room.offer(7, 7) is Verdict.HOLE
    assert room.seq == 5


def test_later_events_wait_until_the_hole_is_filled() -> None:
    room = position(5)
    assert room.open_hole(6, 7) is Verdict.HELD
    assert room.offer(8, 8) is Verdict.HELD
    assert room.next_held() is None
    assert room.filling
    assert [room.fill(6), room.fill(7)] == [Verdict.DELIVER, Verdict.DELIVER]
    assert room.fill(8) is Verdict.REPEAT  # the page went on; the held one is handed on instead
    assert room.next_held() == 8
    assert room.next_held() is None
    assert not room.filling
    assert room.offer(9, 9) is Verdict.DELIVER


def test_a_hole_among_held_events_is_told() -> None:
    room = position(5)
    room.open_hole(6, 7)
    assert room.offer(9, 9) is Verdict.HOLE


def test_a_gap_that_leaves_out_more_than_it_says_is_told() -> None:
    assert position(5).open_hole(7, 9) is Verdict.HOLE


def test_a_gap_that_was_handed_on_before_opens_nothing() -> None:
    room = position(9)
    assert room.open_hole(6, 9) is Verdict.REPEAT
    assert not room.filling


def test_a_gap_that_begins_in_what_we_have_counts_from_there() -> None:
    room = position(7)
    assert room.open_hole(6, 9) is Verdict.HELD
    assert [room.fill(7), room.fill(8), room.fill(9)] == [Verdict.REPEAT, Verdict.DELIVER, Verdict.DELIVER]


def test_the_end_of_a_connection_forgets_the_hole_but_not_the_position() -> None:
    room = position(5)
    room.open_hole(6, 9)
    room.offer(10, 10)
    room.fill(6)
    room.close_hole()
    assert (room.seq, room.filling) == (6, False)
    assert room.offer(7, 7) is Verdict.DELIVER


@given(
    held_limit=st.integers(0, 4),
    steps=st.lists(st.sampled_from(["live", "gap", "repeat", "page", "held", "lost"]), max_size=60),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=10),
)
def test_whatever_comes_is_handed_on_once_and_in_order(
    held_limit: int, steps: Sequence[str], sizes: Sequence[int]
) -> None:
    room = position(0, held_limit)
    said = 0  # what the server has told of
    handed: list[int] = []

    def take(verdict: Verdict, seq: int) -> None:
        assert verdict is not Verdict.HOLE
        if verdict is Verdict.DELIVER:
            handed.append(seq)

    for number, step in enumerate(steps):
        size = sizes[number % len(sizes)]
        if step == "live":
            said += 1
            take(room.offer(said, said), said)
        elif step == "gap":
            assert room.open_hole(said + 1, said + size) is Verdict.HELD
            said += size
        elif step == "repeat" and said:
            take(room.offer(max(1, said - size), 0), 0)
        elif step == "page" and room.missing:
            first = room.seq + 1
            for seq in range(first, min(first + size, said + 1)):
                take(room.fill(seq), seq)
        elif step == "held":
            held = room.next_held()
            if held is not None:
                handed.append(held)
        elif step == "lost":
            room.close_hole()
            said = room.seq  # the next connection goes on from our position
        assert handed == list(range(1, room.seq + 1))

    while room.filling:
        if room.missing:
            take(room.fill(room.seq + 1), room.seq)
        else:
            held = room.next_held()
            handed += [] if held is None else [held]
    assert handed == list(range(1, said + 1))
