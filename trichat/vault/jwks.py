"""A JSON Web Key Set (RFC 7517): the public keys of another site, each for the one algorithm that it is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import msgspec
from jwt import PyJWK
from jwt.exceptions import PyJWTError
from msgspec import Struct

KeyAlgorithm = Literal["RS256", "ES256", "EdDSA"]
KEY_ALGORITHMS: Final[tuple[KeyAlgorithm, ...]] = get_args(KeyAlgorithm)

#: Which algorithm a key is for, by its type and curve: never by what a token says of itself, and never HS256.
_ALGORITHM: Final[dict[tuple[str, str | None], KeyAlgorithm]] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}


class _Jwk(Struct, frozen=True):
    """What we read of a key. Its private members, should it have any, are left where they are."""

    kty: str
    kid: str | None = None
    use: str | None = None
    key_ops: list[str] | None = None
    alg: str | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None


class _Jwks(Struct, frozen=True):
    keys: list[msgspec.Raw]


class SiteKey(Struct, frozen=True):
    """A public key, and its name (`kid`) if it has one."""

    kid: str | None
    algorithm: KeyAlgorithm
    key: PyJWK


class KeySet:
    """The usable keys of one JWKS."""

    def __init__(self, keys: Sequence[SiteKey] = ()) -> None:
        self._keys = tuple(keys)

    def find(self, kid: str | None, algorithm: KeyAlgorithm) -> PyJWK | None:
        """The key called `kid`, if it is for `algorithm`. A token without a `kid` is for the only key there is."""
        fit = [one.key for one in self._keys if one.algorithm == algorithm and (kid is None or one.kid == kid)]
        return fit[0] if len(fit) == 1 else None


def parse_jwks(text: bytes) -> KeySet:
    """The keys of `text` that are for signatures we know; the others are left out. ValueError if none is."""
    try:
        raw = msgspec.json.decode(text, type=_Jwks).keys
    except (msgspec.DecodeError, RecursionError):
        raise ValueError('is no JSON Web Key Set; it begins with {"keys": [') from None
    keys = [key for key in map(_parse_key, raw) if key is not None]
    if not keys:
        raise ValueError(f"holds no public key for {', '.join(KEY_ALGORITHMS)}")
    return KeySet(keys)


def _parse_key(raw: msgspec.Raw) -> SiteKey | None:
    try:
        jwk = msgspec.json.decode(raw, type=_Jwk)
    except (msgspec.DecodeError, RecursionError):
        return None
    algorithm = _ALGORITHM.get((jwk.kty, jwk.crv))
    signs = jwk.use in (None, "sig") and (jwk.key_ops is None or "verify" in jwk.key_ops)
    if algorithm is None or jwk.alg not in (None, algorithm) or not signs:
        return None
    public = {"kty": jwk.kty, "crv": jwk.crv, "n": jwk.n, "e": jwk.e, "x": jwk.x, "y": jwk.y}
    try:
        key = PyJWK({name: value for name, value in public.items() if value is not None}, algorithm)
    except (PyJWTError, ValueError):
        return None
    if key.Algorithm.check_key_length(key.key) is not None:
        return None  # RSA of less than 2048 bits
    return SiteKey(jwk.kid, algorithm, key)
