"""The fields of a profile that have a shape: an avatar's address, a locale."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from trichat.core.errors import Refusal
from trichat.core.lines import parse_line

#: BCP 47: a language, then script, region, variants …, separated by hyphens.
_LOCALE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
#: The longest that RFC 5646 (4.4.1) expects anybody to keep.
_LOCALE_CHARS: Final = 35


def parse_avatar(text: str, limit: int) -> str:
    """`text` as an https URL of at most `limit` bytes, or empty; else `bad_field`."""
    parse_line(text, "avatar", limit)
    if text and not _is_https(text):
        raise Refusal("bad_field", "avatar is no address of a picture; say https://HOST/PATH", field="avatar")
    return text


def _is_https(text: str) -> bool:
    if not text.isascii() or re.search(r"[\s<>\"\\^`{|}]", text):
        return False  # as RFC 3986 has it: whatever else must be percent-encoded
    try:
        parts = urlsplit(text)
        right = parts.port != 0  # raises for what is no port
    except ValueError:
        return False
    return right and text.startswith("https://") and bool(parts.hostname) and "@" not in parts.netloc


def parse_locale(text: str) -> str:
    """`text` as a language tag, or empty; else `bad_field`."""
    if text and (len(text) > _LOCALE_CHARS or not _LOCALE.fullmatch(text)):
        raise Refusal("bad_field", "locale is no language tag; say one such as en or de-CH", field="locale")
    return text
