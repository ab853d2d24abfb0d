"""Names of accounts for people whom another site vouches for: that site's rules for names are not ours."""

from __future__ import annotations

from collections.abc import Iterator

from trichat.core.account_names import is_reserved, parse_account_name
from trichat.core.errors import Refusal
from trichat.core.lines import parse_line

#: Bytes that are left for a number behind the name, when it is taken: "-" and ten digits.
_NUMBER_BYTES = 11


def outside_name(name: str, otherwise: str, limit: int) -> str:
    """An account's name like `name` ("Ann Smith" gives "ann-smith", "ann@example.org" gives "ann"), and where there is
    none `otherwise`. `limit` in bytes; some are left free, for a number."""
    for candidate in _candidates(name[:limit]):
        try:
            parsed = parse_account_name(candidate, limit - _NUMBER_BYTES)
        except Refusal:
            continue
        if not is_reserved(parsed):
            return parsed
    return otherwise


def outside_display_name(text: str, limit: int) -> str:
    """`text` if it is one plain line of at most `limit` bytes, else nothing."""
    try:
        return parse_line(text, "display_name", limit)
    except Refusal:
        return ""


def _candidates(name: str) -> Iterator[str]:
    yield name
    local = name.partition("@")[0]
    yield local
    yield "-".join("".join(c if c.isalnum() or c in "._-" else " " for c in local).split()).strip("-")
