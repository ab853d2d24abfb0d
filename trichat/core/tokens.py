"""Tokens: a guest's is signed and stateless, so that connecting writes nothing; of all others a hash is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from trichat.core.names import UserId

_SHAPE: Final = re.compile(r"g\.(0|[1-9][0-9]{0,4})\.(g_[a-z2-7]{26})\.([A-Za-z0-9_-]{43})")


def token_hash(token: str) -> bytes:
    """What is kept of a login's token, a bot's key or a code: its SHA-256. They are random, so this is enough."""
    return hashlib.sha256(token.encode()).digest()


class Signer:
    """Signs and checks guests' tokens with the secrets of the cluster (`{number: 32 bytes}`).

    New tokens are signed with the highest number; older secrets go on being accepted while they are kept.
    """

    def __init__(self, secrets: Mapping[int, bytes]) -> None:
        assert secrets
        self._secrets = dict(secrets)
        self._newest = max(secrets)

    def sign(self, user_id: UserId) -> str:
        """A token that brings the guest `user_id` back."""
        return f"g.{self._newest}.{user_id}.{self._mac(self._newest, user_id)}"

    def verify(self, token: str) -> UserId | None:
        """Whose `token` this is, or None when we did not sign it. Takes the same time for every wrong one."""
        shape = _SHAPE.fullmatch(token)
        if shape is None:
            return None
        number, user_id, mac = int(shape[1]), UserId(shape[2]), shape[3]
        known = number in self._secrets
        right = self._mac(number if known else self._newest, user_id)
        return user_id if hmac.compare_digest(right, mac) and known else None

    def is_newer(self, token: str) -> bool:
        """Whether `token` claims to be signed with a secret that came after these: look for it in the store."""
        shape = _SHAPE.fullmatch(token)
        return shape is not None and int(shape[1]) > self._newest

    def is_older(self, token: str) -> bool:
        """Whether a token of ours was signed with an older secret: give a fresh one, so that it can be dropped."""
        return not token.startswith(f"g.{self._newest}.")

    def _mac(self, number: int, user_id: UserId) -> str:
        digest = hmac.digest(self._secrets[number], f"guest:{number}:{user_id}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
