"""The bounded queue of news, and what becomes of news when nobody takes it."""

from __future__ import annotations

import contextlib
from typing import Final, assert_never

import trio

from trichat.chat.figures import Figures
from trichat.chat.ports import Batch, Beat, Cut, Linked, Missed, News, Subscribed, Whisper
from trichat.core.names import RoomId

#: The part of the queue that may be full before whispers are dropped: the rest is for what must not be lost.
_QUIET: Final = 0.1

_LINK: Final = ("link", 0)
_MISSED: Final = ("missed", 0)

#: News of which something is told in any case.
Owed = Batch | Beat | Linked | Cut | Subscribed | Missed


class NewsFeed:
    """News on their way to the relay: `post` never waits, and nothing is lost without a word.

    At most `capacity` news wait in order. When they do, what comes is *owed*: coalesced, and told in order as
    soon as there is room. Of a room's batches one Subscribed is owed ("look at its head"), of Linked and Cut
    the last, of beats the last of each node, of Missed one. So what is owed is bounded by the rooms and nodes.
    """

    def __init__(self, capacity: int, missed_every_s: float, figures: Figures | None = None) -> None:
        self._send, self.news = trio.open_memory_channel[News](capacity)
        self._quiet = capacity * _QUIET
        self._missed_every_s = missed_every_s
        self._figures = figures or Figures()
        self._owed: dict[tuple[str, int], Owed] = {}
        self._owing = trio.Event()
        self._missed = trio.Event()

    def post(self, news: Owed) -> None:
        """Tell `news`, now or when there is room. To nobody, when the receiver is closed."""
        if not self._owed:
            try:
                self._send.send_nowait(news)
            except trio.WouldBlock:
                pass
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            else:
                return
        self._owe(news)

    def post_whisper(self, whisper: Whisper) -> None:
        """Tell it now, or not at all: when so many others wait that what is told in any case might find no room."""
        if self._send.statistics().current_buffer_used >= self._quiet:
            self._figures.whispers_dropped += 1
            return
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            self._send.send_nowait(whisper)

    def post_missed(self) -> None:
        """Something could not be published: Missed is told soon, and at most once per `missed_every_s`."""
        self._missed.set()

    def forget(self, room_id: RoomId) -> None:
        """Nothing is owed about the room any more."""
        self._owed.pop(("room", room_id), None)

    async def run(self) -> None:
        """Tells what is owed. Lives until cancelled; then the receiver's end of the queue comes."""
        with self._send:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run_missed)
                await self._run_owed()

    def _owe(self, news: Owed) -> None:
        key, owed = _coalesced(news)
        self._owed.pop(key, None)  # told in the order of the last of its kind
        self._owed[key] = owed
        self._owing.set()

    async def _run_owed(self) -> None:
        while True:
            await self._owing.wait()
            self._owing = trio.Event()
            with contextlib.suppress(trio.BrokenResourceError):
                while self._owed:
                    key, news = next(iter(self._owed.items()))
                    await self._send.send(news)
                    if self._owed.get(key) is news:  # else something newer of its kind came meanwhile
                        del self._owed[key]

    async def _run_missed(self) -> None:
        while True:
            await self._missed.wait()
            self._missed = trio.Event()
            self.post(Missed())
            await trio.sleep(self._missed_every_s)


def _coalesced(news: Owed) -> tuple[tuple[str, int], Owed]:
    """Under which key `news` is owed, and what is owed."""
    match news:
        case Batch(room_id=room_id) | Subscribed(room_id=room_id):
            return ("room", room_id), Subscribed(room_id)
        case Beat(incarnation=incarnation):
            return ("beat", incarnation), news
        case Linked() | Cut():
            return _LINK, news
        case Missed():
            return _MISSED, news
        case _:
            assert_never(news)
