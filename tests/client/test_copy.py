"""What a copy of a room makes of events, pages and gaps, case by case; `test_copy_machine.py` mixes them all."""

from __future__ import annotations

import pytest

from tests.chat.conversation_model import Room
from trichat.client import GapEvent, LogReset, Missing, RoomCopy
from trichat.client.events import room_event
from trichat.client.replies import CompactPage
from trichat.core.events import Person
from trichat.core.names import UserId

ANN, BOB = (Person(name, UserId(f"u_{name}")) for name in ("ann", "bob"))
ME = ANN.user_id
PAGE = 3  # entries of a page


def a_room(*texts: str) -> Room:
    room = Room()
    for text in texts:
        room.write("message", BOB, {"text": text}, ts="then")
    return room


def heard(room: Room, since: int = 0) -> RoomCopy:
    """A copy that has heard everything as it was said."""
    copy = RoomCopy("lobby", ME, since=since)
    for seq in range(since + 1, room.head + 1):
        copy.take(room_event(room.live(seq)))
    return copy


def change(room: Room, kind: str, by: Person, target: int, detail: str = "") -> None:
    body = room.changes(kind, by, target, detail)
    assert body is not None
    room.write(kind, by, body, ts="now")


def test_a_message_shows_its_last_text_and_when_it_was_said() -> None:
    room = a_room("one", "two")
    change(room, "edited", BOB, 1, "won")
    (first, second) = heard(room).history()
    assert (first["text"], first["edited"], first["rev"]) == ("won", "now", 3)
    assert "edited" not in second
    assert second["rev"] == 2


def test_of_a_deleted_message_a_tombstone_stays_with_its_thread() -> None:
    room = a_room("one")
    room.write("message", ANN, {"text": "re: one", "thread": 1, "reply_to": 1})
    change(room, "reacted", ANN, 1, "👍")
    change(room, "pinned", ANN, 1)
    change(room, "deleted", BOB, 1)
    change(room, "deleted", ANN, 2)
    copy = heard(room)
    (root,), (reply,) = copy.history(), copy.history(thread=1)
    assert root == room.present(1, ME)
    assert "text" not in root
    assert (root["deleted"], root["replies"], root["last_reply"]) == (True, 0, 2)
    assert (reply["deleted"], reply["thread"]) == (True, 1)


def test_reactions_are_counted_and_ours_are_known() -> None:
    room = a_room("one")
    for by in (ANN, BOB):
        change(room, "reacted", by, 1, "👍")
    change(room, "reacted", BOB, 1, "🎉")
    change(room, "unreacted", BOB, 1, "🎉")
    assert heard(room).history()[0]["reactions"] == [{"emoji": "👍", "count": 2, "mine": True}]
    change(room, "unreacted", ANN, 1, "👍")
    assert heard(room).history()[0]["reactions"] == [{"emoji": "👍", "count": 1}]


def test_a_change_that_a_page_has_told_already_counts_once() -> None:
    room = a_room("one")
    copy = RoomCopy("lobby", ME, since=1)
    change(room, "reacted", BOB, 1, "👍")
    copy.take_page(room.history(ME))
    copy.take(room_event(room.live(2)))
    assert copy.history() == room.history(ME)


def test_a_change_of_a_message_that_is_paged_later_is_not_lost() -> None:
    room = a_room("one", "two")
    copy, page = RoomCopy("lobby", ME, since=2), room.history(ME)
    change(room, "edited", BOB, 1, "won")
    copy.take(room_event(room.live(3)))
    assert copy.message(1) is None
    copy.take_page(page)
    assert copy.history() == room.history(ME)


def test_after_a_gap_the_copy_says_what_to_ask_for_until_it_is_right() -> None:
    room = a_room("one", "two")
    copy = heard(room)
    change(room, "edited", BOB, 1, "won")
    change(room, "reacted", ANN, 2, "👍")
    change(room, "edited", BOB, 2, "too")
    copy.take(GapEvent("lobby", 3, 4, 0))
    copy.take(room_event(room.row(5)))
    assert copy.missing == Missing(2, 4)
    copy.take_compact(compact(room, 2, limit=1))
    assert copy.missing == Missing(3, 4)
    assert copy.history() != room.history(ME)
    copy.take_compact(compact(room, 3, limit=1))
    assert copy.missing is None
    assert copy.history() == room.history(ME)


def test_what_we_may_not_see_is_not_missing() -> None:
    copy = RoomCopy("lobby", ME, since=0)
    copy.take(GapEvent("lobby", 1, 7, 0, hidden=True))
    assert (copy.missing, copy.position) == (None, 7)


def test_what_is_kept_no_more_goes() -> None:
    room = a_room("one", "two", "three")
    copy = heard(room)
    copy.forget_before(2)
    assert [message["seq"] for message in copy.history()] == [2, 3]
    away = heard(room)
    away.take(GapEvent("lobby", 4, 9, 0, expired=True))
    assert (away.history(), away.missing, away.position) == ([], None, 9)


def test_another_log_begins_anew() -> None:
    room = a_room("one")
    copy = heard(room)
    copy.take(LogReset("lobby", "k2", 0))
    assert copy.history() == []
    copy.take(room_event(room.live(1)))
    assert copy.history() == room.history(ME)


def test_events_that_are_missing_without_a_word_are_an_error() -> None:
    room = a_room("one", "two")
    copy = RoomCopy("lobby", ME, since=0)
    with pytest.raises(ValueError, match="event 2 came after 0"):
        copy.take(room_event(room.live(2)))


def test_of_another_room_nothing_is_taken() -> None:
    copy = RoomCopy("garden", ME, since=0)
    copy.take(room_event(a_room("one").live(1)))
    assert copy.position == 0


def test_while_edits_are_replayed_the_text_is_the_last_one() -> None:
    room = a_room("one")
    for text in ("two", "three"):
        change(room, "edited", BOB, 1, text)
    copy = RoomCopy("lobby", ME, since=0)
    for seq in (1, 2, 3):
        copy.take(room_event(room.row(seq)))
        assert copy.history()[0]["text"] == "three"
    assert copy.history() == room.history(ME)


def test_what_a_page_told_is_not_taken_back_by_an_older_event() -> None:
    room = a_room("one")
    change(room, "edited", BOB, 1, "won")
    copy = RoomCopy("lobby", ME, since=0)
    copy.take_page(room.history(ME))
    copy.take(room_event(room.live(1)))
    assert copy.history() == room.history(ME)


def gapped() -> tuple[Room, RoomCopy]:
    """A copy that has not heard of a reaction to message 1."""
    room = a_room("one", "two")
    copy = heard(room)
    change(room, "reacted", BOB, 1, "🎉")
    copy.take(GapEvent("lobby", 3, 3, 0))
    return room, copy


def compact(room: Room, since: int, limit: int = PAGE) -> CompactPage:
    return CompactPage(since, *room.compact(since, limit, ME))


def test_a_change_that_comes_while_the_copy_is_completed_counts_with_what_was_missing() -> None:
    room, copy = gapped()
    answer = compact(room, 2)
    change(room, "reacted", ANN, 1, "👍")
    copy.take(room_event(room.live(4)))
    copy.take_compact(answer)
    assert copy.missing is None
    assert copy.history() == room.history(ME)


def test_an_old_page_takes_nothing_back_while_the_copy_is_completed() -> None:
    room = a_room("one", "two")
    copy, old = heard(room), room.history(ME)
    for seq in (1, 2):
        change(room, "reacted", BOB, seq, "🎉")
    copy.take(GapEvent("lobby", 3, 4, 0))
    copy.take_compact(compact(room, 2, limit=1))
    copy.take_page(old)
    assert copy.missing == Missing(3, 4)
    copy.take_compact(compact(room, 3))
    assert copy.history() == room.history(ME)


def test_an_answer_from_before_another_gap_completes_nothing() -> None:
    room, copy = gapped()
    answer = compact(room, 2)
    change(room, "reacted", BOB, 2, "🎉")
    copy.take(GapEvent("lobby", 4, 4, 0))
    copy.take_compact(answer)
    assert copy.missing == Missing(3, 4)
    copy.take_compact(compact(room, 3))
    assert copy.missing is None
    assert copy.history() == room.history(ME)


def test_what_is_kept_is_bounded_and_what_that_costs_is_asked_for_again() -> None:
    room, copy = gapped()
    change(room, "reacted", BOB, 2, "🎉")
    copy.take(GapEvent("lobby", 4, 4, 0))
    copy.take_compact(compact(room, 2, limit=1))
    assert copy.missing == Missing(3, 4)
    last = compact(room, 3)
    for number in range(10_001):
        kind = "unreacted" if number % 2 else "reacted"
        copy.take(room_event(room.live(room.write(kind, ANN, {"target": 1, "emoji": "👍"}))))
    assert copy.missing == Missing(2, 4)
    copy.take_compact(last)
    assert copy.missing == Missing(2, 4)
