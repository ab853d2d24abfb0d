"""Help says what is so: each command, exactly its fields, and an example that can be pasted."""

from __future__ import annotations

import msgspec
import pytest

from trichat.core.commands import COMMANDS
from trichat.core.help import HELP
from trichat.core.parse import parse_command


def test_every_command_is_explained_and_nothing_else() -> None:
    assert sorted(HELP) == sorted(COMMANDS)


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_fields_are_those_of_the_command(kind: str) -> None:
    assert sorted(HELP[kind].fields) == sorted(field.encode_name for field in msgspec.structs.fields(COMMANDS[kind]))


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_field_is_called_optional_when_it_is(kind: str) -> None:
    said = {name for name, text in HELP[kind].fields.items() if text.startswith("optional")}
    assert said == {field.encode_name for field in msgspec.structs.fields(COMMANDS[kind]) if not field.required}


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_example_is_that_command_and_warns_of_nothing(kind: str) -> None:
    parsed = parse_command(HELP[kind].example.encode())
    assert type(parsed.command) is COMMANDS[kind]
    assert parsed.unknown == ()


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_example_is_one_compact_line(kind: str) -> None:
    example = HELP[kind].example
    assert msgspec.json.format(example, indent=-1) == example
