"""Requests for events that wait until there is one: the long poll."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Final

import trio

from trichat.chat.figures import Figures
from trichat.chat.room import Room
from trichat.core.closing import CloseReason
from trichat.core.codec import Frame
from trichat.core.commands import Events
from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.core.names import RoomName, UserId
from trichat.web.api.call import Answer, Call

#: Seconds between two looks at what nobody tells of: that the node stops, that the room was deleted. And the rest after
#: an event that the person may not see, so that a busy room does not make them ask all the time.
_LOOK_S: Final = 1.0


class LongPolls:
    """How many wait on this node."""

    def __init__(self, limits: Limits, figures: Figures) -> None:
        self._limits = limits
        self._figures = figures
        self._waiting: Counter[UserId] = Counter()

    @contextmanager
    def one_more(self, user_id: UserId) -> Generator[None]:
        """This person waits, inside. Raises Refusal when too many do."""
        limits = self._limits
        if self._waiting[user_id] >= limits.long_polls_per_person:
            said = f"you wait for events {limits.long_polls_per_person} times already; end one of them"
            raise Refusal("limit_reached", said, field="wait_s", retry_after_ms=1_000)
        if self._figures.long_polls >= limits.long_polls:
            raise Refusal(
                "unavailable", "too many wait for events here; ask without wait_s", field="wait_s", retry_after_ms=5_000
            )
        self._waiting[user_id] += 1
        self._figures.long_polls += 1
        try:
            yield
        finally:
            self._figures.long_polls -= 1
            self._waiting[user_id] -= 1
            if not self._waiting[user_id]:
                del self._waiting[user_id]


def read_wait_s(fields: dict[str, object], limits: Limits) -> int:
    """Take `wait_s` out of what was asked for. Raises Refusal."""
    wait_s = fields.pop("wait_s", 0)
    assert isinstance(wait_s, int)
    if wait_s > limits.long_poll_s:
        raise Refusal("bad_field", f"wait_s is at most {limits.long_poll_s}", field="wait_s")
    return wait_s


async def events_when_there_are_some(
    call: Call, polls: LongPolls, fields: Mapping[str, object], wait_s: float
) -> Answer:
    """A page of events; where it is empty, the one that is there after at most `wait_s`. Raises Refusal.

    Whether they may read is looked at anew for each page, so that nothing is told to who was removed meanwhile.
    """
    deadline = trio.current_time() + wait_s
    page = await call.ask(Events, fields)
    if not wait_s or _says_something(page, fields):
        return page
    assert call.session.user_id is not None
    with polls.one_more(call.session.user_id):
        for looks in count():
            room = (await call.hub.open_rooms([_name(page)], create=False)).get(_name(page))
            heard = 0 if room is None else room.head  # what comes after this makes us ask again
            page = await call.ask(Events, fields)
            late = _is_over(call) or call.session.ended is not None or trio.current_time() >= deadline
            if late or _says_something(page, fields) or room is None:
                return page
            if looks:  # there was something, which they may not see
                await trio.sleep_until(min(deadline, trio.current_time() + _LOOK_S))
            await _moved(call, room, heard, deadline)
    raise AssertionError("it waits until it returns")


def _name(page: Answer) -> RoomName:
    return RoomName(page.text("room"))


def _is_over(call: Call) -> bool:
    return call.hurried or call.hub.draining


def _says_something(page: Answer, fields: Mapping[str, object]) -> bool:
    moved = bool(fields.get("compact")) and page.number("to") > int(str(fields["since"]))
    return moved or page.holds("events") or page.says("more")


async def _moved(call: Call, room: Room, heard: int, deadline: float) -> None:
    """Wait until the room has more than `heard`, or anything else makes it worth to look."""
    waiter = _Waiter(call.session.user_id)
    call.wake = waiter.woken.set
    try:
        while room.head <= heard and trio.current_time() < deadline and not waiter.woken.is_set():
            if room.ended or _is_over(call):
                return
            room.idle_since = trio.current_time()  # not forgotten while somebody waits
            room.attach(waiter, room.delivered)
            with trio.move_on_at(min(deadline, trio.current_time() + _LOOK_S)):
                await waiter.woken.wait()
    finally:
        room.detach(waiter)
        call.wake = lambda: None


class _Waiter:
    """A listener (see room.Listener) that only wants to know that something is said, not what."""

    def __init__(self, user_id: UserId | None) -> None:
        self.user_id = user_id
        self.woken = trio.Event()

    @property
    def outbox(self) -> _Waiter:
        return self

    @property
    def sink(self) -> _Waiter:
        return self

    def send(self, frame: Frame, /) -> int:
        self.woken.set()
        return len(frame)

    def post_rest(self, frame: Frame, taken: int) -> bool:
        return True

    def post_ephemeral(self, frame: Frame) -> None:
        pass

    def close(self, reason: CloseReason) -> None:
        self.woken.set()

    def pull(self, room: Room, position: int) -> None:
        self.woken.set()

    def as_of(self, room: Room) -> int:
        return 0

    def removed(self, room: Room) -> None:
        self.woken.set()
