"""Names: one spelling for each room, nothing invisible in any, and no two people under one name."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties import steady
from trichat.core.errors import Refusal
from trichat.core.names import fold_name, given_name, guest_id, name_key, parse_room_name, parse_user_name

#: Text that is mostly odd: marks, invisible characters, letters that change their length in lower case.
odd_text = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aAéİΣς\u0131\u0301\u0345\u200d\ufe0f🙂"))
)

ALL_CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]

INVISIBLE = {
    "a control": "\x07", "U+0000": "\0", "delete": "\x7f", "a C1 control": "\x85", "a blank": " ", "a tab": "\t",
    "a no-break space": "\u00a0", "an ideographic space": "\u3000", "a line separator": "\u2028",
    "a zero-width space": "\u200b", "a zero-width joiner": "\u200d", "a byte order mark": "\ufeff",
    "a soft hyphen": "\u00ad", "a right-to-left override": "\u202e", "a left-to-right isolate": "\u2066",
    "a right-to-left mark": "\u200f", "a grapheme joiner": "\u034f", "a Hangul filler": "\u3164",
    "a Braille blank": "\u2800", "a variation selector": "\ufe0f", "a supplementary variation selector": "\U000e0101",
    "a tag": "\U000e0041", "a private character": "\ue000", "an unassigned one": "\u0378", "a noncharacter": "\uffff",
}  # fmt: skip


def refusal_of_room(text: str, limit: int = 64) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_room_name(text, limit)
    return caught.value


def refusal_of_user(text: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_user_name(text)
    return caught.value


@pytest.mark.parametrize(
    "name", ["a", "lobby", "room-7", "7", "a/b", "søren", "комната", "会議", "🙂", "a" * 64, "é" * 32]
)
def test_a_good_room_name_is_taken_as_it_is(name: str) -> None:
    assert parse_room_name(name) == name


@pytest.mark.parametrize("name", ["a" * 65, "é" * 33, "🙂" * 17, "é" * 10_000])
def test_the_limit_of_a_room_name_counts_bytes(name: str) -> None:
    refusal = refusal_of_room(name)
    assert (refusal.code, refusal.field) == ("bad_field", "room")
    assert "64 bytes" in refusal.message


def test_an_empty_room_name_is_refused() -> None:
    assert "empty" in refusal_of_room("").message
    assert "empty" in refusal_of_room("\u200b \u202e").message


@pytest.mark.parametrize("character", INVISIBLE.values(), ids=INVISIBLE.keys())
def test_a_room_name_holds_nothing_invisible(character: str) -> None:
    refusal = refusal_of_room(f"lob{character}by")
    assert (refusal.code, refusal.field) == ("bad_field", "room")
    assert refusal.message.endswith("say lobby")


@pytest.mark.parametrize("character", INVISIBLE.values(), ids=INVISIBLE.keys())
def test_a_persons_name_holds_nothing_invisible(character: str) -> None:
    refusal = refusal_of_user(f"an{character}n")
    assert (refusal.code, refusal.field) == ("bad_field", "name")
    assert refusal.message.endswith("say ann")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("Lobby", "lobby"),
        ("ÉCOLE", "école"),
        ("cafe\u0301", "café"),
        ("e\u200d\u0301", "é"),
        ("\u212bngström", "ångström"),
    ],
)
def test_another_spelling_is_answered_with_the_right_one(typed: str, offered: str) -> None:
    assert refusal_of_room(typed).message.endswith(f"say {offered}")
    assert parse_room_name(offered) == offered


@given(odd_text)
@example("e\u200d\u0301")
@example("A\u200b\u030a")
@example("İ\u0307")
@steady
def test_folding_a_name_twice_is_folding_it_once(text: str) -> None:
    folded = fold_name(text)
    assert fold_name(folded) == folded


def test_every_single_character_folds_to_a_fixed_point() -> None:
    assert [c for c in ALL_CHARACTERS if fold_name(fold_name(c)) != fold_name(c)] == []


@given(odd_text)
@steady
def test_what_is_offered_is_taken(text: str) -> None:
    folded = fold_name(text)
    if 0 < len(folded.encode()) <= 64:
        assert parse_room_name(folded) == folded


@given(odd_text)
@example("e\u200d\u0301")
@steady
def test_a_room_name_that_is_taken_is_what_the_protocol_says(text: str) -> None:
    try:
        name = parse_room_name(text)
    except Refusal:
        return
    assert name == text
    assert 1 <= len(name.encode()) <= 64
    assert unicodedata.is_normalized("NFC", name)
    assert name == name.lower()
    assert not {unicodedata.category(c) for c in name} & {"Cc", "Cf", "Co", "Cn", "Zs", "Zl", "Zp"}


@pytest.mark.parametrize("name", ["ann", "Ann", "O'Neill", "søren", "Łukasz", "李", "a" * 64])
def test_a_good_persons_name_is_taken_as_it_is(name: str) -> None:
    assert parse_user_name(name) == name


def test_a_persons_name_is_told_its_faults() -> None:
    assert "empty" in refusal_of_user("").message
    assert "64 bytes" in refusal_of_user("é" * 33).message
    assert refusal_of_user("Zoe\u0308").message.endswith("say Zoë")
    assert refusal_of_user("Zoe\u200d\u0308").message.endswith("say Zoë")


@given(odd_text)
@steady
def test_a_persons_name_that_is_offered_is_taken(text: str) -> None:
    try:
        parse_user_name(text)
    except Refusal as refusal:
        if "; say " in refusal.message and "empty" not in refusal.message:
            offered = refusal.message.split("; say ", 1)[1]
            assert parse_user_name(offered) == offered


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann", "ann"),
        ("STRASSE", "straße"),
        ("\uff47\uff55\uff45\uff53\uff54\uff0d\uff11", "guest-1"),
        ("ﬁn", "FIN"),
        ("ΌΣΟΣ", "όσος"),
        ("\u212a", "k"),
    ],
)
def test_names_that_look_the_same_are_the_same(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


def test_other_names_are_others() -> None:
    assert len({name_key(name) for name in ("ann", "anna", "änn", "ann1", "李")}) == 5


def test_the_key_of_a_key_is_that_key() -> None:
    assert [c for c in ALL_CHARACTERS if name_key(name_key(c)) != name_key(c)] == []


def test_a_guest_has_an_identifier_and_a_name_made_of_it() -> None:
    user_id = guest_id(bytes(range(16)))
    assert user_id == "g_aaaqeayeaudaocajbifqydiob4"
    assert given_name(user_id) == "guest-aaaqeaye"
    assert parse_user_name(given_name(user_id)) == "guest-aaaqeaye"
