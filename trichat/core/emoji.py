"""What one may react with: one emoji of Unicode, or a name between colons."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import emoji as unicode_emoji

from trichat.core.errors import Refusal
from trichat.core.limits import Limits

#: As sites name their own pictures, and as many programs write emoji: `:shipit:`, `:+1:`.
_NAME: Final = re.compile(r":[a-z0-9_+-]{1,32}:")
#: Asks for the picture where a character may also be shown as text. Keyboards send it or leave it out.
_PICTURE: Final = "\ufe0f"


def parse_emoji(text: str, limits: Limits) -> str:
    """`text` as everybody writes it, or `bad_field`: one emoji sequence that Unicode recommends for interchange
    (flags, skin tones, families, keycaps), or `:name:`."""
    if len(text) <= limits.emoji_bytes and len(text.encode("utf-8", "surrogatepass")) <= limits.emoji_bytes:
        if _NAME.fullmatch(text):
            return text
        if (known := _spellings().get(text.replace(_PICTURE, ""))) is not None:
            return known
    raise Refusal("bad_field", "emoji is one emoji (👍, ❤️, 🇫🇷), or a name such as :tada:", field="emoji")


@cache
def _spellings() -> dict[str, str]:
    """Of each sequence without U+FE0F, the whole one: so that with and without it are one reaction."""
    wanted = (unicode_emoji.STATUS["component"], unicode_emoji.STATUS["fully_qualified"])
    return {
        sequence.replace(_PICTURE, ""): sequence
        for sequence, told in unicode_emoji.EMOJI_DATA.items()
        if told["status"] in wanted
    }
