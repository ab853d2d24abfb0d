"""What is shown of messages that were found. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from trichat.core.conversation import Found
from trichat.core.names import RoomId, UserId
from trichat.core.query import Place
from trichat.core.snippets import Mark, cut_snippet
from trichat.store.connection import Connection
from trichat.store.messages import messages_at
from trichat.store.search_scopes import Scope
from trichat.store.tsquery import Wanted

#: Around each place that fits; no text has them when it is shown (`_HIGHLIGHT`).
_OPEN, _CLOSE = "\x01", "\x02"
# The folded text has a character for each of the text's; where it has not, the text itself.
_HIGHLIGHT: Final = f"""
    SELECT ts_headline(
        ('pg_catalog.' || p.config)::regconfig,
        translate(CASE WHEN length(folded) = length(said) THEN folded ELSE said END, '{_OPEN}{_CLOSE}', '  '),
        p.query::tsquery, 'HighlightAll=true, StartSel="{_OPEN}", StopSel="{_CLOSE}"'
    )
    FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS p (said, config, query, place),
        LATERAL (SELECT trichat.folded(said) OFFSET 0) AS f (folded)
    ORDER BY p.place
"""  # noqa: S608 (our own constants)


class _Said(Struct, frozen=True):
    text: str = ""


_said: Final = msgspec.json.Decoder(_Said).decode


class Showing(Struct, frozen=True):
    """For whom, what they looked for (by language), and how many characters of a text are shown."""

    viewer: UserId
    wanted: Mapping[str, Wanted]
    snippet_chars: int


def shown(connection: Connection, places: Sequence[Place], scopes: Sequence[Scope], showing: Showing) -> list[Found]:
    """The messages at these places of these rooms, in their present state."""
    rooms = {int(scope.record.id): scope.record for scope in scopes}
    messages = messages_at(connection, [(RoomId(p.room_id), p.seq) for p in places], showing.viewer)
    kept = [(place, messages[key]) for place in places if (key := (RoomId(place.room_id), place.seq)) in messages]
    texts = [_said(message.body).text for _, message in kept]
    languages = [rooms[place.room_id].rules.language for place, _ in kept]
    words = [showing.wanted[language].shown for language in languages]
    found: list[Found] = []
    marked = connection.execute(_HIGHLIGHT, (texts, languages, words))
    for (place, message), text, (highlighted,) in zip(kept, texts, marked, strict=True):
        snippet, marks = cut_snippet(text, _marks(highlighted), showing.snippet_chars)
        found.append(Found(place.key, rooms[place.room_id].name, message, snippet, marks))
    return found


def _marks(highlighted: str) -> list[Mark]:
    """Where the marks stood, in the text without them."""
    before, *parts = highlighted.split(_OPEN)
    marks: list[Mark] = []
    at = len(before)
    for part in parts:
        inside, _, after = part.partition(_CLOSE)
        marks.append((at, at + len(inside)))
        at += len(inside) + len(after)
    return marks
