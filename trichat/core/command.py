"""What all commands have in common."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from trichat.core.errors import CommandId


class Command(Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """What all commands have: the client's own `id`, echoed in exactly one reply."""

    id: CommandId = None

    #: May be given before the client has identified itself, where guests are not allowed.
    anonymous: ClassVar[bool] = False
