"""The conversation on one connection: the welcome, who we are, the rooms resumed, then everything else."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import trio

from trichat.client.connection import Connection
from trichat.client.errors import ClientError, OutOfOrder, Refused
from trichat.client.events import (
    EPHEMERAL,
    Connected,
    Expiring,
    StatusChanged,
    Warned,
    ephemeral,
    room_event,
)
from trichat.client.replies import EventsPage
from trichat.client.requests import retry_after_s
from trichat.client.state import ClientState, may_retry, refused

Frame = Mapping[str, Any]

log = logging.getLogger("trichat.client")


class Session:
    """One connection and the client's state. `failure`, when set, ends the client and not just this connection."""

    def __init__(self, connection: Connection, state: ClientState, url: str) -> None:
        self._connection = connection
        self._state = state
        self._url = url
        self._welcomed = trio.Event()
        self._room_errors: dict[str, Frame] = {}  # of a `resume` that is not answered yet
        self.announced_at: float | None = None  # when Connected was said
        self.failure: ClientError | None = None

    async def run(self, ready: trio.Event) -> None:
        """Live until the connection ends. `ready` is set when the rooms are resumed and commands flow."""
        state, connection = self._state, self._connection
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connection.run_writer)
                nursery.start_soon(connection.run_keep_alive, state.requests.oldest_posted)
                nursery.start_soon(state.requests.run_pacer)
                nursery.start_soon(self._begin, ready)
                nursery.start_soon(self._fill_holes)
                await connection.read(self._take, state.inbox.wait_for_room)
                nursery.cancel_scope.cancel(reason="the connection ended")
        finally:
            state.connected = False
            state.requests.detach()
            state.rooms.disconnected()

    async def _begin(self, ready: trio.Event) -> None:
        with trio.move_on_after(self._state.options.connect_s) as limit:
            try:
                await self._welcomed.wait()
                # somebody waits for the first answer; a later connection may as well be tried again
                patience_s = math.inf if self._state.connections else self._state.options.connect_s
                await self._state.identity.establish(self._state.welcome, partial(self._ask, patience_s=patience_s))
                self._announce()
            except Refused as refusal:
                self._fail(refusal)
        if limit.cancelled_caught:
            self._connection.drop("the server does not welcome us")
        if self.announced_at is not None:
            await self._resume_rooms()
            self._state.connected = True
            self._state.requests.attach(self._connection.post)
            ready.set()

    def _announce(self) -> None:
        state = self._state
        state.connections += 1
        self.announced_at = trio.current_time()
        node = str(state.welcome.get("node", ""))
        state.inbox.put(Connected(self._url, node, state.identity.user, again=state.connections > 1))

    async def _ask(self, fields: Frame, patience_s: float = math.inf) -> Frame:
        """A command of this connection's beginning, repeated while its error is temporary.

        Raises Refused, also when the server wants us to wait longer than `patience_s`, as after many wrong passwords.
        """
        delays = self._state.patience()
        while True:
            reply = await self._state.requests.post_now(self._connection.post, fields).wait()
            if reply.get("type") != "error":
                return reply
            if not may_retry(reply, repeatable=True) or retry_after_s(reply) > patience_s:
                raise refused(reply)
            await trio.sleep(max(delays.next(), retry_after_s(reply)))

    async def _resume_rooms(self) -> None:
        """Every room is heard from its position again, from its new head, or is lost; returns when that is settled."""
        rooms = self._state.rooms
        delays = self._state.patience()
        wanted = rooms.resume_fields()
        while wanted:
            self._room_errors = {}
            try:
                await self._ask({"type": "resume", "rooms": wanted})
            except Refused as refusal:
                self._room_errors = {room: {**refusal.frame, "temporary": False} for room in wanted}
            again = [room for room, error in self._room_errors.items() if self._comes_again(room, error)]
            wanted = {room: fields for room, fields in rooms.resume_fields().items() if room in again}
            if wanted:
                waits = [retry_after_s(self._room_errors[room]) for room in wanted]
                await trio.sleep(max(delays.next(), *waits))

    def _comes_again(self, room: str, error: Frame) -> bool:
        """Whether the room is to be asked for again: later, or from the head of its new log."""
        if error.get("code") == "bad_position" and "head" in error and "epoch" in error:
            self._state.rooms.reset(room, error["epoch"], error["head"])
            return True
        if error.get("temporary"):
            return True
        self._state.rooms.lose(room, str(error.get("code")), str(error.get("message", "")))
        return False

    async def _fill_holes(self) -> None:
        try:
            await self._state.rooms.run_filler(self._read_page)
        except OutOfOrder as error:
            self._fail(error)

    async def _read_page(self, room: str, since: int) -> EventsPage:
        fields = {"type": "events", "room": room, "since": since, "limit": self._state.options.page}
        reply = await self._state.ask(fields, repeatable=True, internal=True)
        return EventsPage([room_event(event) for event in reply["events"]], reply["more"], reply.get("first"))

    def _fail(self, failure: ClientError) -> None:
        self.failure = failure
        self._connection.drop(str(failure))

    def _take(self, frame: Frame) -> None:
        if self.failure is not None:
            return
        try:
            self._dispatch(frame)
        except OutOfOrder as error:
            self._fail(error)
        except (KeyError, TypeError) as error:
            log.warning("a frame of type %r is not as it should be (%r); ignored", frame.get("type"), error)

    def _dispatch(self, frame: Frame) -> None:
        answered = self._state.requests.answer(frame) if "id" in frame else None
        match frame.get("type"):
            case "joined":
                self._state.rooms.joined(frame, None if answered is None else answered.fields.get("since"))
            case "left":
                self._left(frame["room"], asked=answered is not None)
            case "gap":
                self._state.rooms.gap(frame)
            case "goodbye":
                self._state.requests.hold()
            case "welcome":
                self._state.welcome = frame
                self._welcomed.set()
            case "expiring":
                self._state.inbox.put(Expiring(int(frame["in_ms"])))
            case "status":
                self._state.inbox.put(StatusChanged(str(frame["fanout"])))
            case "warning":
                self._state.inbox.put(Warned(str(frame["code"]), str(frame.get("message", "")), frame.get("field")))
            case kind if kind in EPHEMERAL and "id" not in frame:
                self._state.inbox.put(ephemeral(frame))
            case "error" if "id" not in frame:
                self._error_push(frame)
            case _ if "id" not in frame and "seq" in frame:
                self._state.rooms.event(frame)
            case _:
                pass  # replies, and pushes that this client does not know

    def _left(self, room: str, *, asked: bool) -> None:
        if asked:
            self._state.rooms.leave(room)
        else:
            self._state.rooms.removed(room)

    def _error_push(self, frame: Frame) -> None:
        if "room" in frame:
            self._room_errors[frame["room"]] = frame
        else:
            log.warning("the server says: %s (%s)", frame.get("message"), frame.get("code"))
