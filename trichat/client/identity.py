"""Who we are: a guest or an account, whose token brings the same one back on every connection, to any node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from trichat.client.errors import Refused

Frame = Mapping[str, Any]
Ask = Callable[[Frame], Awaitable[Frame]]


class Identity:
    """What we want to be (by `name`, by `token`, by `password`), and what the server says that we are."""

    def __init__(
        self,
        name: str | None,
        token: str | None,
        *,
        password: str | None = None,
        register: bool = False,
        code: str | None = None,
        device: str | None = None,
    ) -> None:
        self._name = name
        self._password = password
        self._register = register
        self._code = code
        self._device = device
        # with a password an account is meant: a guest's token from earlier days is not
        self.token = None if password is not None and _is_guests(token) else token
        self.user: str | None = None
        self.user_id: str | None = None

    async def establish(self, welcome: Frame, ask: Ask) -> None:
        """On a new connection: be who we were, else who the password says, else the guest of the welcome.

        Raises Refused: a token or a password that is not accepted, a name that is taken or no name.
        """
        if self.token is not None:
            await self._come_back(ask)
        elif self._password is not None:
            await self._log_in(ask)
        else:
            self.learn(welcome)
        if self._password is None and self._name not in (None, self.user) and _is_guests(self.token):
            self.learn(await ask({"type": "hello", "name": self._name}))

    def learn(self, frame: Frame) -> None:
        """The server says who we are."""
        self.user = frame.get("user")
        self.user_id = frame.get("user_id", self.user_id)
        self.token = frame.get("token", self.token)

    def use_password(self, password: str | None) -> None:
        """What is to be said when the token is refused; None: come back no more."""
        if self._password is not None:
            self._password = password

    async def _come_back(self, ask: Ask) -> None:
        try:
            self.learn(await ask({"type": "auth", "token": self.token}))
        except Refused as refusal:
            if refusal.code != "unauthenticated" or self._password is None:
                raise
            await self._log_in(ask)

    async def _log_in(self, ask: Ask) -> None:
        taken: Refused | None = None
        if self._register:
            try:
                return self._logged_in(await ask(self._credentials("register")))
            except Refused as refusal:
                if refusal.code != "name_taken":
                    raise
                taken = refusal
        try:
            return self._logged_in(await ask({**self._credentials("login"), **_given(code=self._code)}))
        except Refused as refusal:
            # taken, but by ourselves, if the password is right: the answer to an earlier attempt may have been lost
            if taken is not None and refusal.field != "code":
                raise taken from None
            raise

    def _credentials(self, kind: str) -> dict[str, object]:
        return {"type": kind, "name": self._name, "password": self._password, **_given(device=self._device)}

    def _logged_in(self, frame: Frame) -> None:
        self._register = False
        self._code = None  # a code counts once
        self.learn(frame)


def _is_guests(token: str | None) -> bool:
    """Whether this may be a guest's token: not a login's, not a bot's key, not one of another site (two dots)."""
    return token is None or not (token.startswith(("u.", "b.")) or token.count(".") == 2)


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
