"""Where randomness comes from: one object, so that a simulation can seed it."""

from __future__ import annotations

import base64
import random

from trichat.core.names import Epoch, Incarnation, UserId, account_id, guest_id


class Chance:
    """Random bytes and the identifiers made of them; from the system's secrets unless given a source."""

    def __init__(self, source: random.Random | None = None) -> None:
        self._source = source or random.SystemRandom()

    def bytes(self, count: int) -> bytes:
        return self._source.randbytes(count)

    def label(self, chars: int) -> str:
        """`chars` characters of a-z and 2-7: 5 bits each."""
        return base64.b32encode(self.bytes(chars)).decode()[:chars].lower()

    def incarnation(self) -> Incarnation:
        """63 bits, so that it fits PostgreSQL's bigint."""
        return Incarnation(int.from_bytes(self.bytes(8), "big") >> 1)

    def epoch(self) -> Epoch:
        return Epoch(self.label(8))

    def guest(self) -> UserId:
        return guest_id(self.bytes(16))

    def account(self) -> UserId:
        return account_id(self.bytes(16))

    def token(self, prefix: str) -> str:
        """A new secret of 256 bits: `prefix` ("u" a login, "b" a bot's key), a dot, 43 characters of base64url."""
        return f"{prefix}.{base64.urlsafe_b64encode(self.bytes(32)).decode().rstrip('=')}"

    def fraction(self) -> float:
        """From 0 up to, not including, 1: for spreading retries."""
        return self._source.random()
