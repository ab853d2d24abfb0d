"""A copy made of events is what the server has, whatever was said, missed, paged, and in which order it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.chat.conversation_model import Room
from tests.properties import steady
from trichat.client import GapEvent, RoomCopy
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
