"""The names that the server gives to rooms: of private ones, and of the direct rooms of two people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import steady
from trichat.core.errors import Refusal
from trichat.core.names import (
    UserId,
    direct_room_name,
    fold_name,
    is_given,
    parse_new_room_name,
    parse_room_name,
    private_room_name,
)

ids = st.builds("u_{}".format, st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=26, max_size=26)).map(UserId)


@given(ids, ids)
@steady
def test_two_people_have_one_direct_room_whoever_opens_it(one: UserId, other: UserId) -> None:
    assert direct_room_name(one, other) == direct_room_name(other, one)


@given(ids, ids, ids)
@steady
def test_other_people_have_another_direct_room(one: UserId, other: UserId, third: UserId) -> None:
    if other != third:
        assert direct_room_name(one, other) != direct_room_name(one, third)


def test_a_direct_room_is_named_as_it_always_was() -> None:
    """Stored rooms are found by this name: it must not change."""
    assert direct_room_name(UserId("u_a"), UserId("u_b")) == "@apuuzi2e7vngvuc7v4jotp3lge"


@pytest.mark.parametrize("name", [direct_room_name(UserId("u_a"), UserId("u_b")), private_room_name("abcdefghijk2")])
def test_a_given_name_is_a_rooms_name_but_cannot_be_taken(name: str) -> None:
    assert fold_name(name) == name
    assert is_given(parse_room_name(name))
    with pytest.raises(Refusal) as caught:
        parse_new_room_name(name)
    assert (caught.value.code, caught.value.field) == ("bad_field", "room")


@pytest.mark.parametrize("name", ["lobby", "a~", "a@b", "-~", "会議"])
def test_other_names_can_be_taken(name: str) -> None:
    assert parse_new_room_name(name) == name
    assert not is_given(parse_room_name(name))


@pytest.mark.parametrize("name", ["", "Lobby", "a b", "a" * 65, "~", "@", "~lobby", "@ann"])
def test_what_is_no_name_for_a_new_room_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_new_room_name(name)
    assert (caught.value.code, caught.value.field) == ("bad_field", "room")
