"""The vault's twin: no threads, so that the clock may jump, and passwords that anybody can read."""

from __future__ import annotations

import trio

from trichat.chat.vault_port import OutsideIdentity, VaultBusy
from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.vault import totp

_LEAST = Limits().password_bytes_least
_NOBODYS = "today's:of nobody"


class TwinVault:
    """Implements `Vault`. Tokens of the other site are the keys of `site`; while `busy`, nothing is hashed."""

    def __init__(self) -> None:
        self.busy = False
        self.takes_s = 0.0  # to look at a password
        self.site: dict[str, OutsideIdentity] = {}
        self.checked: list[str] = []  # the hashes that passwords were held against

    async def hash_password(self, password: str) -> str:
        await trio.lowlevel.checkpoint()
        self._work(password)
        if len(password.encode()) < _LEAST:
            raise Refusal("bad_field", f"a password has at least {_LEAST} bytes; take a longer one", field="password")
        return f"today's:{password}"

    async def check_password(self, stored: str | None, password: str) -> bool:
        await trio.sleep(self.takes_s)
        self._work(password)
        self.checked.append(stored or _NOBODYS)
        return stored is not None and stored.partition(":")[2] == password

    def outdated(self, stored: str) -> bool:
        return not stored.startswith("today's:")

    @property
    def takes_outside_tokens(self) -> bool:
        return bool(self.site)

    async def read_outside_token(self, token: str) -> OutsideIdentity | None:
        await trio.lowlevel.checkpoint()
        return self.site.get(token)

    def new_totp_secret(self) -> str:
        return totp.new_secret()

    def totp_uri(self, secret: str, name: str) -> str:
        return totp.uri(secret, name)

    def check_totp(self, secret: str, code: str, now: float, last_step: int) -> int | None:
        return totp.check(secret, code, now, last_step)

    def _work(self, password: str) -> None:
        if self.busy:
            raise VaultBusy
        if "\n" in password:
            raise Refusal("bad_field", "a password is made of letters and digits; take another", field="password")
