"""Tokens of another site (JSON Web Tokens): whom they name, if that site has signed them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import jwt
import msgspec
import trio
from jwt import PyJWK
from jwt.exceptions import InvalidKeyError, PyJWTError
from msgspec import Meta, Struct

from trichat.chat.vault_port import OutsideIdentity
from trichat.core.limits import Limits
from trichat.vault.errors import VaultUnusable
from trichat.vault.jwks import KEY_ALGORITHMS
from trichat.vault.key_source import KeySource

log = logging.getLogger("trichat.vault")

_LEEWAY_S: Final = 30.0  # of clock error between the other site and this node
_SECRET_BYTES_LEAST: Final = 32  # RFC 7518, section 3.2, for HS256
_SECRET_BYTES: Final = 4_096
_END_OF_TIME: Final = 253_402_300_800  # the year 10000: no later date can be written


class OutsideSettings(Protocol):
    """What the operator says of the other site; `trichat.settings.Settings` has it."""

    @property
    def jwt_jwks(self) -> str | None: ...
    @property
    def jwt_secret_file(self) -> Path | None: ...
    @property
    def jwt_issuer(self) -> str | None: ...
    @property
    def jwt_audience(self) -> str | None: ...
    @property
    def jwt_name_claim(self) -> str: ...
    @property
    def jwt_display_claim(self) -> str: ...


class _Claims(Struct, frozen=True):
    """What every token must say, beside what the settings name. OpenID Connect bounds a `sub` so."""

    iss: str
    sub: Annotated[str, Meta(min_length=1, max_length=255)]
    exp: Annotated[float, Meta(gt=0, lt=_END_OF_TIME)]


async def open_outside_tokens(settings: OutsideSettings, limits: Limits) -> OutsideTokens:
    """The reader of tokens, with the keys that can be had by now. Raises VaultUnusable about a file."""
    source = None
    if settings.jwt_jwks is not None:
        source = KeySource(settings.jwt_jwks, limits)
        await source.open()
    secret = (
        None
        if settings.jwt_secret_file is None
        else await trio.to_thread.run_sync(_read_secret, settings.jwt_secret_file)
    )
    return OutsideTokens(settings, limits, source, secret)


class OutsideTokens:
    """Reads tokens signed with a key of `source` (RS256, ES256, EdDSA), or with `secret` (HS256): never the other."""

    def __init__(
        self, settings: OutsideSettings, limits: Limits, source: KeySource | None, secret: bytes | None
    ) -> None:
        self.taken: Final = source is not None or secret is not None
        if self.taken and not (settings.jwt_issuer and settings.jwt_audience):
            # a token that the site gave for something else would do
            raise VaultUnusable("tokens of another site are taken only with --jwt-issuer and --jwt-audience")
        self._settings = settings
        self._limits = limits
        self._source = source
        self._secret = secret

    async def run_renewal(self) -> None:
        """Keep the keys up to date."""
        if self._source is not None:
            await self._source.run_renewal()

    async def read(self, token: str) -> OutsideIdentity | None:
        """Whom `token` names; None if it is not for us, not signed, not valid now, or no token at all."""
        if not self.taken or len(token) > self._limits.outside_token_bytes or not token.isascii():
            return None  # before any work on it
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key_for(header.get("alg"), header.get("kid"))
            return None if key is None else self._identity(self._verified(token, *key))
        except (PyJWTError, msgspec.ValidationError) as error:
            log.debug("a token of another site was refused", extra={"reason": str(error)})
            return None

    async def _key_for(self, algorithm: object, kid: str | None) -> tuple[PyJWK | bytes, str] | None:
        """The one key that a token with this header can be signed with, and the one algorithm that key is for."""
        if algorithm == "HS256":
            return None if self._secret is None else (self._secret, "HS256")
        for known in KEY_ALGORITHMS:
            if algorithm == known and self._source is not None:
                key = await self._source.find(kid, known)
                return None if key is None else (key, known)
        return None

    def _verified(self, token: str, key: PyJWK | bytes, algorithm: str) -> dict[str, Any]:
        """The claims of `token` once all that is asked of it was found right. Raises PyJWTError."""
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=self._settings.jwt_issuer,
            audience=self._settings.jwt_audience,
            leeway=_LEEWAY_S,
            options={"require": ["exp", "sub", "iss", "aud"], "enforce_minimum_key_length": True},
        )

    def _identity(self, payload: dict[str, Any]) -> OutsideIdentity | None:
        claims = msgspec.convert(payload, type=_Claims)
        name = payload.get(self._settings.jwt_name_claim)
        if not isinstance(name, str) or not name or not claims.sub.isprintable():
            # signed by the site: most likely the setting names the wrong claim
            log.warning("a token of another site has no name", extra={"claim": self._settings.jwt_name_claim})
            return None
        display_name = payload.get(self._settings.jwt_display_claim)
        return OutsideIdentity(
            issuer=claims.iss,
            subject=claims.sub,
            name=name,
            display_name=display_name if isinstance(display_name, str) and display_name else name,
            expires_at=float(claims.exp),
        )


def _read_secret(path: Path) -> bytes:
    """The secret in the file, without the line's end behind it. Raises VaultUnusable."""
    try:
        with path.open("rb") as file:
            secret = file.read(_SECRET_BYTES + 1).removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        raise VaultUnusable(f"the file of --jwt-secret-file cannot be read: {error.strerror}") from None
    if not _SECRET_BYTES_LEAST <= len(secret) <= _SECRET_BYTES:
        raise VaultUnusable(
            f"the file of --jwt-secret-file holds no secret of {_SECRET_BYTES_LEAST} to {_SECRET_BYTES} bytes"
        )
    try:
        jwt.get_algorithm_by_name("HS256").prepare_key(secret)
    except InvalidKeyError:
        raise VaultUnusable(
            "the file of --jwt-secret-file holds a public key or a certificate; name a JWKS of it with --jwt-jwks"
        ) from None
    return secret
