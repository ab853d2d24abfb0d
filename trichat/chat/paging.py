"""How a page is cut: by a count and by bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from trichat.core.codec import quote

T = TypeVar("T")


def cut_page(entries: Sequence[T], limit: int, max_bytes: int) -> tuple[list[T], bool]:
    """The first `limit` entries, ended early by `max_bytes` of JSON, but at least one; and whether there are more."""
    shown: list[T] = []
    for entry in entries[:limit]:
        max_bytes -= len(quote(entry))
        if shown and max_bytes < 0:
            break
        shown.append(entry)
    return shown, len(shown) < len(entries)
