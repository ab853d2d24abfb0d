"""One WebSocket connection: a nursery with a reader and a writer, from the welcome to the last word."""

from __future__ import annotations

import logging
import socket

import trio

from trichat.chat.dispatch import dispatch
from trichat.chat.hub import Hub
from trichat.chat.identity import welcome
from trichat.chat.session import Session
from trichat.core.closing import (
    GONE,
    INTERNAL_ERROR,
    LOGGED_OUT,
    NO_PONG,
    NORMAL,
    NOT_IDENTIFIED,
    PROTOCOL_ERROR,
    CloseReason,
    Reconnect,
)
from trichat.core.codec import Frame, close_frame, control_frame, encode_reply
from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.core.rate import TokenBucket
from trichat.core.replies import Goodbye
from trichat.edge.farewell import close_in_order
from trichat.edge.frames import Binary, Closing, FrameReader, Incoming, Ping, Pong, Violation
from trichat.edge.outbox import Outbox

log = logging.getLogger("trichat.connection")

#: Bytes read from a socket at once.
_READ_BYTES = 16_384
_PING = control_frame(0x9)


class Connection:
    """One client's socket and session.

    The reader decodes what comes and gives it to the session; the writer drains the outbox. Whoever ends the
    connection (the client, the session, the keeper, a draining node) names a CloseReason; the first counts.
    """

    __slots__ = (
        "_address", "_ahead", "_clean", "_control", "_frames", "_hub", "_limits", "_pinged_at", "_scope", "_socket",
        "_stream", "cut_off", "heard_at", "opened_at", "outbox", "reason", "resume_after_ms", "session",
    )  # fmt: skip

    def __init__(
        self, hub: Hub, stream: trio.abc.Stream, sock: socket.socket | None, address: str, ahead: bytes = b""
    ) -> None:
        """`ahead` is what came through the stream behind the request's head."""
        self._hub = hub
        self._limits: Limits = hub.limits
        self._stream = stream
        self._socket = sock
        self._address = address
        self._ahead = ahead
        self._frames = FrameReader(hub.limits)
        self._control: TokenBucket | None = None
        self._scope: trio.CancelScope | None = None
        self._clean = False  # the client said goodbye itself
        self._pinged_at: float | None = None
        self.outbox = Outbox(stream, sock, hub.limits)
        self.session: Session | None = None
        self.cut_off = False  # did not take the last words in time: reset it
        self.reason: CloseReason | None = None
        self.resume_after_ms: int | None = None
        self.opened_at = self.heard_at = trio.current_time()

    async def run(self) -> CloseReason:
        """Serve the client until one side ends the connection; the stream is left to the caller to close.

        Returns why it ended. A bug in anything that serves this client ends this connection alone (1011).
        """
        try:
            await self._serve()
        except Exception:
            log.exception("a bug ended a connection", extra={"session": self.session and self.session.id})
            self.reason = INTERNAL_ERROR
        except BaseExceptionGroup as group:
            # what the nursery's tasks raised; a cancellation among it goes on
            cancelled, bugs = group.split(trio.Cancelled)
            if bugs is not None:
                log.exception("a bug ended a connection", exc_info=bugs)
                self.reason = INTERNAL_ERROR
            if cancelled is not None:
                raise cancelled from None
        reason = self.reason or GONE
        await self._say_farewell(reason)
        return reason

    def end(self, reason: CloseReason, resume_after_ms: int | None = None) -> None:
        """End the connection; the first reason counts. Never waits."""
        if self.reason is None:
            self.reason = reason
            self.resume_after_ms = resume_after_ms
        if self._scope is not None:
            self.outbox.stop_writing()
            self._scope.cancel(reason=self.reason.text)

    def keep(self, now: float) -> None:
        """Called now and then: ping who is silent, end who does not answer or has not identified in time."""
        limits = self._limits
        # a client that takes what waited for it lives, though its pong may be behind much of that
        self.heard_at = max(self.heard_at, self.outbox.taken_at)
        silent_s = now - self.heard_at
        if self._pinged_at is not None and self._pinged_at > self.heard_at:
            if now - self._pinged_at > limits.pong_s:
                self.end(NO_PONG)
        elif silent_s > limits.ping_s:
            self._pinged_at = now
            self.outbox.post(_PING)
        session = self.session
        # who waits for an answer is not late: many passwords may have to be looked at before this one
        unknown = session is not None and session.user_id is None and not session.waits
        if unknown and now - self.opened_at > limits.identify_s:
            self.end(NOT_IDENTIFIED)

    def note_end(self) -> None:
        """It is over: counted, and said in the log, unless it never began."""
        reason, session = self.reason or GONE, self.session
        if session is None:
            return
        self._hub.figures.closed(reason)
        if log.isEnabledFor(logging.DEBUG):
            said = {
                "code": reason.code,
                "reason": reason.text,
                "session": session.id,
                "user_id": session.user_id,
                "seconds": round(trio.current_time() - self.opened_at, 3),
                "unacked": session.unacked,
                "unsent_bytes": self.outbox.queued,
                "cut_off": self.cut_off,
            }
            log.debug("connection ended", extra=said)

    async def _serve(self) -> None:
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            session = Session(
                self._hub, self.outbox, dispatch, start=nursery.start_soon, on_end=self.end, address=self._address
            )
            self.session = session
            self._hub.sessions[session] = None
            self._hub.figures.connections += 1
            try:
                welcome(session)
                nursery.start_soon(self.outbox.run_writer)
                await self._read(session)
            finally:
                # in one step with the end of reading: no event comes to a session that is gone
                session.gone(clean=self._clean)
                del self._hub.sessions[session]
                self.outbox.stop_writing()
            nursery.cancel_scope.cancel(reason="the client has ended the connection")

    async def _read(self, session: Session) -> None:
        while self.reason is None:
            data = await self._receive()
            if not data:
                return self._ended(GONE)
            self.heard_at = trio.current_time()
            for incoming in self._frames.feed(data):
                if type(incoming) is bytes:
                    session.take(incoming)
                else:
                    self._take_other(session, incoming)
            if self._clean:
                # what it said before its close frame still counts
                with trio.move_on_after(self._limits.commit_s):
                    await session.settled()
            # back-pressure: who does not read, or asks for more than can be done, is not read from
            if session.congested:
                await session.relieved()
            if self.outbox.queued > self._limits.outbox_refill_bytes:
                await self.outbox.refilled()
        return None

    def _take_other(self, session: Session, incoming: Incoming) -> None:
        match incoming:
            case Ping(payload=payload):
                if self._within_control_rate():
                    self.outbox.post_asked(control_frame(0xA, payload))
            case Pong():
                self._within_control_rate()
            case Binary():
                session.bad_frame(Refusal("bad_frame", "binary frames mean nothing here; send text frames of JSON"))
            case Closing():
                self._clean = True
                self._ended(NORMAL)
            case Violation(reason=reason, why=why):
                log.debug("protocol violation: %s", why)
                self._ended(reason)

    def _ended(self, reason: CloseReason) -> None:
        if self.reason is None:
            self.reason = reason

    def _within_control_rate(self) -> bool:
        limit, now = self._limits.control_frames, trio.current_time()
        if self._control is None:
            self._control = TokenBucket(limit, limit, now)
        if self._control.take(now):
            self._ended(PROTOCOL_ERROR)
            return False
        return True

    async def _receive(self) -> bytes:
        """The next bytes; empty when the client is gone."""
        if self._socket is None:
            if self._ahead:
                ahead, self._ahead = self._ahead, b""
                return ahead
            try:
                return bytes(await self._stream.receive_some())
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return b""
        while True:
            # waiting first: after a segment there is seldom another one at once, and this is the checkpoint
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                return b""

    async def _say_farewell(self, reason: CloseReason) -> None:
        """`goodbye` and the close frame, as far as the client takes them in `farewell_s`; then it is cut off."""
        if reason is GONE:
            return
        # no shield: who ends us all has waited as long as they would, and the connection is dropped anyhow
        with trio.move_on_after(self._limits.farewell_s) as clock:
            try:
                if reason.reconnect is Reconnect.NOW or reason is LOGGED_OUT:
                    # not the client's fault: replies that wait are still sent, in the first half of the time
                    with trio.move_on_after(self._limits.farewell_s / 2):
                        await self.outbox.drained()
                self.outbox.begin_farewell(self._last_words(reason))
                await self.outbox.drained()
                if reason is not NORMAL:
                    await close_in_order(self._stream)
            except trio.BrokenResourceError:
                self.cut_off = True  # gone, or did not take in time what a stream was writing: the kernel may let go
        self.cut_off = self.cut_off or clock.cancelled_caught

    def _last_words(self, reason: CloseReason) -> Frame:
        if reason is NORMAL:
            return close_frame(reason.code, "")
        goodbye = Goodbye(code=reason.code, reason=reason.text)
        if self.resume_after_ms is not None:
            goodbye = Goodbye(code=reason.code, reason=reason.text, resume_after_ms=self.resume_after_ms)
        return Frame(encode_reply(goodbye) + close_frame(reason.code, reason.text))
