"""Another site, as its tokens show it: it has keys, publishes them, and signs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from msgspec import Struct

ISSUER: Final = "https://id.example.org/"
AUDIENCE: Final = "chat"
SECRET: Final = b"a secret of the site, 32 bytes and more"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

RSA_KEY: Final = rsa.generate_private_key(65_537, 2048)
EC_KEY: Final = ec.generate_private_key(ec.SECP256R1())
ED_KEY: Final = ed25519.Ed25519PrivateKey.generate()
#: The site's keys by their names, each with its algorithm.
KEYS: Final[dict[str, tuple[PrivateKey, str]]] = {
    "r1": (RSA_KEY, "RS256"),
    "e1": (EC_KEY, "ES256"),
    "d1": (ED_KEY, "EdDSA"),
}


class Outside(Struct, frozen=True, kw_only=True):
    """The settings that the vault looks at."""

    jwt_jwks: str | None = None
    jwt_secret_file: Path | None = None
    jwt_issuer: str | None = ISSUER
    jwt_audience: str | None = AUDIENCE
    jwt_name_claim: str = "preferred_username"
    jwt_display_claim: str = "name"


class FromNow(Struct, frozen=True):
    """A time of a claim, in seconds from when the token is made: parameters of tests are made long before it."""

    seconds: float


def claims(**changes: object) -> dict[str, Any]:
    """What a good token says of Ann, an hour long; a change to None leaves a claim out."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "42", "iat": now, "exp": now + 3600}
    said = good | {"preferred_username": "ann", "name": "Ann Smith"} | changes
    times = {claim: now + value.seconds for claim, value in said.items() if isinstance(value, FromNow)}
    return {claim: value for claim, value in (said | times).items() if value is not None}


def signed(kid: str, **changes: object) -> str:
    """A token signed with the site's key `kid`."""
    key, algorithm = KEYS[kid]
    return jwt.encode(claims(**changes), key, algorithm, headers={"kid": kid})


def public_jwk(key: PrivateKey, **members: object) -> dict[str, Any]:
    """The public part of `key` as a JWK."""
    match key:
        case rsa.RSAPrivateKey():
            jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case ec.EllipticCurvePrivateKey():
            jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case ed25519.Ed25519PrivateKey():
            jwk = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwk | members


def jwks(kids: Iterable[str] = KEYS) -> bytes:
    """The site's key set, or a part of it."""
    return json.dumps({"keys": [public_jwk(KEYS[kid][0], kid=kid, use="sig") for kid in kids]}).encode()


def public_pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def forged(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand: no library would write it."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(jwt.utils.base64url_encode(part).decode() for part in parts)
