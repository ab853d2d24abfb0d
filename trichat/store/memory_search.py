"""The twin in memory of `store/search.py`: looks at every message, and knows the language `simple` alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from trichat.core.conversation import Found
from trichat.core.errors import Refusal
from trichat.core.events import Event
from trichat.core.governance import no_such_room, permit
from trichat.core.names import RoomName
from trichat.core.query import Has, Place, Query, parse_place
from trichat.core.snippets import Mark, cut_snippet
from trichat.core.standing import Actor
from trichat.store.memory_moderation import standing_in
from trichat.store.memory_present import present_in
from trichat.store.memory_state import MemoryState, StoredRoom

_WORD: Final = re.compile(r"[^\W_]+")
_decode: Final = msgspec.json.decode


class MemorySearching:
    """Implements `Searching`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def search(
        self, viewer: Actor, rooms: Sequence[RoomName] | None, query: Query, *, before: str, limit: int
    ) -> list[Found]:
        place = parse_place(before)
        await self._state.begin()
        scopes = self._mine(viewer) if rooms is None else [self._one(name) for name in rooms]
        places = {at: room for room in scopes for at in self._fitting(room, viewer, query) if at < place}
        found = [self._found(places[at], viewer, query, at) for at in sorted(places, reverse=True)[:limit]]
        self._state.end()
        return found

    async def index(self) -> bool:
        await self._state.begin()
        self._state.end()
        return False  # there is no index

    def _mine(self, viewer: Actor) -> list[StoredRoom]:
        mine = [room for room in self._state.rooms.values() if standing_in(room, viewer.user_id).role is not None]
        if len(mine) > (most := self._state.limits.search_rooms):
            raise Refusal("limit_reached", f"you are in more than {most} rooms; say in which: in:lobby", field="text")
        return mine

    def _one(self, name: RoomName) -> StoredRoom:
        if name not in self._state.rooms_by_name:
            raise no_such_room()
        return self._state.rooms_by_name[name]

    def _fitting(self, room: StoredRoom, viewer: Actor, query: Query) -> Iterator[Place]:
        first = self._first(room, viewer)
        for event in room.events[first - 1 :]:
            if event.kind == "message" and event.seq not in room.deleted and _fits(room, event, query):
                yield Place(event.ts, room.id, event.seq)

    def _first(self, room: StoredRoom, viewer: Actor) -> int:
        """From where on the viewer may read. Raises Refusal."""
        standing, now = standing_in(room, viewer.user_id), self._state.now
        permit(room.rules, viewer, standing, "read", now=now)
        return max(standing.first_readable(room.rules), room.first)

    def _found(self, room: StoredRoom, viewer: Actor, query: Query, place: Place) -> Found:
        message = present_in(room, place.seq, viewer.user_id)
        text = _decode(message.body)["text"]
        snippet, marks = cut_snippet(text, _marks(text, query), self._state.limits.snippet_chars)
        return Found(place.key, room.name, message, snippet, marks)


def _fits(room: StoredRoom, event: Event, query: Query) -> bool:
    if (query.before is not None and event.ts >= query.before) or (query.after is not None and event.ts < query.after):
        return False
    if query.authors and event.user_id not in query.authors:
        return False
    body = _decode(event.body)
    words = _words(body["text"])
    return (
        all(_has(has, room, event, body) for has in query.has)
        and all(_holds(words, _words(phrase)) for phrase in query.phrases)
        and all(_begins(words, _words(prefix)) for prefix in query.prefixes)
        and not any(_holds(words, _words(phrase)) for phrase in query.excluded)
    )


def _has(has: Has, room: StoredRoom, event: Event, body: dict[str, Any]) -> bool:
    match has:
        case "link":
            return re.search("https?://", body["text"], re.IGNORECASE) is not None
        case "mention":
            return body.get("mentions") is not None
        case "reply":
            return event.thread is not None or body.get("reply_to") is not None
        case "edit":
            return event.seq in room.edited


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower()


def _words(text: str) -> list[str]:
    return _WORD.findall(_folded(text))


def _holds(words: list[str], phrase: list[str]) -> bool:
    """Whether these words stand in those, one after the other."""
    return any(words[at : at + len(phrase)] == phrase for at in range(len(words) - len(phrase) + 1))


def _begins(words: list[str], beginning: list[str]) -> bool:
    """The same of a beginning, whose last word may go on."""
    *whole, last = beginning or [""]
    size = len(whole)
    return any(words[at : at + size] == whole and word.startswith(last) for at, word in enumerate(words[size:]))


def _marks(text: str, query: Query) -> list[Mark]:
    folded = _folded(text)
    shown = folded if len(folded) == len(text) else text
    beginnings = [words for prefix in query.prefixes if (words := _words(prefix))]
    wanted = {word for phrase in query.phrases for word in _words(phrase)}
    wanted.update(word for *whole, _ in beginnings for word in whole)
    prefixes = tuple(last for *_, last in beginnings)
    return [word.span() for word in _WORD.finditer(shown) if word[0] in wanted or word[0].startswith(prefixes)]
