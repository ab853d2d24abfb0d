"""Short texts that people write: titles, topics, reasons, names of devices. One line, nothing that moves a cursor."""

from __future__ import annotations

import unicodedata
from typing import Final

from trichat.core.errors import Refusal

#: Controls (ANSI's and line breaks among them), surrogates, and the line and paragraph separators.
_FORBIDDEN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Characters that turn the direction of what follows: text after them, a log's too, would read backwards.
_TURNING: Final = frozenset("\u202a\u202b\u202d\u202e\u2066\u2067\u2068")


def parse_line(text: str, field: str, limit: int) -> str:
    """`text` as it is, or `bad_field`: over `limit` bytes of UTF-8, or with controls. Empty is allowed."""
    if len(text) > limit or len(text.encode("utf-8", "surrogatepass")) > limit:
        raise Refusal("bad_field", f"{field} has at most {limit} bytes of UTF-8", field=field)
    if not text.isascii() or not text.isprintable():
        for character in text:
            if unicodedata.category(character) in _FORBIDDEN or character in _TURNING:
                shown = f"U+{ord(character):04X}"
                raise Refusal("bad_field", f"{field} is one line of plain text; {shown} cannot be in it", field=field)
    return text
