"""What a worker is told when it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from trichat.settings import Settings


class Order(Struct, frozen=True, kw_only=True):
    """What to serve, and where. It goes to the worker's standard input: a URL in it may hold a password.

    The descriptors are inherited.
    """

    settings: Settings
    who: str  # all nodes on the port, for people
    upgrades: bool  # the database is the supervisor's embedded one
    supervisor: int  # its pid
    ready: int  # a descriptor: the greeting is written there, once the node serves
    listeners: list[int]
    operators: list[int]  # listeners of the operators' port; none: it is not wanted

    def encode(self) -> bytes:
        return msgspec.json.encode(self, enc_hook=str)  # paths


def decode_order(raw: bytes) -> Order:
    return msgspec.json.decode(raw, type=Order, dec_hook=_as_path)


def _as_path(kind: type, value: Any) -> Path:
    if kind is not Path:
        raise NotImplementedError(kind)
    return Path(value)
