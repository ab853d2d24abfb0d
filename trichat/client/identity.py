"""Who we are: a guest whose token brings the same guest back on every connection, to any node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Frame = Mapping[str, Any]
Ask = Callable[[Frame], Awaitable[Frame]]


class Identity:
    """`name` is what we want to be called; `user`, `user_id` and `token` are what the server says."""

    def __init__(self, name: str | None, token: str | None) -> None:
        self._name = name
        self.token = token
        self.user: str | None = None
        self.user_id: str | None = None

    async def establish(self, welcome: Frame, ask: Ask) -> None:
        """On a new connection: be who we were, else who the welcome says; and take our name if we lack it.

        Raises Refused: a token that is not accepted, a name that is taken or no name.
        """
        if self.token is not None:
            self._learn(await ask({"type": "auth", "token": self.token}))
        else:
            self._learn(welcome)
        if self._name is not None and self.user != self._name:
            self._learn(await ask({"type": "hello", "name": self._name}))

    def _learn(self, frame: Frame) -> None:
        self.user = frame.get("user")
        self.user_id = frame.get("user_id", self.user_id)
        self.token = frame.get("token", self.token)
