"""The documents of the protocol say everything that the code can say, and what their tables say is so."""

from __future__ import annotations

import json
import re
from typing import Final

from tests.docs.transcripts import PROTOCOL, ROOT, transcripts
from trichat.core import replies, replies_conversation, replies_people, replies_rooms
from trichat.core.closing import CLOSE_REASONS, GONE
from trichat.core.commands import COMMANDS
from trichat.core.commands_rooms import EditRoom
from trichat.core.costs import COSTS
from trichat.core.errors import ERROR_CODES
from trichat.core.events import KINDS
from trichat.core.replies import Reply
from trichat.core.standing import PERMISSIONS, ROLE_NAMES, SCOPE_OF

TEXT: Final = "\n".join((ROOT / document).read_text("utf-8") for document in PROTOCOL)


def cells(text: str) -> set[str]:
    """The first cells of the tables' rows, without their back quotes."""
    return {cell.strip("`") for cell in re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)}


def rows(name: str) -> list[list[str]]:
    """The rows of the table between the marks of this name."""
    table = TEXT.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0].strip().splitlines()
    return [line.strip("| ").split(" | ") for line in table[2:]]


def quoted(text: str) -> list[str]:
    return re.findall("`([^`]*)`", text)


def test_every_command_has_a_row() -> None:
    assert not set(COMMANDS) - cells(TEXT)


def test_every_field_of_a_command_is_in_a_row_of_it() -> None:
    rules = {rule for row in rows("rules") for rule in quoted(row[0])}
    assert rules == set(EditRoom.__struct_encode_fields__) - {"id", "room", "cid"}
    said: dict[str, set[str]] = {command: {"id"} for command in COMMANDS}
    for command, fields in re.findall(r"^\| `(\w+)` \| ([^|]*) \|", TEXT, re.MULTILINE):
        said.setdefault(command, set()).update(quoted(fields), rules if "any of the rules" in fields else ())
    missing = {command: set(kind.__struct_encode_fields__) - said[command] for command, kind in COMMANDS.items()}
    assert not {command: fields for command, fields in missing.items() if fields}


def test_every_command_is_said_in_a_transcript() -> None:
    said = [
        json.loads(step.says)
        for document in PROTOCOL
        for transcript in transcripts(document, "transcript")
        for step in transcript.steps
        if step.says is not None and step.says.startswith("{")
    ]
    assert not set(COMMANDS) - {command["type"] for command in said}


def test_every_error_code_has_a_row() -> None:
    assert not set(ERROR_CODES) - cells(TEXT)


def test_every_close_code_has_a_row_and_no_other_is_there() -> None:
    known = {str(code) for code in CLOSE_REASONS if code != GONE.code}
    shown = {cell for cell in cells(TEXT) if re.fullmatch(r"\d{4}", cell)}
    assert shown == known


def test_every_kind_of_event_has_a_row_with_its_members() -> None:
    shown = {kind.strip("`"): set(quoted(members)) for kind, members, _ in rows("events")}
    assert shown == {kind: set(members) for kind, members in KINDS.items()}


def test_every_reply_is_shown() -> None:
    tags = {
        str(kind.__struct_config__.tag)
        for module in (replies, replies_conversation, replies_people, replies_rooms)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Reply) and kind is not Reply
    }
    assert not {tag for tag in tags if f'"type":"{tag}"' not in TEXT and f"`{tag}`" not in TEXT}


def test_the_table_of_permissions_is_the_one_that_the_server_decides_by() -> None:
    shown = {permission: (least, scope) for permission, least, scope, _ in rows("permissions")}
    assert shown == {permission: (ROLE_NAMES[role], SCOPE_OF[permission]) for permission, role in PERMISSIONS.items()}
    assert not {command for row in rows("permissions") for command in quoted(row[3])} - set(COMMANDS)


def test_the_table_of_costs_has_what_each_command_costs() -> None:
    shown = {command: float(cost) for cost, commands in rows("costs") for command in quoted(commands)}
    assert shown == {str(command.__struct_config__.tag): cost for command, cost in COSTS.items()}
