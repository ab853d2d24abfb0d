"""Replies: `type` first, `id` second, no member without meaning; an error for every code."""

from __future__ import annotations

import json

import msgspec
import pytest

from trichat.core import replies
from trichat.core.codec import encode_reply
from trichat.core.errors import ERROR_CODES, CommandId, Refusal
from trichat.core.replies import (
    Ack,
    Caution,
    Error,
    Gap,
    Goodbye,
    Left,
    Ok,
    Pong,
    Reply,
    Status,
    Welcome,
    WelcomeLimits,
    error_of,
)
from trichat.core.replies_conversation import FollowReply, PresenceDiff, ReadReply, SeenReply, TypingPush
from trichat.core.replies_people import Expiring

#: As `docs/protocol.md` has them.
CODES_OF_THE_PROTOCOL = {
    "bad_frame", "bad_field", "unknown_type", "bad_state", "unauthenticated", "forbidden", "no_such_room",
    "no_such_user", "not_joined", "name_taken", "too_long", "limit_reached", "rate_limited", "bad_position",
    "cid_reused", "unavailable",
}  # fmt: skip

ALL_REPLIES = [
    kind for kind in vars(replies).values() if isinstance(kind, type) and issubclass(kind, Reply) and kind is not Reply
]

#: What the server says unasked, beside the events of logs.
PUSHED = (
    Welcome, Left, Gap, Status, Goodbye, Caution, Error, Expiring, FollowReply, PresenceDiff, ReadReply, SeenReply,
    TypingPush,
)  # fmt: skip


def encoded(reply: Reply) -> str:
    return msgspec.json.encode(reply).decode()


def sample(kind: type[Reply]) -> Reply:
    values: dict[object, object] = {
        str: "x", int: 1, bool: True, list[str]: ["x"], WelcomeLimits: WelcomeLimits(1, 2, 3, 4, 5), str | None: None,
    }  # fmt: skip
    fields = msgspec.structs.fields(kind)
    return kind(id="7", **{field.name: values.get(field.type, []) for field in fields if field.required})


@pytest.mark.parametrize("kind", ALL_REPLIES, ids=lambda kind: str(kind.__name__))
def test_type_comes_first_and_id_second(kind: type[Reply]) -> None:
    members = list(json.loads(encoded(sample(kind))))
    assert members[:2] == ["type", "id"]


@pytest.mark.parametrize("kind", ALL_REPLIES, ids=lambda kind: str(kind.__name__))
def test_a_reply_is_one_compact_text_frame(kind: type[Reply]) -> None:
    reply = sample(kind)
    frame = encode_reply(reply)
    assert frame[0] == 0x81
    assert frame.endswith(encoded(reply).encode())
    assert msgspec.json.format(encoded(reply), indent=-1) == encoded(reply)


@pytest.mark.parametrize("command_id", ["1", "", 0, 7, 1.5])
def test_an_id_is_echoed_as_it_was_given(command_id: CommandId) -> None:
    assert json.loads(encoded(Pong(id=command_id))) == {"type": "pong", "id": command_id}


def test_a_push_has_no_id() -> None:
    assert encoded(Pong()) == '{"type":"pong"}'


def test_names_that_python_keeps_for_itself_are_the_protocols_on_the_wire() -> None:
    assert encoded(Gap(room="a", from_=1, to=2, messages=3)) == (
        '{"type":"gap","room":"a","from":1,"to":2,"messages":3}'
    )
    assert encoded(Ok(for_="hello", user="ann", user_id="g_1")) == (
        '{"type":"ok","for":"hello","user":"ann","user_id":"g_1"}'
    )


def test_an_ack_says_dup_only_of_a_repeat() -> None:
    assert encoded(Ack(id="2", room="a", seq=42)) == '{"type":"ack","id":"2","room":"a","seq":42}'
    assert encoded(Ack(id="2", room="a", seq=42, cid="c", dup=True)) == (
        '{"type":"ack","id":"2","room":"a","seq":42,"cid":"c","dup":true}'
    )


def test_who_is_nobody_yet_is_welcomed_as_null() -> None:
    limits = WelcomeLimits(text=1, frame=2, rooms=3, replay=4, page=5)
    welcome = json.loads(encoded(Welcome(v=1, session="s", user=None, node="n", limits=limits, features=[])))
    assert welcome["user"] is None
    assert not {"user_id", "token"} & set(welcome)


def test_the_codes_are_those_of_the_protocol() -> None:
    assert set(ERROR_CODES) == CODES_OF_THE_PROTOCOL


@pytest.mark.parametrize("code", ERROR_CODES)
def test_every_code_says_whether_to_try_again(code: str) -> None:
    error = json.loads(encoded(error_of(Refusal(code, "said"), "7")))
    temporary = code in ("rate_limited", "unavailable")
    assert error == {"type": "error", "id": "7", "code": code, "message": "said", "temporary": temporary}


def test_an_error_carries_all_that_the_refusal_knows() -> None:
    refusal = Refusal("bad_position", "said", field="since", id=0, head=0, epoch="k3", retry_after_ms=0)
    assert error_of(refusal, room="a") == Error(
        id=0, code="bad_position", message="said", field="since", room="a", temporary=False, retry_after_ms=0, head=0,
        epoch="k3",
    )  # fmt: skip


def test_the_commands_own_id_comes_before_the_refusals() -> None:
    assert error_of(Refusal("forbidden", "said", id="1"), "2").id == "2"
    assert error_of(Refusal("forbidden", "said", id="1"), 0).id == 0
    assert error_of(Refusal("forbidden", "said", id="1")).id == "1"


@pytest.mark.parametrize("kind", PUSHED)
def test_what_is_pushed_and_no_event_of_a_log_has_no_seq(kind: type[Reply]) -> None:
    assert "seq" not in kind.__struct_fields__
