"""The shape of what `help` says of one command."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

#: What is said of the field that every command has.
ID: Final = "optional: a string or number of yours, echoed in the reply"


class HelpText(Struct, frozen=True):
    """What `help` says of one command; `example` is a frame to paste, whole but for a token of one's own."""

    message: str
    fields: dict[str, str]
    example: str
