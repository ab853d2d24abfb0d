"""A search as PostgreSQL understands it. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from trichat.core.errors import Refusal
from trichat.core.query import Query
from trichat.store.connection import Connection


class Wanted(Struct, frozen=True):
    """As texts of a tsquery: all that an entry of the index must have, and the words to be marked where it is shown."""

    all: str
    shown: str


# A beginning is quoted, and so is one lexeme before the dictionary sees it; what would end the quotes, or go with the
# one that does, is a blank.
_WORDS: Final = r"""
    SELECT
        CASE kind
            WHEN 'prefix' THEN to_tsquery(config, '''' || translate(folded, '''\', '  ') || ''':*')
            ELSE phraseto_tsquery(config, folded)
        END::text
    FROM unnest(%(kinds)s::text[], %(words)s::text[]) WITH ORDINALITY AS w (kind, word, place),
        LATERAL (SELECT ('pg_catalog.' || %(language)s)::regconfig, trichat.folded(word)) AS l (config, folded)
    ORDER BY place
"""


def _lexeme(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def wanted_by(connection: Connection, query: Query, languages: Iterable[str]) -> dict[str, Wanted]:
    """What fits `query` in each of these languages; those that keep none of its words are left out.

    Raises `bad_field` when that is all of them: each word is so common that no index keeps it.
    """
    made = {language: _wanted(connection, query, language) for language in sorted(languages)}
    wanted = {language: one for language, one in made.items() if one is not None}
    if made and not wanted:
        raise Refusal("bad_field", "these words are too common to be searched for; say rarer ones too", field="text")
    return wanted


def _wanted(connection: Connection, query: Query, language: str) -> Wanted | None:
    words = [*query.phrases, *query.prefixes, *query.excluded]
    kinds = ["phrase"] * len(query.phrases) + ["prefix"] * len(query.prefixes) + ["phrase"] * len(query.excluded)
    params = {"kinds": kinds, "words": words, "language": language}
    parts = [part for (part,) in connection.execute(_WORDS, params)] if words else []
    count = len(query.phrases) + len(query.prefixes)
    there = [f"({part})" for part in parts[:count] if part]
    absent = [f"!({part})" for part in parts[count:] if part]
    facts = [f"':{has}'" for has in query.has]
    if query.authors:
        facts.append("(" + " | ".join(_lexeme("@" + author) for author in query.authors) + ")")
    if not there and not facts:
        return None
    return Wanted(" & ".join([*facts, *there, *absent]), " | ".join(there))
