"""The rooms that the client hears: what frames do to their positions, and what reaches the application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import trio

from trichat.client.errors import OutOfOrder, Refused
from trichat.client.events import GapEvent, GapFilled, LogReset, RoomEvent, RoomLeft, RoomLost, room_event
from trichat.client.inbox import Inbox
from trichat.client.options import ClientOptions
from trichat.client.positions import RoomPosition, Verdict
from trichat.client.replies import EventsPage

Frame = Mapping[str, Any]
ReadPage = Callable[[str, int], Awaitable[EventsPage]]

#: What is said of a page that we may not see any more.
_UNREADABLE: Final = frozenset({"forbidden", "no_such_room", "not_joined"})


class Rooms:
    """One position per joined room. Frames are taken at once, in the order in which they came.

    Methods that take a frame raise OutOfOrder when the server left out numbers without a word.
    """

    def __init__(self, options: ClientOptions, inbox: Inbox) -> None:
        self._options = options
        self._inbox = inbox
        self._positions: dict[str, RoomPosition[RoomEvent]] = {}
        self._removed: set[str] = set()  # rooms that we were taken out of, while a hole before that is paged
        self._leaving: set[str] = set()  # rooms that we leave by our own wish
        self._holes_open = trio.Event()
        self.repeats = 0  # events that came again and were dropped

    def resume_fields(self) -> dict[str, dict[str, object]]:
        """What `resume` is to say: all rooms with their positions."""
        return {name: {"since": room.seq, "epoch": room.epoch} for name, room in self._positions.items()}

    def position_of(self, room: str) -> tuple[str, int] | None:
        """The epoch and the `seq` of the last event handed on; None when the room is not joined."""
        position = self._positions.get(room)
        return None if position is None else (position.epoch, position.seq)

    def joined(self, frame: Frame, since: int | None) -> None:
        """We hear the room: from `since`, else from the head that is named. A known room stays as it is."""
        name = frame["room"]
        if name in self._removed:
            self._end(self._positions[name])
        if name not in self._positions:
            self._hear(name, frame["epoch"], frame["seq"] if since is None else since)

    def event(self, frame: Frame) -> None:
        """A push with `seq`."""
        position = self._positions.get(frame["room"])
        if position is None:
            return  # left meanwhile
        event = room_event(frame)
        self._apply(position, position.offer(event.seq, event), event)

    def gap(self, frame: Frame) -> None:
        """The server leaves out a run of events: page them, or tell the application."""
        position = self._positions.get(frame["room"])
        if position is None:
            return
        first, last = frame["from"], frame["to"]
        if frame.get("expired"):
            self._skip_expired(position, first, last)
            return
        if frame.get("hidden") and not position.filling:  # it comes before all events
            self._skip_hidden(position, first, last)
            return
        verdict = position.open_hole(first, last)
        if verdict is Verdict.HOLE:
            raise OutOfOrder(position.room, position.seq + 1, first)
        if verdict is Verdict.REPEAT:
            return
        if self._options.fill_gaps:
            self._holes_open.set()
        else:
            position.close_hole()
            position.skip(last)
            self._inbox.put(_gap_event(position.room, frame))

    def reset(self, room: str, epoch: str, head: int) -> None:
        """The room's log is another one: hear it from its head."""
        self._hear(room, epoch, head)
        self._inbox.put(LogReset(room, epoch, head))

    def lose(self, room: str, code: str, message: str) -> None:
        """The room is not heard any more."""
        if self._forget(room) and room not in self._leaving:
            self._inbox.put(RoomLost(room, code, message))

    def removed(self, room: str) -> None:
        """The server has taken us out of the room, after the last event that we get of it."""
        position = self._positions.get(room)
        if position is not None and position.filling:
            self._removed.add(room)  # what was held is handed on first
        elif position is not None:
            self._end(position)

    def leave(self, room: str) -> None:
        """The room is not heard any more, on our own wish: no event tells of it."""
        self._forget(room)

    @contextmanager
    def leaving(self, room: str) -> Iterator[None]:
        """While we ask to leave the room: whatever else ends it meanwhile is our own wish too."""
        self._leaving.add(room)
        try:
            yield
        finally:
            self._leaving.discard(room)

    def disconnected(self) -> None:
        """The holes are forgotten with the connection: the next one tells of them anew."""
        for room in list(self._removed):
            self._end(self._positions[room])
        for position in self._positions.values():
            position.close_hole()

    async def run_filler(self, read_page: ReadPage) -> None:
        """Fills holes, one room after the other, with what `read_page(room, since)` gives."""
        while True:
            await self._holes_open.wait()
            self._holes_open = trio.Event()
            for position in list(self._positions.values()):
                try:
                    await self._fill(position, read_page)
                except Refused as refusal:
                    self.lose(position.room, refusal.code, refusal.message)

    async def _fill(self, position: RoomPosition[RoomEvent], read_page: ReadPage) -> None:
        first = position.seq + 1
        while self._is_filling(position):
            if position.missing:
                try:
                    page = await read_page(position.room, position.seq)
                except Refused as refusal:
                    if refusal.code not in _UNREADABLE:
                        raise
                    self._give_up(position)
                    continue
                await self._fill_page(position, page)
                if not position.missing and self._is_filling(position):
                    self._inbox.put(GapFilled(position.room, first, position.hole_end))
                continue
            await self._inbox.wait_for_room()
            held = position.next_held()
            if held is not None:
                self._inbox.put(held)
        if position.room in self._removed and self._positions.get(position.room) is position:
            self._end(position)

    def _give_up(self, position: RoomPosition[RoomEvent]) -> None:
        """The hole may not be read any more. What is held came to us by right; and whether more comes, is told us."""
        first, last = position.seq + 1, position.hole_end
        position.skip(last)
        self._inbox.put(GapEvent(position.room, first, last, 0, hidden=True))

    def _skip_hidden(self, position: RoomPosition[RoomEvent], first: int, last: int) -> None:
        if first > position.seq + 1:
            raise OutOfOrder(position.room, position.seq + 1, first)
        position.skip(last)
        if not self._options.fill_gaps:
            self._inbox.put(GapEvent(position.room, first, last, 0, hidden=True))

    def _skip_expired(self, position: RoomPosition[RoomEvent], first: int, last: int) -> None:
        """What is kept no more cannot be paged: the rest of a hole that is open ends with it too."""
        if first > position.newest + 1:
            raise OutOfOrder(position.room, position.seq + 1, first)
        if last > position.newest:
            position.close_hole()
            self._inbox.put(GapEvent(position.room, position.seq + 1, last, 0, expired=True))
            position.skip(last)

    def _end(self, position: RoomPosition[RoomEvent]) -> None:
        """We were taken out of the room, and what is still missing will not come."""
        if position.newest > position.seq:
            self._inbox.put(GapEvent(position.room, position.seq + 1, position.newest, 0, hidden=True))
        self._forget(position.room)
        if position.room not in self._leaving:
            self._inbox.put(RoomLeft(position.room))

    def _forget(self, room: str) -> bool:
        """Whether we heard it."""
        self._removed.discard(room)
        return self._positions.pop(room, None) is not None

    async def _fill_page(self, position: RoomPosition[RoomEvent], page: EventsPage) -> None:
        if page.first is not None and page.first > position.seq + 1 and self._is_filling(position):
            last = min(page.first - 1, position.hole_end)
            self._inbox.put(GapEvent(position.room, position.seq + 1, last, 0, expired=True))
            position.skip(last)
        elif not page.events:  # the log ends before an event of which we were told
            raise OutOfOrder(position.room, position.seq + 1, position.hole_end)
        for event in page.events:
            await self._inbox.wait_for_room()
            if not self._is_filling(position):
                return
            self._apply(position, position.fill(event.seq), event)

    def _is_filling(self, position: RoomPosition[RoomEvent]) -> bool:
        return position.filling and self._positions.get(position.room) is position

    def _apply(self, position: RoomPosition[RoomEvent], verdict: Verdict, event: RoomEvent) -> None:
        match verdict:
            case Verdict.DELIVER:
                self._inbox.put(event)
            case Verdict.REPEAT:
                self.repeats += 1
            case Verdict.HOLE:
                raise OutOfOrder(position.room, position.seq + 1, event.seq)
            case Verdict.HELD:
                pass

    def _hear(self, room: str, epoch: str, seq: int) -> None:
        self._positions[room] = RoomPosition(room, epoch, seq, self._options.held_events)


def _gap_event(room: str, frame: Frame) -> GapEvent:
    return GapEvent(
        room,
        frame["from"],
        frame["to"],
        frame.get("messages", 0),
        mentions=frame.get("mentions", 0),
        first_unread=frame.get("first_unread", 0),
    )
