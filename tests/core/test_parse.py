"""Parsing: every bad input has its own clear error, and nothing but a Refusal ever comes of it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import steady
from trichat.core.command import Command
from trichat.core.commands import COMMANDS, AnyCommand, Hello, History, Join, Ping, Position, Resume, Send
from trichat.core.errors import Refusal
from trichat.core.parse import MAX_SEQ, MAX_WARNED_CHARS, MAX_WARNINGS, Parsed, parse_command


def refusal_of(frame: str | bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_command(frame if isinstance(frame, bytes) else frame.encode())
    return caught.value


def parse(frame: str) -> Command:
    parsed = parse_command(frame.encode())
    assert parsed.unknown == ()
    return parsed.command


# no command at all


@pytest.mark.parametrize(
    "frame",
    ["", " ", "hello", "{", '{"type":"ping"', "{'type':'ping'}", '{"type":"ping",}', '{"type":"ping"} {}', "\0"],
)
def test_a_line_of_text_is_told_what_to_type(frame: str) -> None:
    refusal = refusal_of(frame)
    assert refusal.code == "bad_frame"
    assert "not JSON" in refusal.message
    assert '{"type":"join","room":"lobby"}' in refusal.message


@pytest.mark.parametrize("frame", ["null", "true", "7", '"ping"', "[]", '[{"type":"ping"}]'])
def test_json_that_is_no_object_is_no_command(frame: str) -> None:
    refusal = refusal_of(frame)
    assert refusal.code == "bad_frame"
    assert "one JSON object" in refusal.message


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("before", ["", '{"type":"ping","x":', '{"type":"send","room":"a","text":', '{"id":'])
def test_nesting_without_end_is_refused(opening: str, before: str) -> None:
    assert refusal_of(before + opening * 100_000).code == "bad_frame"


def test_nesting_that_is_well_formed_is_refused_all_the_same() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    refusal = refusal_of(f'{{"type":"ping","id":1,"x":{deep}}}')
    assert refusal.code == "bad_frame"
    assert "nested too deep" in refusal.message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "0x1", "1e"])
@pytest.mark.parametrize("field", ["id", "since", "unknown"])
def test_what_is_no_number_of_json_is_not_json(number: str, field: str) -> None:
    assert refusal_of(f'{{"type":"join","room":"a","{field}":{number}}}').code == "bad_frame"


@pytest.mark.parametrize("before", ["", "a" * 10, "a" * 5000])
@pytest.mark.parametrize("after", ["", "b" * 10, "b" * 5000])
@pytest.mark.parametrize("escape", [r"\ud800", r"\uDBFF", r"\udc00", r"\udc00\ud800", r"\ud800\u0041", r"\ud800\n"])
def test_a_lone_surrogate_is_named(before: str, after: str, escape: str) -> None:
    refusal = refusal_of(f'{{"type":"send","room":"a","text":"{before}{escape}{after}"}}')
    assert refusal.code == "bad_frame"
    assert "lone surrogate" in refusal.message


@pytest.mark.parametrize("frame", [r'{"type":"ping","x":"\ud800"}', r'{"type":"ping","\ud800":1}', r'{"\udfff":1}'])
def test_a_lone_surrogate_is_refused_wherever_it_stands(frame: str) -> None:
    assert "lone surrogate" in refusal_of(frame).message


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse(r'{"type":"send","room":"a","text":"\ud83d\ude42"}') == Send(room="a", text="🙂")


# fields


@pytest.mark.parametrize("frame", ["{}", '{"room":"lobby"}', '{"Type":"ping"}', '{"id":"1"}'])
def test_a_missing_type_is_named(frame: str) -> None:
    refusal = refusal_of(frame)
    assert (refusal.code, refusal.field) == ("bad_field", "type")
    assert "type is missing" in refusal.message


@pytest.mark.parametrize("value", ["null", "5", "true", "[]", "{}", '["ping"]'])
def test_a_type_that_is_no_text_is_named(value: str) -> None:
    refusal = refusal_of(f'{{"type":{value}}}')
    assert (refusal.code, refusal.field) == ("bad_field", "type")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("jion", "join"),
        ("snd", "send"),
        ("Send", "send"),
        ("histroy", "history"),
        ("member", "members"),
        ("quux", None),
    ],
)
def test_an_unknown_type_is_answered_with_the_nearest(typed: str, meant: str | None) -> None:
    refusal = refusal_of(json.dumps({"type": typed, "id": "7"}))
    assert (refusal.code, refusal.field, refusal.id) == ("unknown_type", "type", "7")
    assert f'"{typed}"' in refusal.message
    assert (f"did you mean {meant}?" if meant else '{"type":"help"}') in refusal.message


def test_an_endless_type_is_not_said_back() -> None:
    assert len(refusal_of(json.dumps({"type": "x" * 60_000})).message) < 200


REQUIRED = [
    (kind, field.encode_name)
    for kind, command in COMMANDS.items()
    for field in msgspec.structs.fields(command)
    if field.required
]
FIELDS = [
    (kind, field.encode_name, str(field.type))
    for kind, command in COMMANDS.items()
    for field in msgspec.structs.fields(command)
    if field.encode_name != "id"
]
TEXTS = [(kind, field) for kind, field, wanted in FIELDS if "str" in wanted and "dict" not in wanted]
#: Values of each type that some field has, and of types that none has.
VALUES = {"str": "x", "int": 7, "None": None, "list": [], "bool": True, "float": 1.5, "dict": {"x": 5}}
ILL_TYPED = [
    (kind, field, value)
    for kind, field, wanted in FIELDS
    for type_name, value in VALUES.items()
    if type_name == "dict" or "dict" in wanted or type_name not in wanted
]


def sample(kind: str) -> dict[str, Any]:
    """A command that is right."""
    values: dict[object, Any] = {str: "x", int: 1, dict[str, Position]: {"x": {"since": 1}}}
    fields = msgspec.structs.fields(COMMANDS[kind])
    return {"type": kind, "id": "7", **{field.encode_name: values[field.type] for field in fields if field.required}}


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_samples_are_right(kind: str) -> None:
    assert parse_command(json.dumps(sample(kind)).encode()).command.id == "7"


@pytest.mark.parametrize(("kind", "field"), REQUIRED)
def test_a_missing_field_is_named(kind: str, field: str) -> None:
    command = sample(kind)
    del command[field]
    refusal = refusal_of(json.dumps(command))
    assert (refusal.code, refusal.field, refusal.id) == ("bad_field", field, "7")
    assert refusal.message.startswith(f"{field} is missing")
    assert f'{{"type":"help","of":"{kind}"}}' in refusal.message


@pytest.mark.parametrize(("kind", "field", "value"), ILL_TYPED)
def test_an_ill_typed_field_is_named(kind: str, field: str, value: object) -> None:
    refusal = refusal_of(json.dumps({**sample(kind), field: value}))
    assert (refusal.code, refusal.field, refusal.id) == ("bad_field", field, "7")
    assert refusal.message.startswith(f"{field}: ")


@pytest.mark.parametrize(("kind", "field"), TEXTS)
def test_u0000_is_refused_in_every_text(kind: str, field: str) -> None:
    refusal = refusal_of(json.dumps({**sample(kind), field: "a\0b"}))
    assert (refusal.code, refusal.field, refusal.id) == ("bad_field", field, "7")
    assert "U+0000" in refusal.message


def test_u0000_is_refused_in_the_names_of_a_resume() -> None:
    assert refusal_of(r'{"type":"resume","rooms":{"a\u0000":{"since":1}}}').field == "rooms"


@pytest.mark.parametrize("number", ["-1", str(MAX_SEQ + 1), str(2**63), str(2**64), "9" * 5000, "-" + "9" * 5000])
@pytest.mark.parametrize("unknown", ["", ',"x":1'])
def test_a_number_out_of_range_is_named(number: str, unknown: str) -> None:
    refusal = refusal_of(f'{{"type":"events","room":"a","id":"7","since":{number}{unknown}}}')
    assert (refusal.code, refusal.field, refusal.id) == ("bad_field", "since", "7")


@pytest.mark.parametrize("number", ["1e999", "1.5", '"1"', "-1", "9" * 5000])
def test_a_position_out_of_range_is_named(number: str) -> None:
    refusal = refusal_of(f'{{"type":"resume","id":"7","rooms":{{"a":{{"since":{number}}}}}}}')
    assert (refusal.code, refusal.field, refusal.id) == ("bad_field", "rooms", "7")


def test_the_largest_number_of_a_position_is_taken() -> None:
    assert parse(f'{{"type":"join","room":"a","since":{MAX_SEQ}}}') == Join(room="a", since=MAX_SEQ)


# ids


@pytest.mark.parametrize("written", ['"1"', '""', "0", "-5", "1.5", "1e3", "null", '"' + "é" * 64 + '"', "9" * 64])
@pytest.mark.parametrize("unknown", ["", ',"x":1'])
def test_an_id_is_a_text_or_a_number(written: str, unknown: str) -> None:
    assert parse_command(f'{{"type":"ping","id":{written}{unknown}}}'.encode()).command.id == json.loads(written)


@pytest.mark.parametrize(
    "written",
    ["true", "[]", "{}", "1e999", "-1e999", '"' + "é" * 65 + '"', "9" * 65, "9" * 5000, "-" + "9" * 64],
)
@pytest.mark.parametrize("rest", ['"type":"ping"', '"type":"ping","x":1', '"type":"jion"', '"x":1'])
def test_any_other_id_is_refused_and_never_said_back(written: str, rest: str) -> None:
    refusal = refusal_of(f'{{{rest},"id":{written}}}')
    assert (refusal.code, refusal.field, refusal.id) == ("bad_field", "id", None)


def test_u0000_is_refused_in_an_id() -> None:
    refusal = refusal_of(r'{"type":"ping","id":"a\u0000"}')
    assert (refusal.code, refusal.field) == ("bad_field", "id")


def test_the_limit_of_an_id_can_be_set() -> None:
    assert parse_command(b'{"type":"ping","id":"abc"}', id_chars=3).command.id == "abc"
    with pytest.raises(Refusal, match="at most 3 characters"):
        parse_command(b'{"type":"ping","id":"abcd"}', id_chars=3)


# unknown fields


def test_an_unknown_field_is_ignored_and_named() -> None:
    parsed = parse_command(b'{"type":"send","room":"a","text":"hi","txet":"ho","id":2}')
    assert parsed == Parsed(Send(room="a", text="hi", id=2), ("txet",))


@pytest.mark.parametrize("value", ["null", "1e999", "9" * 5000, "[[[]]]", '{"type":"send"}', '"\\u0000"'])
def test_what_an_unknown_field_holds_does_not_matter(value: str) -> None:
    assert parse_command(f'{{"type":"ping","x":{value}}}'.encode()) == Parsed(Ping(), ("x",))


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_command_ignores_unknown_fields(kind: str) -> None:
    right = parse_command(json.dumps(sample(kind)).encode())
    assert parse_command(json.dumps({**sample(kind), "x": 1}).encode()) == Parsed(right.command, ("x",))


def test_only_so_many_unknown_fields_are_named_and_only_so_much_of_each() -> None:
    fields = {f"{at}{'x' * 1000}": at for at in range(50)}
    unknown = parse_command(json.dumps({"type": "ping", **fields}).encode()).unknown
    assert len(unknown) == MAX_WARNINGS
    assert all(len(name) == MAX_WARNED_CHARS for name in unknown)


# properties

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
seq = st.integers(0, MAX_SEQ)
ids = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=64), seq)
optional_seq = st.one_of(st.just(msgspec.UNSET), seq)
commands = st.one_of(
    st.builds(Ping, id=ids),
    st.builds(Hello, id=ids, name=text),
    st.builds(Join, id=ids, room=text, since=optional_seq, epoch=st.one_of(st.just(msgspec.UNSET), text)),
    st.builds(Resume, id=ids, rooms=st.dictionaries(text, st.builds(Position, since=seq), max_size=5)),
    st.builds(Send, id=ids, room=text, text=text, cid=st.one_of(st.none(), text)),
    st.builds(History, id=ids, room=text, before=optional_seq, limit=optional_seq),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=8,
)
field_names = st.sampled_from(sorted({name for _, name, _ in FIELDS} | {"id", "x", "\0", "\ud800"}))


@given(commands)
@steady
def test_a_command_that_is_written_is_read_again(command: AnyCommand) -> None:
    assert parse_command(msgspec.json.encode(command)) == Parsed(command)


@given(commands, st.text(st.characters(exclude_categories=["Cs"])), json_values)
@steady
def test_an_unknown_field_changes_nothing(command: AnyCommand, name: str, value: object) -> None:
    fields = json.loads(msgspec.json.encode(command))
    if name in {field.encode_name for field in msgspec.structs.fields(type(command))} | {"type"}:
        return
    frame = json.dumps({**fields, name: value}, allow_nan=True)
    try:
        parsed = parse_command(frame.encode())
    except Refusal as refusal:
        assert refusal.code == "bad_frame"  # noqa: PT017  # the value is no JSON: NaN, or a lone surrogate
    else:
        assert parsed == Parsed(command, (name[:MAX_WARNED_CHARS],))


@given(st.one_of(st.binary(), st.text().map(lambda said: said.encode("utf-8", "surrogatepass"))))
@steady
def test_arbitrary_bytes_are_only_ever_refused(frame: bytes) -> None:
    with pytest.raises(Refusal):
        parse_command(frame)


@given(st.sampled_from(sorted(COMMANDS)), st.dictionaries(field_names, json_values))
@steady
def test_a_command_with_arbitrary_fields_is_taken_or_refused(kind: str, fields: dict[str, object]) -> None:
    frame = json.dumps({"type": kind, **fields}).encode()
    try:
        parsed = parse_command(frame)
    except Refusal as refusal:
        assert refusal.code in ("bad_frame", "bad_field")  # noqa: PT017
        assert refusal.field is None or refusal.field in fields or "missing" in refusal.message  # noqa: PT017
        assert refusal.id is None or refusal.id == fields["id"]  # noqa: PT017
    else:
        assert type(parsed.command) is COMMANDS[kind]
