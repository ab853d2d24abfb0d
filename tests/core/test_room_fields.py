"""The fields of the commands that govern rooms: taken as they are, or refused with the field named."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tests.properties import steady
from trichat.core.commands_rooms import Create, EditRoom
from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.core.room_fields import (
    parse_cid,
    parse_duration_ms,
    parse_edit,
    parse_given_role,
    parse_limit,
    parse_rules,
    parse_whom,
)
from trichat.core.standing import Role, RoomRules

LIMITS = Limits()

#: A value of each rule that is as large as it may be, and what it comes to.
LARGEST: dict[str, tuple[Any, Any]] = {
    "title": ("é" * 64, "é" * 64),
    "topic": ("t" * 1_024, "t" * 1_024),
    "member_limit": (100_000, 100_000),
    "slow_s": (21_600, 21_600),
    "send": ("owner", Role.OWNER),
    "history": ("joined", "joined"),
    "guests": (False, False),
}

#: Values of each rule that are no such rule's.
WRONG = [
    ("title", "t" * 129), ("title", "é" * 65), ("title", "two\nlines"), ("title", "\x1b[31mred"),
    ("title", "\u202etxt"),
    ("topic", "t" * 1_025), ("topic", "a\rb"), ("topic", "a\u2028b"), ("topic", "\x85"), ("topic", "\x7f"),
    ("member_limit", 100_001), ("member_limit", -1),
    ("slow_s", 21_601), ("slow_s", -1),
    ("send", "muted"), ("send", "Guest"), ("send", ""), ("send", "5"),
    ("history", "none"), ("history", "All"), ("history", ""),
]  # fmt: skip


def refusal_of(call: Any, *args: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        call(*args)
    assert caught.value.code == "bad_field"
    return caught.value


def test_a_room_of_which_nothing_is_said_is_public_and_open() -> None:
    assert parse_rules(Create(room="a"), LIMITS) == RoomRules()


def test_a_private_room_is_closed_to_guests() -> None:
    assert parse_rules(Create(kind="private"), LIMITS) == RoomRules(kind="private", guests=False)
    assert parse_rules(Create(kind="private", guests=False), LIMITS) == RoomRules(kind="private", guests=False)


@pytest.mark.parametrize("rule", LARGEST)
def test_what_is_just_allowed_is_taken(rule: str) -> None:
    said, meant = LARGEST[rule]
    assert getattr(parse_rules(Create(room="a", **{rule: said}), LIMITS), rule) == meant
    assert getattr(parse_edit(EditRoom(room="a", **{rule: said}), LIMITS), rule) == meant


@pytest.mark.parametrize(("rule", "value"), WRONG)
def test_what_is_no_such_rule_is_refused_by_its_name(rule: str, value: Any) -> None:
    assert refusal_of(parse_rules, Create(room="a", **{rule: value}), LIMITS).field == rule
    assert refusal_of(parse_edit, EditRoom(room="a", **{rule: value}), LIMITS).field == rule


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"kind": "direct"}, "kind"), ({"kind": "secret"}, "kind"), ({"kind": "private", "guests": True}, "guests")],
)
def test_a_kind_that_cannot_be_made_so_is_refused(fields: dict[str, Any], field: str) -> None:
    assert refusal_of(parse_rules, Create(**fields), LIMITS).field == field


def test_a_direct_room_is_opened_by_its_own_command() -> None:
    assert '"type":"direct"' in refusal_of(parse_rules, Create(kind="direct"), LIMITS).message


def test_what_an_edit_does_not_name_stays() -> None:
    edit = parse_edit(EditRoom(room="a", topic=""), LIMITS)
    assert edit.topic == ""
    assert {name for name in edit.__struct_fields__ if getattr(edit, name) is not UNSET} == {"topic"}


@given(st.text(max_size=140), st.sampled_from(["title", "topic"]))
@steady
def test_a_fuzzed_line_is_kept_as_it_is_or_refused_by_its_name(text: str, field: str) -> None:
    fields: dict[str, Any] = {field: text}
    try:
        rules = parse_rules(Create(room="a", **fields), LIMITS)
    except Refusal as refusal:
        assert (refusal.code, refusal.field) == ("bad_field", field)  # noqa: PT017  # both outcomes are right
        return
    kept = getattr(rules, field)
    assert kept == text
    assert len(kept.splitlines()) <= 1
    assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(character) for character in kept}
    assert msgspec.json.decode(msgspec.json.encode(kept)) == text


@pytest.mark.parametrize(
    ("name", "role"), [("member", Role.MEMBER), ("moderator", Role.MODERATOR), ("admin", Role.ADMIN)]
)
def test_these_roles_can_be_given(name: str, role: Role) -> None:
    assert parse_given_role(name) is role


@pytest.mark.parametrize("name", ["owner", "guest", "muted", "Admin", ""])
def test_other_roles_cannot_be_given(name: str) -> None:
    assert refusal_of(parse_given_role, name).field == "role"


def test_a_duration_is_from_a_second_to_ten_years() -> None:
    assert parse_duration_ms(1, LIMITS) == 1_000
    assert parse_duration_ms(315_360_000, LIMITS) == 315_360_000_000
    assert parse_duration_ms(UNSET, LIMITS) is None


@pytest.mark.parametrize("seconds", [0, -1, 315_360_001, 2**53 - 1])
def test_another_duration_is_refused(seconds: int) -> None:
    assert refusal_of(parse_duration_ms, seconds, LIMITS).field == "for_s"


@pytest.mark.parametrize("text", ["a", "u_" + "a" * 26, "é" * 32])
def test_whom_is_a_name_or_an_id(text: str) -> None:
    assert parse_whom(text, LIMITS) == text


@pytest.mark.parametrize("text", ["", "a" * 65, "é" * 33])
def test_what_can_name_nobody_is_refused(text: str) -> None:
    assert refusal_of(parse_whom, text, LIMITS).field == "user"


def test_a_cid_is_as_for_a_message() -> None:
    assert parse_cid(None, LIMITS) is None
    assert parse_cid("c" * 64, LIMITS) == "c" * 64
    assert refusal_of(parse_cid, "", LIMITS).field == "cid"
    assert refusal_of(parse_cid, "c" * 65, LIMITS).field == "cid"


def test_a_page_is_as_long_as_asked_and_no_longer_than_the_limit() -> None:
    assert [parse_limit(asked, 100) for asked in (1, 100, 101, 2**53 - 1)] == [1, 100, 100, 100]
    assert parse_limit(UNSET, 100) == 100
    assert refusal_of(parse_limit, 0, 100).field == "limit"
