"""Which names a text mentions."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import steady
from trichat.core.mentions import means_room, names_in


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ann", ["ann"]),
        ("hello @ann and @bob", ["ann", "bob"]),
        ("@ann, @bob: hi", ["ann", "bob"]),
        ("@ann @bob @ann", ["ann", "bob"]),
        ("@Ann", ["Ann"]),
        ("@josé @नमस्ते", ["josé", "नमस्ते"]),
        ("@ann-marie_o.k", ["ann-marie_o.k"]),
        ("-@ann", ["ann"]),
    ],
)
def test_a_name_behind_an_at_is_mentioned_once(text: str, names: list[str]) -> None:
    assert names_in(text, 50) == [(name,) for name in names]


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("@ann.", ("ann.", "ann")),
        ("(@ann)", ("ann)", "ann")),
        ("@ann's hat", ("ann's", "ann")),
        ("“@ann!?”", ("ann!?”", "ann")),
        ("@ann's.", ("ann's.", "ann's", "ann")),
        ("@ann\u200b", ("ann\u200b", "ann")),
    ],
)
def test_what_may_be_the_name_or_the_sentence_is_given_both_ways_the_longest_first(
    text: str, readings: tuple[str, ...]
) -> None:
    assert names_in(text, 50) == [readings]


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "@ ann", "ann@site.org", "a.@site", "@@ann", "site.org/@ann", "first+@ann", "é@ann", "_@ann",
        r"\@ann", "@ann@site.org", "@ann@bob", "@" + "x" * 65, "@,", "@#ann",
    ],
)  # fmt: skip
def test_an_address_a_path_or_a_lone_sign_mentions_nobody(text: str) -> None:
    assert names_in(text, 50) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("`@ann` @bob", ["bob"]),
        ("``@ann ` @bob`` @cat", ["cat"]),
        ("```\n@ann\n```\n@bob", ["bob"]),
        ("`@ann @bob", ["ann", "bob"]),
        (r"\`@ann` @bob", ["ann", "bob"]),
        (r"\\`@ann` @bob", ["bob"]),
        (r"`c:\` @ann", ["ann"]),
        ("`` @ann ` @bob", ["ann", "bob"]),
        ("`x` @ann `@bob` @cat", ["ann", "cat"]),
    ],
)
def test_in_code_nobody_is_mentioned(text: str, names: list[str]) -> None:
    assert names_in(text, 50) == [(name,) for name in names]


def test_what_comes_after_the_most_is_text() -> None:
    assert names_in("@a @b @a @c @d", 3) == [("a",), ("b",), ("c",)]


def test_a_word_for_the_room_is_none_for_a_person() -> None:
    assert [name for name in ("room", "all", "here", "everyone", "Room", "rooms", "ann") if means_room(name)] == [
        "room", "all", "here", "everyone", "Room",
    ]  # fmt: skip


_SIGNS = st.sampled_from(["@", "`", "\\", " ", "a", ".", "é", "\u0301", "😀", "\u200b", "@ann ", "``"])


@steady
@given(st.one_of(st.text(), st.lists(_SIGNS, max_size=200).map("".join)))
def test_any_text_is_read_and_what_is_found_stands_in_it(text: str) -> None:
    mentions = names_in(text, 50)
    assert len(mentions) == len(set(mentions)) <= 50
    for readings in mentions:
        assert 1 <= len(readings) <= 3
        assert sorted(readings, key=len, reverse=True) == list(readings)
        assert all("@" + name in text and 0 < len(name) <= 64 for name in readings)


@pytest.mark.parametrize(
    "text",
    [
        "@" * 65_536, "`@" * 32_768, "\\" * 65_536 + "`", "@a " * 21_845, "`" * 3 + "@a`" * 20_000, "@" + "." * 65_535,
        "".join("`" * length + "a" for length in range(360)), "\\`" * 32_768, "@ann's" * 10_000,
    ],
    ids=range(9),
)  # fmt: skip
def test_the_longest_texts_are_read_at_once(text: str) -> None:
    begun = time.process_time()
    names_in(text, 1_000_000)
    assert time.process_time() - begun < 0.5  # 3 to 25 ms each, measured
