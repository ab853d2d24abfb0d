"""What one may react with."""

from __future__ import annotations

import emoji
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trichat.core.emoji import parse_emoji
from trichat.core.errors import Refusal
from trichat.core.limits import Limits

LIMITS = Limits()
WHOLE = [text for text, told in emoji.EMOJI_DATA.items() if told["status"] == emoji.STATUS["fully_qualified"]]


def refusal_of(text: str) -> tuple[str, str | None] | None:
    """The code and the field, if it is refused."""
    try:
        parse_emoji(text, LIMITS)
    except Refusal as refusal:
        return refusal.code, refusal.field
    return None


@pytest.mark.parametrize(
    "text", ["👍", "👍🏽", "❤️", "🇩🇪", "1️⃣", "👩‍❤️‍💋‍👨", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🤷🏽‍♀️", ":tada:", ":+1:", ":a_b-2:"]
)
def test_one_emoji_or_a_name_is_taken_as_it_is(text: str) -> None:
    assert parse_emoji(text, LIMITS) == text


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a", "1", "#", "👍👍", "👍 ", "👍a", "🇩", "🇩🇪🇫🇷", "\u200d", "\ufe0f", "❤\ufe0e", "👍\u200d👍",
        ":Tada:", "::", ":tada", "tada:", ":ta da:", f":{'x' * 33}:", ":tädä:", ":a:b:", ":a/b:", "\ud83d", ":tada:\n",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    assert refusal_of(text) == ("bad_field", "emoji")


@given(st.sampled_from(WHOLE))
def test_with_and_without_the_mark_of_a_picture_it_is_one(text: str) -> None:
    assert parse_emoji(text, LIMITS) == text
    assert parse_emoji(text.replace("\ufe0f", ""), LIMITS) == text


def test_no_emoji_is_longer_than_the_limit_or_holds_a_slash() -> None:
    assert len(WHOLE) > 3_000
    assert max(len(text.encode()) for text in WHOLE) <= LIMITS.emoji_bytes
    assert not any("/" in text for text in WHOLE)


@given(st.text(max_size=80))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    assert refusal_of(text) in (None, ("bad_field", "emoji"))


def test_a_long_text_is_refused_without_being_read() -> None:
    assert refusal_of("👍" * 500_000) == ("bad_field", "emoji")
