"""Pages of a room's log, encoded, for replays: clients that resume together share one read."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import trio
from msgspec import Struct

from trichat.chat.ports import Store
from trichat.chat.room import Room
from trichat.core.codec import Frame, encode_events
from trichat.core.limits import Limits
from trichat.core.names import Epoch, RoomId

#: Whole pages kept after they were read: 64 pages of at most `page_bytes` (16 MiB).
_KEPT: Final = 64

#: A room's log (the epoch tells it from another one of the same room) and the `seq` after which the page begins.
_Key = tuple[RoomId, Epoch, int]


class Page(Struct, frozen=True):
    """Frames of a log's events, from the `seq` `first` on: what came before it is kept no more."""

    first: int
    frames: list[Frame]


class Pages:
    """Reads a log page by page; who asks for the same page while it is read, or soon after, shares it."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._reading: dict[_Key, _Reading] = {}
        self._kept: OrderedDict[_Key, Page] = OrderedDict()
        self._forgotten = 0  # times

    async def read(self, room: Room, after: int) -> Page:
        """The events after `after`: one page, empty at the log's end. Raises StoreUnavailable.

        A read that is shared may have begun earlier: events that came since may not be in it.
        """
        key = (room.id, room.epoch, after)
        while key not in self._kept:
            reading = self._reading.get(key)
            if reading is None:
                return await self._read(key, room)
            await reading.done.wait()
            if reading.page is not None:
                return reading.page
        self._kept.move_to_end(key)
        return self._kept[key]

    def forget(self, room_id: RoomId | None = None) -> None:
        """Pages (of this room, or all) may read otherwise now; a read under way is for those who wait for it alone."""
        for kept in (self._kept, self._reading):
            for key in [key for key in kept if room_id in (None, key[0])]:
                del kept[key]
        self._forgotten += 1

    async def _read(self, key: _Key, room: Room) -> Page:
        room_id, _, after = key
        reading = self._reading[key] = _Reading()
        forgotten = self._forgotten
        try:
            found = await self._store.read_events(
                room_id, after=after, limit=self._limits.page, max_bytes=self._limits.page_bytes
            )
            page = reading.page = Page(max(found.first, after + 1), encode_events(room.name, found.events))
            # A whole page never changes, but for what we are told of; the last one grows. Of a room that has
            # ended (a slow client may still replay it) nobody tells us anything.
            if found.more and forgotten == self._forgotten and not room.ended:
                self._kept[key] = page
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            return page
        finally:
            if self._reading.get(key) is reading:
                del self._reading[key]
            reading.done.set()


class _Reading:
    """A read under way."""

    __slots__ = ("done", "page")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.page: Page | None = None  # still None when it is done: it failed, try anew
