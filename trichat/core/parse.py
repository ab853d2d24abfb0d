"""From the bytes of a frame to a command, or to an error that names the field and says what to type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import NODEFAULT, Struct

from trichat.core.command import Command
from trichat.core.commands import COMMANDS, AnyCommand
from trichat.core.errors import CommandId, Refusal

#: The largest number of a position: what every JSON library can hold (2^53 - 1).
MAX_SEQ: Final = 2**53 - 1
#: Unknown fields that are warned of, at most, for one command.
MAX_WARNINGS: Final = 5
#: Characters of such a field's name that are said back.
MAX_WARNED_CHARS: Final = 64

_decode_command = msgspec.json.Decoder(AnyCommand).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_id = msgspec.json.Decoder(CommandId).decode

_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)

_EXAMPLE: Final = '{"type":"join","room":"lobby"} and then {"type":"send","room":"lobby","text":"hello"}'


class Parsed(Struct, frozen=True):
    """A command, and the names of fields that it does not have and that were therefore ignored."""

    command: AnyCommand
    unknown: tuple[str, ...] = ()


def parse_command(frame: bytes, id_chars: int = 64) -> Parsed:
    """The command in `frame`. Raises Refusal: `bad_frame` when it is no JSON object, else about a field."""
    try:
        command = _decode_command(frame)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _parse_slowly(frame, id_chars)  # finds out what is wrong, or only unknown
    _check_values(command, id_chars)
    return Parsed(command)


def _parse_slowly(frame: bytes, id_chars: int) -> Parsed:
    fields = _fields_of(frame)
    command_id = _read_id(fields, id_chars)
    try:
        kind = _kind_of(fields)
        types = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        values: dict[str, object] = {"type": str(kind.__struct_config__.tag)}
        for name, field in types.items():
            if name in fields:
                values[name] = _read_field(name, fields[name], field.type)
            elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
                example = f'; say {{"type":"help","of":"{values["type"]}"}}'
                raise Refusal("bad_field", f"{name} is missing{example}", field=name)  # noqa: TRY301
        command: AnyCommand = msgspec.convert(values, AnyCommand)
        _check_values(command, id_chars)
    except Refusal as refusal:
        refusal.id = command_id
        raise
    unknown = [name for name in fields if name not in types and name != "type"]
    return Parsed(command, tuple(name[:MAX_WARNED_CHARS] for name in unknown[:MAX_WARNINGS]))


def _fields_of(frame: bytes) -> Mapping[str, msgspec.Raw]:
    try:
        return _decode_fields(frame)
    except msgspec.ValidationError:
        raise Refusal("bad_frame", f"a frame is one JSON object, such as {_EXAMPLE}") from None
    except RecursionError:
        raise Refusal("bad_frame", "nested too deep; commands are flat JSON objects") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = _plain_reason(error, frame)
        raise Refusal("bad_frame", f"not JSON ({why}); type one JSON object a line, such as {_EXAMPLE}") from None


def _plain_reason(error: Exception, frame: bytes) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "invalid UTF-8"
    if _LONE_SURROGATE.search(frame):
        return "a lone surrogate"  # msgspec calls it truncated when it stands near the end
    return str(error).removeprefix("JSON is malformed: ")


def _read_id(fields: Mapping[str, msgspec.Raw], id_chars: int) -> CommandId:
    try:
        command_id: CommandId = _decode_id(fields.get("id", msgspec.Raw(b"null")))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refusal("bad_field", f"id is a string or a number of at most {id_chars} characters", field="id") from None
    _check_id(command_id, id_chars)
    return command_id


def _kind_of(fields: Mapping[str, msgspec.Raw]) -> type[Command]:
    if "type" not in fields:
        raise Refusal("bad_field", f"type is missing; say {_EXAMPLE}", field="type")
    name = _read_field("type", fields["type"], str)
    assert isinstance(name, str)
    if name in COMMANDS:
        return COMMANDS[name]
    near = difflib.get_close_matches(name[:32].lower(), COMMANDS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else 'say {"type":"help"}'
    shown = msgspec.json.encode(name[:32]).decode()
    raise Refusal("unknown_type", f"there is no command {shown}; {hint}", field="type")


def _read_field(name: str, raw: msgspec.Raw, wanted: object) -> object:
    try:
        return msgspec.json.decode(raw, type=wanted)
    except msgspec.ValidationError as error:
        raise Refusal("bad_field", f"{name}: {str(error).split(' - at')[0]}", field=name) from None
    except RecursionError:
        raise Refusal("bad_field", f"{name} is nested too deep", field=name) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refusal("bad_field", f"{name} has a lone surrogate or a broken escape", field=name) from None


def _check_id(command_id: CommandId, id_chars: int) -> None:
    if command_id is not None and len(str(command_id)) > id_chars:
        raise Refusal("bad_field", f"id has at most {id_chars} characters", field="id")


def _check_values(command: Command, id_chars: int) -> None:
    """What types do not say: the length of an id, the range of numbers, and no U+0000 in any text."""
    _check_id(command.id, id_chars)
    for name in command.__struct_fields__:
        value = getattr(command, name)
        if type(value) is str:
            if "\0" in value:
                raise Refusal("bad_field", f"{name} holds U+0000, which cannot be stored", field=name, id=command.id)
        elif type(value) is int and name != "id" and not 0 <= value <= MAX_SEQ:
            raise Refusal("bad_field", f"{name} is a number from 0 to {MAX_SEQ}", field=name, id=command.id)
        elif type(value) is dict:
            _check_positions(value, command.id)


def _check_positions(rooms: Mapping[str, Struct], command_id: CommandId) -> None:
    for room, position in rooms.items():
        if not 0 <= getattr(position, "since", 0) <= MAX_SEQ or "\0" in room:
            raise Refusal("bad_field", f"rooms: since is a number from 0 to {MAX_SEQ}", field="rooms", id=command_id)
