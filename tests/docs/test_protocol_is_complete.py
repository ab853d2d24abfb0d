"""docs/protocol.md says everything that the code can say."""

from __future__ import annotations

import re

from tests.docs.transcripts import ROOT
from trichat.core import replies
from trichat.core.closing import CLOSE_REASONS, GONE
from trichat.core.commands import COMMANDS
from trichat.core.errors import ERROR_CODES
from trichat.core.events import KINDS
from trichat.core.replies import Reply

TEXT = (ROOT / "docs/protocol.md").read_text("utf-8")
#: The first cells of the tables' rows, without their back quotes.
CELLS = {cell.strip("`") for cell in re.findall(r"^\| ([^|]+?) \|", TEXT, re.MULTILINE)}


def test_every_command_has_a_row() -> None:
    assert not set(COMMANDS) - CELLS


def test_every_error_code_has_a_row() -> None:
    assert not set(ERROR_CODES) - CELLS


def test_every_close_code_has_a_row_and_no_other_is_there() -> None:
    known = {str(code) for code in CLOSE_REASONS if code != GONE.code}
    shown = {cell for cell in CELLS if re.fullmatch(r"\d{4}", cell)}
    assert shown == known


def test_every_kind_of_event_is_named() -> None:
    assert not {kind for kind in KINDS if f"`{kind}`" not in TEXT}


def test_every_reply_is_shown() -> None:
    tags = {
        str(kind.__struct_config__.tag)
        for kind in vars(replies).values()
        if isinstance(kind, type) and issubclass(kind, Reply) and kind is not Reply
    }
    assert not {tag for tag in tags if f'"type":"{tag}"' not in TEXT and f"`{tag}`" not in TEXT}
