"""A copy made of events is what the server has, whatever was said, missed, paged, and in which order it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.chat.conversation_model import Room
from tests.properties import steady
from trichat.client import GapEvent, LogReset, Missing, RoomCopy
from trichat.client.events import room_event
from trichat.client.replies import CompactPage
from trichat.core.events import Person
from trichat.core.names import UserId

ANN, BOB = (Person(name, UserId(f"u_{name}")) for name in ("ann", "bob"))
ME = ANN.user_id
EMOJIS = ["👍", "🎉", ":ok:"]
REPLAY, PAGE = 6, 3  # events that come again at most, messages of a page


class Copying(RuleBasedStateMachine):
    """A room, and a client with a copy: what is on its way to it is taken when it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room()
        self.here = True
        self.coming: list[Any] = []  # of the room's log, in order
        self.answers: list[Callable[[], None]] = []  # to what was asked for, in any order
        self.asked = False  # for compacted events, whose answer has not been taken

    @initialize(said=st.integers(0, 3))
    def begin(self, said: int) -> None:
        for _ in range(said):
            self.room.write("message", BOB, {"text": "earlier"})
        self.copy = RoomCopy("lobby", ME, since=self.room.head)

    # what is done in the room

    @rule(by=st.sampled_from([ANN, BOB]), thread=st.booleans(), reply_to=st.booleans(), data=st.data())
    def say(self, by: Person, thread: bool, reply_to: bool, data: st.DataObject) -> None:
        body: dict[str, Any] = {"text": f"text {self.room.head}"}
        alive = [seq for seq in self.room.messages() if not self.room.is_deleted(seq)]
        if reply_to and alive:
            body["reply_to"] = data.draw(st.sampled_from(alive))
        if thread and alive:
            body["thread"] = data.draw(st.sampled_from(alive))
        if by is BOB:
            body["mentions"] = [{"user": "ann", "user_id": ME}]
        self._write("message", by, body)

    @precondition(lambda self: self.room.head)
    @rule(
        by=st.sampled_from([ANN, BOB]),
        kind=st.sampled_from(["edited", "edited", "deleted", "reacted", "reacted", "unreacted", "pinned", "unpinned"]),
        data=st.data(),
    )
    def change(self, by: Person, kind: str, data: st.DataObject) -> None:
        said = [event.seq for event in self.room.log if event.kind == "message"]
        alive = [seq for seq in said if not self.room.is_deleted(seq)]
        if not alive:
            return
        seq = data.draw(st.sampled_from(alive))
        detail = data.draw(st.sampled_from(EMOJIS)) if kind in ("reacted", "unreacted") else f"edit {self.room.head}"
        body = self.room.changes(kind, by, seq, detail)
        if body is not None:
            self._write(kind, by, body)

    @rule()
    def come_in(self) -> None:
        self._write("member", BOB, {"user": "bob", "user_id": BOB.user_id, "change": "joined"})

    def _write(self, kind: str, by: Person, body: dict[str, Any]) -> None:
        seq = self.room.write(kind, by, body, ts=f"at {self.room.head + 1}")
        if self.here:
            self.coming.append(room_event(self.room.live(seq)))

    # how the client hears of it

    @precondition(lambda self: self.coming)
    @rule(count=st.integers(1, 5))
    def hear(self, count: int) -> None:
        for _ in self.coming[:count]:
            self.copy.take(self.coming.pop(0))

    @precondition(lambda self: self.here)
    @rule()
    def lose_the_connection(self) -> None:
        self.here, self.coming = False, []

    @precondition(lambda self: not self.here)
    @rule()
    def resume(self) -> None:
        self.here = True
        first, last = self.copy.position + 1, self.room.head - REPLAY
        if last >= first:
            self.coming.append(GapEvent("lobby", first, last, 0))
            first = last + 1
        self.coming += [room_event(self.room.row(seq)) for seq in range(first, self.room.head + 1)]

    @precondition(lambda self: self.here)
    @rule(data=st.data())
    def ask_for_what_was_before(self, data: st.DataObject) -> None:
        """A page of the room or of a thread, that joins on to what the copy has."""
        thread = data.draw(st.sampled_from([None, *self.room.messages()]))
        known = self.copy.history(thread)
        before = min([known[0]["seq"]] if known else [self.copy.position + 1])
        page = [self.room.present(seq, ME) for seq in self.room.messages(thread) if seq < before][-PAGE:]
        self.answers.append(lambda: self.copy.take_page(page))

    @precondition(lambda self: self.copy.missing and not self.asked)
    @rule()
    def ask_for_what_is_missing(self) -> None:
        assert self.copy.missing is not None
        since = self.copy.missing.since
        page = CompactPage(since, *self.room.compact(since, PAGE, ME))
        self.asked = True

        def take() -> None:
            self.asked = False
            self.copy.take_compact(page)

        self.answers.append(take)

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def take_an_answer(self, data: st.DataObject) -> None:
        self.answers.pop(data.draw(st.integers(0, len(self.answers) - 1)))()

    def teardown(self) -> None:
        if not hasattr(self, "copy"):
            return
        if not self.here:
            self.resume()
        for answer in self.answers:
            answer()
        while self.coming:
            self.copy.take(self.coming.pop(0))
        while self.copy.missing is not None:
            since = self.copy.missing.since
            self.copy.take_compact(CompactPage(since, *self.room.compact(since, PAGE, ME)))
        for thread in (None, *self.room.messages()):
            assert all_at_its_end(self.copy.history(thread), self.room.history(ME, thread))


def all_at_its_end(part: list[dict[str, Any]], whole: list[dict[str, Any]]) -> bool:
    """`part` is how `whole` ends, from some place on."""
    assert part == whole[len(whole) - len(part) :]
    return True


def test_whatever_is_said_and_missed_the_copy_is_what_the_server_has() -> None:
    run_state_machine_as_test(Copying, settings=settings(steady, max_examples=600, stateful_step_count=40))


# the same in words


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
