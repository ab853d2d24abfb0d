"""What somebody typed into a search: understood, or refused with what to type."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.core.names import RoomName
from trichat.core.query import THE_END, Place, Query, parse_place, parse_query
from trichat.core.snippets import cut_snippet

LIMITS = Limits()
#: 2026-11-24 in UTC, in milliseconds since 1970.
THAT_DAY = 1_795_478_400_000
DAY = 86_400_000


def query(text: str) -> Query:
    return parse_query(text, LIMITS)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("blue", Query(phrases=("blue",))),
        ("  blue   sky ", Query(phrases=("blue", "sky"))),
        ('"blue sky"', Query(phrases=("blue sky",))),
        ('"blue sky', Query(phrases=("blue sky",))),
        ("hel*", Query(prefixes=("hel",))),
        ("blue -sky", Query(phrases=("blue",), excluded=("sky",))),
        ('blue -"grey sky"', Query(phrases=("blue",), excluded=("grey sky",))),
        ("x-ray", Query(phrases=("x-ray",))),
        ("from:ann", Query(names=("ann",))),
        ("From:ann HAS:link", Query(names=("ann",), has=("link",))),
        ("from:@ann from:bob", Query(names=("ann", "bob"))),
        ("blue in:lobby", Query(phrases=("blue",), room=RoomName("lobby"))),
        ("blue before:2026-11-24", Query(phrases=("blue",), before=THAT_DAY)),
        ("blue after:2026-11-24", Query(phrases=("blue",), after=THAT_DAY + DAY)),
        ("blue before:2026-11-25 before:2026-11-24", Query(phrases=("blue",), before=THAT_DAY)),
        ("blue after:2026-11-24 after:2026-11-23", Query(phrases=("blue",), after=THAT_DAY + DAY)),
        ("has:link has:reply", Query(has=("link", "reply"))),
        ("http://example.org/a", Query(phrases=("http://example.org/a",))),
        ("note: blue !!", Query(phrases=("note:", "blue"))),
        ("* blue", Query(phrases=("blue",))),
    ],
)
def test_what_is_typed_is_understood(text: str, asked: Query) -> None:
    assert query(text) == asked


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing to search for"),
        ("!?", "nothing to search for"),
        ("in:lobby", "say where to search"),
        ("before:2026-11-24", "say where to search"),
        ("after:2026-11-24", "say where to search"),
        ("*", "put 2 letters before it"),
        ("** *", "put 2 letters before it"),
        ("a*", "2 letters or more"),
        ("h*llo", "at the end of a word"),
        ("*ello", "at the end of a word"),
        ("-blue", "only words that must not be there"),
        ("sky -blu*", "cannot be excluded"),
        ("sky -from:ann", "words and phrases alone"),
        ("sky from:", "from:ann is what ann said"),
        ("sky in:lobby in:dev", "names one room"),
        ("sky in:Lobby", "say lobby"),
        ("sky has:cheese", "one of link, mention, reply, edit"),
        ("sky before:yesterday", "a day, such as 2026-11-24"),
        ("sky before:2026-02-30", "a day, such as 2026-11-24"),
        ("sky after:20261124", "a day, such as 2026-11-24"),
        ("a b c d e f g h i j k l m n o p q", "at most 16"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_type(text: str, words: str) -> None:
    with pytest.raises(Refusal) as caught:
        query(text)
    assert (caught.value.code, caught.value.field) == ("bad_field", "text")
    assert words in caught.value.message


def test_a_long_search_is_too_long_by_its_bytes() -> None:
    assert query("é" * 256).phrases
    with pytest.raises(Refusal) as caught:
        query("é" * 257)
    assert caught.value.code == "too_long"


@pytest.mark.parametrize("text", ["a" * 2_000_000, '"' * 2_000_000, "a:" * 1_000_000, " " * 2_000_000, "é*" * 666_666])
def test_two_megabytes_are_refused_at_once(text: str) -> None:
    began = time.process_time()
    with pytest.raises(Refusal):
        query(text)
    assert time.process_time() - began < 0.05


@pytest.mark.parametrize("text", ["a" * 512, '"' * 512, "a:" * 256, '-"' * 256, " " * 512, "a" * 511 + '"', "a*" * 256])
def test_the_longest_search_is_read_at_once(text: str) -> None:
    began = time.process_time()
    with suppress(Refusal):
        query(text)
    assert time.process_time() - began < 0.05


@given(
    st.text()
    | st.lists(st.sampled_from(["-", '"', "*", "a", " ", "from:", "has:", "before:2026-11-24", "in:"])).map("".join)
)
def test_nothing_raises_anything_else(text: str) -> None:
    with suppress(Refusal):
        assert 0 < query(text).terms <= LIMITS.query_terms


@given(st.integers(0, 10**15 - 1), st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
def test_a_key_leads_back_to_its_place(ts: int, room_id: int, seq: int) -> None:
    assert parse_place(Place(ts, room_id, seq).key) == Place(ts, room_id, seq)


@pytest.mark.parametrize("key", ["x", "1.2", "1.2.3.4", "-1.2.3", "1.2.3 ", "٣.1.1", f"1.{'9' * 19}.1"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_place(key)
    assert (caught.value.code, caught.value.field) == ("bad_field", "before")


def test_without_a_key_one_begins_at_the_newest() -> None:
    assert parse_place("") == THE_END


def test_a_short_text_is_shown_whole() -> None:
    assert cut_snippet("the blue sky", [(4, 8)], 160) == ("the blue sky", [(4, 8)])


def test_of_a_long_text_the_part_around_the_first_mark_is_shown() -> None:
    text = "word " * 100 + "blue " + "word " * 100
    shown, marks = cut_snippet(text, [(500, 504)], 40)
    assert len(shown) == 40
    assert [shown[a:b] for a, b in marks] == ["blue"]
    assert shown.startswith("word")


@given(st.text("ab ", max_size=300), st.data(), st.integers(1, 100))
def test_marks_of_a_snippet_mark_what_they_marked(text: str, data: st.DataObject, chars: int) -> None:
    ends = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    marks = list(zip(ends[::2], ends[1::2], strict=False))
    shown, left = cut_snippet(text, marks, chars)
    assert shown in text
    assert len(shown) <= max(chars, 0)
    assert all(0 <= a < b <= len(shown) for a, b in left)
    if marks and marks[0][1] - marks[0][0] <= chars // 2:
        assert left
        assert shown[slice(*left[0])] == text[slice(*marks[0])]
