"""Pages of a room's log, encoded, for replays: clients that resume together share one read."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import trio

from trichat.chat.ports import Store
from trichat.core.codec import Frame, encode_events
from trichat.core.limits import Limits
from trichat.core.names import RoomId, RoomName

#: Whole pages kept after they were read: 64 pages of at most `page_bytes` (16 MiB).
_KEPT: Final = 64


class Pages:
    """Reads a log page by page; who asks for the same page while it is read, or soon after, shares it."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._reading: dict[tuple[RoomId, int], trio.Event] = {}
        self._kept: OrderedDict[tuple[RoomId, int], list[Frame]] = OrderedDict()

    async def read(self, room_id: RoomId, name: RoomName, after: int) -> list[Frame]:
        """The frames of the events after `after`: one page, empty at the log's end. Raises StoreUnavailable."""
        key = (room_id, after)
        while key not in self._kept:
            if key not in self._reading:
                return await self._read(key, name)
            await self._reading[key].wait()
        self._kept.move_to_end(key)
        return self._kept[key]

    def forget(self, room_id: RoomId) -> None:
        """The room's log is another one now."""
        for key in [key for key in self._kept if key[0] == room_id]:
            del self._kept[key]

    async def _read(self, key: tuple[RoomId, int], name: RoomName) -> list[Frame]:
        done = self._reading[key] = trio.Event()
        try:
            page = await self._store.read_events(
                key[0], after=key[1], limit=self._limits.page, max_bytes=self._limits.page_bytes
            )
            frames = encode_events(name, page.events)
            if page.more:  # a whole page never changes; the last one grows
                self._kept[key] = frames
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            return frames
        finally:
            del self._reading[key]
            done.set()
