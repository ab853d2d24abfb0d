"""Names of accounts: one spelling for each, no look-alikes, and some that nobody gets."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from functools import partial
from timeit import repeat
from unicodedata import is_normalized

import pytest
from confusable_homoglyphs.confusables import confusables_data
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties import steady
from trichat.core.account_names import RESERVED, is_reserved, load_name_tables, parse_account_name, skeleton
from trichat.core.errors import Refusal
from trichat.core.names import name_key

#: Any text at all, surrogates too, with many of the characters that rules are about.
any_text = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Ll", "Lu", "Lo", "Nd", "Mn", "Mc"]),
        st.sampled_from("aAmrn1l0oO-_.@#:/,~ \0İΣ\u03c3ς\u0131\u0301\u0345\u200c\u200d\u05d0\u0661\u06f1\u30fb·\ud800"),
    )
)
#: What people are called, so that most are taken.
likely_name = st.text(st.characters(categories=["Ll", "Lu", "Lo", "Nd"]), min_size=1, max_size=12)


def refusal_of(text: str, limit: int = 64) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_account_name(text, limit)
    return caught.value


def outcome(text: str, field: str = "name") -> str | Refusal:
    try:
        return parse_account_name(text, field=field)
    except Refusal as refusal:
        return refusal


def taken(text: str) -> str | None:
    result = outcome(text)
    return result if isinstance(result, str) else None


@pytest.mark.parametrize(
    "name", ["ann", "o'neill", "a.b-c_d", "søren", "łukasz", "straße", "комната", "李", "דוד", "7"]
)
def test_a_good_name_is_taken_as_it_is(name: str) -> None:
    assert parse_account_name(name) == name


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Ann", "ann"),
        ("\u212aevin", "kevin"),
        ("\uff2bevin", "kevin"),
        ("ZOE\u0308", "zoë"),
        ("ΌΣΟΣ", "όσος"),
        ("paypaI", "paypai"),
    ],
)
def test_a_name_has_one_spelling(typed: str, name: str) -> None:
    assert parse_account_name(typed) == name


@given(st.one_of(any_text, likely_name))
@example("İ\u0307")
@example("\uff76\uff9e")
@example("l·l")
@steady
def test_a_name_is_refused_or_has_one_spelling_that_is_taken_again(text: str) -> None:
    name = taken(text)
    if name is not None:
        assert parse_account_name(name) == name
        assert 1 <= len(name.encode()) <= 64
        assert not set(name) & set("@#:/, ")


@given(likely_name)
@steady
def test_letters_and_digits_keep_their_key(text: str) -> None:
    name = taken(text)
    if name is not None:
        assert name_key(name) == name_key(text)


@given(any_text)
@steady
def test_a_refusal_names_the_field_and_can_be_printed(text: str) -> None:
    result = outcome(text, field="new_name")
    if isinstance(result, Refusal):
        assert (result.code, result.field) == ("bad_field", "new_name")
        assert result.message.startswith("new_name ")
        assert result.message.isprintable()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("an n", "blank (U+0020)"),
        ("an\u00a0n", "blank (U+00A0)"),
        ("a\nn", "blank (U+000A)"),
        ("a\0n", "U+0000"),
        ("a\x1bn", "U+001B"),
        ("a\ud800n", "U+D800"),
        ("a\u200bn", "U+200B"),
        ("a\u202en", "U+202E"),
        ("a\u0378n", "U+0378"),
        ("a🙂n", "🙂 (U+1F642)"),
        ("ﬁn", "ﬁ (U+FB01)"),
        ("a·n", "· (U+00B7)"),
        ("aא", "from the right"),
        ("ann@home", "@"),
        ("#ann", "#"),
        ("room:ann", ":"),
        ("a/b", "/"),
        ("ann,bob", ","),
        ("\uff20nn", "@"),
        ("guest-1", "guest-"),
        ("GUEST-1", "guest-"),
        ("\uff47uest-1", "guest-"),
        ("~ann", "~"),
        ("\u0301ann", "U+0301"),
        ("a" * 65, "64 bytes"),
        ("é" * 33, "64 bytes"),
        ("é" * 257, "64 bytes"),
        ("\ud800" * 257, "64 bytes"),
    ],
)
def test_a_bad_name_is_told_its_fault(text: str, words: str) -> None:
    refusal = refusal_of(text)
    assert (refusal.code, refusal.field) == ("bad_field", "name")
    assert words in refusal.message
    assert refusal.message.isprintable()


def test_the_limit_is_of_the_name_in_its_one_spelling() -> None:
    assert parse_account_name("A\u030a" * 32) == "å" * 32
    assert "10 bytes" in refusal_of("a" * 11, limit=10).message


def test_every_single_character_is_a_name_or_is_refused() -> None:
    names = {taken(chr(code)) for code in range(0, sys.maxunicode + 1, 7)} - {None}
    assert len(names) > 10_000


def test_five_megabytes_are_refused_without_work() -> None:
    text = "\ud800é\0" * 1_700_000
    assert min(repeat(partial(refusal_of, text), number=1, repeat=3)) < 0.01


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann", "\u0430nn"),  # Cyrillic a
        ("paypal", "paypa1"),
        ("mark", "rnark"),
        ("bob", "b0b"),
        ("bob", "b\u03bfb"),  # Greek omicron
        ("kevin", "kev\u0131n"),
        ("kevin", "\U0001d424evin"),
        ("scope", "\u0455\u0441\u043e\u0440\u0435"),
        ("straße", "strasse"),
        ("annie", "ann\u200cie"),
        ("0", "\u09e6"),  # Bengali zero
        ("l", "\u05df"),  # Hebrew final nun
    ],
)
def test_look_alikes_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


def test_each_pair_of_the_library_that_names_can_hold_has_one_skeleton() -> None:
    pairs = {(left, right["c"]) for left, rights in confusables_data.items() for right in rights}
    of_names = [pair for pair in pairs if all(taken(one) == one and is_normalized("NFD", one) for one in pair)]
    assert len(of_names) > 1000
    assert [(left, right) for left, right in of_names if skeleton(left) != skeleton(right)] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("carl", "cari"),
        ("ali", "all"),
        ("jose", "josé"),
        ("dora", "clora"),
        ("wim", "vvim"),
        ("ann", "anna"),
        ("o", "ø"),
    ],
)
def test_names_that_can_be_told_apart_stay_apart(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@given(st.one_of(any_text, likely_name))
@example("0\u0301m1")
@example("\u0345\u1fb3")
@steady
def test_the_skeleton_of_a_skeleton_is_that_skeleton(text: str) -> None:
    assert skeleton(skeleton(text)) == skeleton(text)


def test_the_skeleton_of_every_single_character_is_settled() -> None:
    assigned = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) not in {"Cn", "Co", "Cs"}]
    assert [c for c in assigned if skeleton(skeleton(c)) != skeleton(c)] == []


@given(likely_name)
@steady
def test_case_width_and_composition_leave_the_skeleton_alone(text: str) -> None:
    for other in (name_key(text), unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text)):
        assert skeleton(other) == skeleton(text)


@given(likely_name)
@steady
def test_what_is_a_name_has_a_skeleton(text: str) -> None:
    assert taken(text) is None or skeleton(text)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_reserved_name_is_a_name_and_reserved_in_every_case(name: str) -> None:
    assert parse_account_name(name) == name
    assert is_reserved(name)
    assert is_reserved(name.upper())


@pytest.mark.parametrize(
    "name",
    [
        "\u0430dmin", "adrnin", "adm1n", "Adm1n", "r00t", "r\u043e\u043et", "a1l", "al1", "rn0d", "h\u0435lp",
        "off1cia1", "nu11", "guest-1", "gu\u0435st-1", "\uff47uest-",
    ],
)  # fmt: skip
def test_what_looks_like_a_reserved_name_is_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize(
    "name",
    ["ann", "ali", "al", "robert", "moda", "badmin", "admin2", "ro", "guestav", "m", "1", "heli", "bo", "nan", "nil"],
)
def test_names_of_people_are_not_reserved(name: str) -> None:
    assert not is_reserved(name)


def test_a_skeleton_costs_little_once_the_tables_are_loaded() -> None:
    load_name_tables()
    for name in ("margarete", "мария-77"):
        assert min(repeat(partial(skeleton, name), number=100, repeat=5)) / 100 < 0.001


def test_the_tables_are_not_loaded_with_the_module() -> None:
    code = "import sys, trichat.core.account_names; print({'precis_i18n', 'confusable_homoglyphs'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
