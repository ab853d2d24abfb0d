"""Commands that wait for their replies, across connections: numbered, posted in order, posted again after a loss."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import trio

from trichat.client.errors import ConnectionLost
from trichat.client.window import Window

Frame = Mapping[str, Any]
Post = Callable[[str], None]

MIN_PAUSE_S: Final = 0.05  # after `rate_limited`, also when the server names no time


class Pending:
    """One command and, when `done`, its reply."""

    __slots__ = ("_outcome", "abandoned", "done", "fields", "internal", "key", "posted_at", "repeatable", "text")

    def __init__(self, key: int, fields: Frame, *, repeatable: bool, internal: bool) -> None:
        self.key = key
        self.fields = fields
        self.text = msgspec.json.encode({**fields, "id": key}).decode()
        self.repeatable = repeatable
        self.internal = internal  # the client's own: no call of the application waits for it
        self.posted_at: float | None = None  # None: not in flight
        self.abandoned = False  # nobody waits any more; kept, since a reply may still come
        self.done = trio.Event()
        self._outcome: Frame | Exception | None = None

    def settle(self, outcome: Frame | Exception) -> None:
        self._outcome = outcome
        self.done.set()

    async def wait(self) -> Frame:
        """The reply, `error` replies too. Raises what the request was failed with."""
        try:
            await self.done.wait()
        finally:
            self.abandoned = True
        if isinstance(self._outcome, Exception):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome


class Requests:
    """The pending commands of one client.

    While a connection is attached they are posted as the window allows. After `detach` they wait for the
    next `attach`, which posts all again in their first order; those that cannot be repeated fail.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._keys = itertools.count(1)
        self._pending: dict[int, Pending] = {}  # in flight or waiting, in the order of `add`
        self._waiting: deque[Pending] = deque()  # not posted yet
        self._post: Post | None = None
        self._ending: Exception | None = None
        self._paused = trio.Event()

    def add(self, fields: Frame, *, repeatable: bool, internal: bool = False) -> Pending:
        """Post a command as soon as may be. Raises the ending if the client has ended."""
        pending = self._new(fields, repeatable=repeatable, internal=internal)
        self._waiting.append(pending)
        self._pump()
        return pending

    def post_now(self, post: Post, fields: Frame) -> Pending:
        """Post a command of the connection's own (identify, resume), before others and outside of the window."""
        pending = self._new(fields, repeatable=False, internal=True)
        pending.posted_at = trio.current_time()
        self._window.posted()
        post(pending.text)
        return pending

    def answer(self, frame: Frame) -> Pending | None:
        """A reply came: settle and return the command it answers, None when that is unknown."""
        key = frame.get("id")
        pending = self._pending.pop(key, None) if isinstance(key, int) else None
        if pending is None:
            return None
        if pending.posted_at is not None:
            self._count(frame)
        pending.settle(frame)
        self._pump()
        return pending

    def attach(self, post: Post) -> None:
        """A connection is ready for commands."""
        self._post = post
        self._pump()

    def hold(self) -> None:
        """The connection takes no more commands: what is not posted yet waits for the next."""
        self._post = None

    def detach(self) -> None:
        """The connection is gone."""
        self._post = None
        self._window.forget()
        lost = ConnectionLost("the connection was lost before the reply; the command may have taken effect")
        for pending in list(self._pending.values()):
            if pending.abandoned or (pending.posted_at is not None and not pending.repeatable):
                del self._pending[pending.key]
                pending.settle(lost)
            pending.posted_at = None
        self._waiting = deque(self._pending.values())

    def fail_calls(self, error: Exception) -> None:
        """The application's calls get `error`; replies that come later are ignored."""
        for pending in self._pending.values():
            if not pending.internal:
                pending.abandoned = True
                pending.settle(error)

    def end(self, ending: Exception) -> None:
        """Nothing will be answered any more, nor accepted."""
        self._ending = ending
        for pending in self._pending.values():
            pending.settle(ending)
        self._pending.clear()
        self._waiting.clear()

    def oldest_posted(self) -> float | None:
        """When the longest waiting command in flight was posted."""
        times = (pending.posted_at for pending in self._pending.values() if not pending.abandoned)
        return min((time for time in times if time is not None), default=None)

    async def run_pacer(self) -> None:
        """Goes on posting when a pause that the server asked for is over, on an earlier connection too."""
        while True:
            self._paused = trio.Event()
            await trio.sleep_until(self._window.paused_until)
            self._pump()
            await self._paused.wait()

    def _new(self, fields: Frame, *, repeatable: bool, internal: bool) -> Pending:
        if self._ending is not None:
            raise self._ending
        pending = Pending(next(self._keys), fields, repeatable=repeatable, internal=internal)
        self._pending[pending.key] = pending
        return pending

    def _count(self, frame: Frame) -> None:
        if frame.get("type") == "error" and frame.get("code") == "rate_limited":
            self._window.rate_limited(trio.current_time() + max(MIN_PAUSE_S, retry_after_s(frame)))
            self._paused.set()
        else:
            self._window.answered()

    def _pump(self) -> None:
        if self._post is None:
            return
        now = trio.current_time()
        while self._waiting and self._window.is_open(now):
            pending = self._waiting.popleft()
            if pending.abandoned:
                self._pending.pop(pending.key, None)
                continue
            pending.posted_at = now
            self._window.posted()
            self._post(pending.text)


def retry_after_s(frame: Frame) -> float:
    """What an error says of when to try again, in seconds; 0 when it does not."""
    wait = frame.get("retry_after_ms")
    return wait / 1000 if isinstance(wait, (int, float)) and wait > 0 else 0.0
