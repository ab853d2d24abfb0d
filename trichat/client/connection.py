"""One WebSocket connection: whole frames out in order, frames in one by one, and a reason when it ends."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from trichat.client.backoff import Ending
from trichat.client.options import ClientOptions
from trichat.client.wire import Wire
from trichat.core.closing import GONE, reconnect_of

Frame = Mapping[str, Any]

log = logging.getLogger("trichat.client")


class Connection:
    """`post` never waits; `run_writer` sends, and `read` receives until the end. Nothing here outlives the socket.

    The read stops when the application has no room, so that TCP tells the server; silence is counted only while
    we read. A read that waits long is not a connection that is dead.
    """

    def __init__(self, websocket: WebSocketConnection, wire: Wire, options: ClientOptions) -> None:
        self._websocket = websocket
        self._wire = wire
        self._options = options
        self._outgoing: deque[str] = deque()
        self._posted = trio.Event()
        self._reading = trio.CancelScope()
        self._reads_since = trio.current_time()  # when the application last had room again
        self._stalled = False  # the application has no room
        self._last_words_at = trio.current_time()  # of a frame that is no pong
        self._sending = False
        self._dropped: str | None = None
        self._goodbye: Frame | None = None

    def post(self, text: str) -> None:
        """Send a frame after those posted before. After the server's `goodbye` it is kept back: nobody would answer."""
        self._outgoing.append(text)
        self._posted.set()

    def drop(self, reason: str) -> None:
        """End the connection, as lost for this reason."""
        self._dropped = reason
        self._reading.cancel(reason=reason)

    def ending(self) -> Ending:
        """Why the connection is over: the server's goodbye, its close code, or our own reason."""
        closed = self._websocket.closed
        code = GONE.code if closed is None or self._dropped else int(closed.code)
        reason = self._dropped or (closed.reason if closed is not None else None) or GONE.text
        resume_after_ms = 0
        if self._goodbye is not None and isinstance(self._goodbye.get("code"), int):
            code, reason = self._goodbye["code"], str(self._goodbye.get("reason", ""))
            resume_after_ms = self._goodbye.get("resume_after_ms") or 0
        return Ending(code, reason, reconnect_of(code), resume_after_ms / 1000)

    async def read(self, take: Callable[[Frame], None], wait_for_room: Callable[[], Awaitable[None]]) -> None:
        """Give each frame to `take`, until the connection is closed or dropped."""
        with self._reading:
            while True:
                await self._wait(wait_for_room)
                try:
                    message = await self._websocket.get_message()
                except ConnectionClosed:
                    return
                self._take(message, take)

    async def run_writer(self) -> None:
        """Send what is posted, each frame whole; ends with the connection."""
        while self._goodbye is None:
            if not self._outgoing:
                self._posted = trio.Event()
                await self._posted.wait()
                continue
            self._sending = True
            try:
                await self._websocket.send_message(self._outgoing.popleft())
            except ConnectionClosed:
                return
            self._sending = False  # stays true when cancelled: a part of the frame may be out

    async def run_keep_alive(self, oldest_posted: Callable[[], float | None]) -> None:
        """Drop the connection when nothing is heard, though we asked, or when a command gets no reply."""
        while True:
            await trio.sleep(max(0.1, self._options.ping_s - self._silence()))
            if self._silence() >= self._options.ping_s and not await self._is_there():
                return self.drop("no answer to a ping")
            if self._overdue(oldest_posted()):
                return self.drop("no reply to a command")

    async def farewell(self) -> None:
        """Close in order, if there is time and no half a frame is out."""
        if not self._sending and self._dropped is None:
            with trio.move_on_after(self._options.farewell_s, shield=True):
                await self._websocket.aclose()
        await trio.aclose_forcefully(self._wire)

    async def _wait(self, wait_for_room: Callable[[], Awaitable[None]]) -> None:
        began = trio.current_time()
        self._stalled = True
        await wait_for_room()
        self._stalled = False
        if trio.current_time() > began:
            self._reads_since = trio.current_time()

    def _take(self, message: str | bytes, take: Callable[[Frame], None]) -> None:
        try:
            frame = msgspec.json.decode(message)
        except msgspec.DecodeError:
            frame = None
        if not isinstance(frame, dict):
            log.warning("the server sent what is no JSON object; ignored")
            return
        if frame.get("type") != "pong":
            self._last_words_at = trio.current_time()
        if frame.get("type") == "goodbye":
            self._goodbye = frame
            self._posted.set()  # the writer ends
            self._reading.deadline = trio.current_time() + self._options.goodbye_s
        take(frame)

    def _silence(self) -> float:
        """Seconds in which nothing was heard though we listened."""
        if self._stalled:
            return 0.0
        return trio.current_time() - max(self._wire.heard_at, self._reads_since)

    async def _is_there(self) -> bool:
        receives = self._wire.receives
        self.post('{"type":"ping"}')
        while self._silence() < self._options.ping_s + self._options.pong_s:
            await trio.sleep(min(1.0, self._options.pong_s / 10))
            if self._wire.receives > receives or self._stalled:
                return True
        return False

    def _overdue(self, posted_at: float | None) -> bool:
        if posted_at is None or self._stalled:
            return False
        since = max(posted_at, self._last_words_at, self._reads_since)
        return trio.current_time() - since > self._options.reply_s
