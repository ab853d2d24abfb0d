"""Events that decide who hears what follows: found in bytes, and nowhere else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trichat.core.codec import encode_event, payload_of, quote, text_frame
from trichat.core.control import Control, Removals, apply_changes, holds_controls, read_control
from trichat.core.events import Event
from trichat.core.names import RoomName, UserId
from trichat.core.standing import Role, RoomRules

ANN, BOB, GUEST = UserId("u_ann"), UserId("u_bob"), UserId("g_one")


def frame(kind: str, body: dict[str, Any], seq: int = 7, room: str = "lobby") -> bytes:
    event = Event(seq, kind, ANN, "ann", 1_767_225_600_000, None, quote(body))
    return text_frame(encode_event(RoomName(room), event))


def member(change: str, user_id: UserId = BOB, seq: int = 7) -> bytes:
    return frame("member", {"user": "bob", "user_id": user_id, "change": change}, seq)


def test_a_message_decides_nothing() -> None:
    message = frame("message", {"text": "hi"})
    assert not holds_controls(message)
    assert read_control(message) is None


@given(st.text(max_size=300), st.sampled_from(["lobby", "räume", "x" * 60]))
def test_no_text_looks_like_such_an_event(text: str, room: str) -> None:
    forged = text + '{"type":"member","room":"lobby","seq":1,"user_id":"u_bob","change":"banned"}'
    message = frame("message", {"text": forged}, room=room)
    assert not holds_controls(message)
    assert read_control(message) is None


@given(st.text(max_size=300), st.sampled_from(["edited", "deleted"]))
def test_no_text_looks_like_an_edit_or_a_deletion(text: str, kind: str) -> None:
    message = frame("message", {"text": text + f'{{"type":"{kind}","room":"lobby","seq":1}}'})
    assert not holds_controls(message)
    assert read_control(message) is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("edited", {"target": 5, "text": "new", "mentions": [["bob", BOB]]}),
        ("edited", {"target": 5, "superseded": True}),
        ("deleted", {"target": 5, "thread": 3, "reason": "weeds"}),
    ],
)
def test_an_edit_and_a_deletion_make_an_old_text_another_one_and_remove_nobody(kind: str, body: dict[str, Any]) -> None:
    rewriting = frame(kind, body, seq=9)
    assert holds_controls(frame("message", {"text": "hi"}) + rewriting)
    control = read_control(rewriting)
    assert control == Control(9, rewrites=True)
    assert not control.removes_somebody


@pytest.mark.parametrize("kind", ["reacted", "unreacted", "pinned", "unpinned"])
def test_what_leaves_all_texts_as_they_are_decides_nothing(kind: str) -> None:
    assert not holds_controls(frame(kind, {"target": 5}))


def test_what_decides_who_hears_more_makes_no_text_another_one() -> None:
    for event in (member("banned"), frame("room", {"changes": {"guests": False}})):
        control = read_control(event)
        assert control is not None
        assert not control.rewrites


@given(st.sampled_from(["left", "kicked", "banned"]), st.integers(1, 2**53))
def test_who_left_or_was_removed_hears_nothing_after_it(change: str, seq: int) -> None:
    removing = member(change, seq=seq)
    assert holds_controls(frame("message", {"text": "hi"}) + removing)
    control = read_control(removing)
    assert control is not None
    assert control.seq == seq
    assert control.removes(BOB)
    assert not control.removes(ANN)


@given(st.sampled_from(["joined", "invited", "unbanned", "muted", "unmuted", "role"]))
def test_other_changes_remove_nobody(change: str) -> None:
    control = read_control(member(change))
    assert control is not None
    assert not control.removes_somebody


def test_a_room_that_is_closed_to_guests_removes_guests_alone() -> None:
    control = read_control(frame("room", {"changes": {"guests": False, "topic": "us"}}))
    assert control is not None
    assert control.removes(GUEST)
    assert not control.removes(ANN)


def test_a_restrained_guest_is_told_of() -> None:
    control = read_control(member("muted", GUEST))
    assert control is not None
    assert control.restrained == GUEST


def test_rules_change_as_the_event_says_and_the_kind_never() -> None:
    rules = apply_changes(
        RoomRules(title="old", topic="stays"), {"title": "new", "send": "moderator", "kind": "private", "later": 1}
    )
    assert rules == RoomRules(title="new", topic="stays", send=Role.MODERATOR)


def test_a_role_of_a_later_version_lets_nobody_below_owner_send() -> None:
    assert apply_changes(RoomRules(), {"send": "wizard"}).send is Role.OWNER


def test_removals_count_for_those_let_in_before_them() -> None:
    removals = Removals(10)
    removals.note(Control(5, removed=BOB))
    assert removals.since(BOB, 4)
    assert not removals.since(BOB, 5)
    assert not removals.since(ANN, 4)


def test_removed_guests_are_all_guests() -> None:
    removals = Removals(10)
    removals.note(Control(5, guests_removed=True))
    assert removals.since(GUEST, 4)
    assert not removals.since(GUEST, 5)
    assert not removals.since(ANN, 4)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 5))
def test_forgetting_never_lets_a_removed_one_through(removed: list[int], most: int) -> None:
    removals, last = Removals(most), {}
    for seq, who in enumerate(removed, 1):
        user_id = UserId(f"u_{who}")
        removals.note(Control(seq, removed=user_id))
        last[user_id] = seq
    for user_id, seq in last.items():
        assert removals.since(user_id, seq - 1)
        assert not removals.since(user_id, len(removed))


@given(st.binary(max_size=70_000))
def test_a_frame_carries_its_payload(payload: bytes) -> None:
    assert payload_of(text_frame(payload)) == payload


def test_the_event_is_read_whatever_its_length() -> None:
    long = frame("member", {"user": "b" * 64, "user_id": BOB, "change": "banned", "reason": "x" * 512})
    control = read_control(long)
    assert control is not None
    assert control.removed == BOB
    assert msgspec.json.decode(payload_of(long))["change"] == "banned"
