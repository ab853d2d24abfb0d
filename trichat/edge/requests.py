"""What is asked for by HTTP at a door: each request checked here first, then answered by the application."""

from __future__ import annotations

import re
from typing import Final

import trio

from trichat.chat.hub import Hub
from trichat.core.limits import Limits
from trichat.edge.answers import failure_response
from trichat.edge.callers import Call
from trichat.edge.exchange import ASGIApp, Request, answer_by
from trichat.edge.head import Head, HeadRefused, body_length
from trichat.edge.line import Line

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class _NotTaken(Exception):
    """The client is gone, or did not take its answer in time."""


class Requests:
    """Answers requests one at a time on each connection; what a client sends behind one waits in the kernel."""

    def __init__(self, hub: Hub, app: ASGIApp) -> None:
        self._hub = hub
        self._limits: Limits = hub.limits
        self._app = app
        self._idle: set[trio.CancelScope] = set()  # of connections that wait for their next request
        self._taking: set[trio.CancelScope] = set()  # of clients that take their answer
        self._under_way: set[trio.Event] = set()  # of requests: `Request.hurry`
        self._answered = trio.Event()
        self._draining = False

    async def next_begins(self, line: Line) -> bool:
        """Whether the client of a kept connection asks for something else, within `idle_s`."""
        if self._draining:
            return False
        begins = False
        with trio.move_on_after(self._limits.idle_s) as idle:
            self._idle.add(idle)
            try:
                begins = await line.begins()
            finally:
                self._idle.discard(idle)
        return begins

    async def answer(self, head: Head, line: Line, call: Call, asked: int) -> bool:
        """Answer the `asked`th request of a connection. Raises HeadRefused.

        Whether another one may follow; if not, the client has had its time to take the answer.
        """
        body = await self._body(head, line)
        if body is None:
            return False
        hurry = trio.Event()
        request = Request(
            head=head,
            body=body,
            id=self._id(head, call),
            address=call.address,
            tls=call.tls,
            last=lambda: head.is_last or asked >= self._limits.requests or self._hub.draining,
            hurry=hurry,
        )
        self._under_way.add(hurry)
        try:
            last = await self._answer(request, line)
        except _NotTaken:
            line.reset()
            return False
        finally:
            self._under_way.remove(hurry)
            if not self._under_way:
                self._answered.set()
        if last:
            await line.finish(self._limits.farewell_s)
        return not last

    async def drain(self) -> None:
        """Close what is idle, and wait until what is under way is answered."""
        self._draining = True
        for idle in self._idle:
            idle.cancel(reason="draining")
        for hurry in self._under_way:
            hurry.set()
        for taking in self._taking:
            taking.deadline = min(taking.deadline, trio.current_time() + self._limits.farewell_s)
        while self._under_way:
            self._answered = trio.Event()
            await self._answered.wait()

    async def _answer(self, request: Request, line: Line) -> bool:
        """Whether the answer was the last one. Raises _NotTaken."""
        answer = await answer_by(self._app, request, line, self._limits)
        raw = failure_response(request.id) if answer is None else answer.raw
        await self._hand_over(raw, line)
        return answer is None or answer.last

    async def _hand_over(self, raw: bytes, line: Line) -> None:
        """Send an answer; a node that stops waits no longer than it does for a goodbye. Raises _NotTaken."""
        within_s = self._limits.farewell_s if self._draining else self._limits.answer_s
        taken = False
        with trio.move_on_after(within_s) as taking:
            self._taking.add(taking)
            try:
                taken = await line.send(raw, within_s)
            finally:
                self._taking.discard(taking)
        if not taken:
            raise _NotTaken

    async def _body(self, head: Head, line: Line) -> bytes | None:
        """The body that follows `head`; None when it does not come, or not in time. Raises HeadRefused."""
        length = body_length(head, self._limits.body_bytes)
        if not length:
            return b""
        with trio.move_on_after(self._limits.body_s):
            if "100-continue" in head.headers.get("expect", "").lower():
                await line.send(_CONTINUE, self._limits.body_s)
            return await line.body(length)
        raise HeadRefused(408, f"a body takes at most {self._limits.body_s:g} s")

    def _id(self, head: Head, call: Call) -> str:
        """What a trusted proxy calls the request, or a name of our own."""
        given = head.headers.get("x-request-id", "") if call.by_proxy else ""
        return given if _REQUEST_ID.fullmatch(given) else self._hub.chance.label(16)
