"""Tokens of another site: what an attacker sends is refused, and costs little."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import steady
from tests.vault.hashers import CHEAP
from tests.vault.site import (
    EC_KEY,
    ED_KEY,
    ISSUER,
    KEYS,
    RSA_KEY,
    SECRET,
    FromNow,
    Outside,
    PrivateKey,
    claims,
    forged,
    jwks,
    public_jwk,
    public_pem,
    signed,
)  # fmt: skip
from trichat.chat.vault_port import Vault
from trichat.core.limits import Limits
from trichat.vault import open_vault
from trichat.vault.outside import OutsideTokens, open_outside_tokens

HOUR = 3600


def now() -> int:
    return int(time.time())


def signed_by_hand(header: dict[str, Any], secret: bytes) -> str:
    """An HMAC with any bytes for a secret: libraries refuse to sign with a public key."""
    content = forged(header, claims()).rpartition(".")[0]
    mac = hmac.digest(secret, content.encode(), hashlib.sha256)
    return f"{content}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, 0, [], {}, ["RS256"]])
@pytest.mark.parametrize("kid", [*KEYS, None])
async def test_an_unsigned_token_is_refused(vault: Vault, alg: object, kid: str | None) -> None:
    header = {"typ": "JWT", "alg": alg} | ({"kid": kid} if kid else {})
    assert await vault.read_outside_token(forged(header, claims())) is None


async def test_a_signature_cut_off_or_changed_is_refused(vault: Vault) -> None:
    for kid in KEYS:
        token = signed(kid)
        content, _, signature = token.rpartition(".")
        assert await vault.read_outside_token(f"{content}.") is None
        assert await vault.read_outside_token(content) is None
        assert await vault.read_outside_token(f"{content}.{'A' * len(signature)}") is None
        assert await vault.read_outside_token(token) is not None


async def test_changed_claims_are_refused(vault: Vault) -> None:
    for kid in KEYS:
        head, _, signature = signed(kid).split(".")
        _, other, _ = signed(kid, sub="1").split(".")
        assert await vault.read_outside_token(f"{head}.{other}.{signature}") is None


@pytest.mark.parametrize("kid", [*KEYS, None])
@pytest.mark.parametrize("end", [b"", b"\n"])
async def test_a_public_key_is_never_a_secret(vault: Vault, jwks_file: Path, kid: str | None, end: bytes) -> None:
    header = {"alg": "HS256", "typ": "JWT"} | ({"kid": kid} if kid else {})
    keys: list[PrivateKey] = [KEYS[kid][0]] if kid else [RSA_KEY, EC_KEY, ED_KEY]
    secrets = [public_pem(key).rstrip() + end for key in keys]
    secrets += [json.dumps(public_jwk(key)).encode() for key in keys] + [jwks(), b""]
    async with open_vault(Outside(jwt_jwks=str(jwks_file)), Limits(), CHEAP) as without_secret:
        for secret in secrets:
            assert await vault.read_outside_token(signed_by_hand(header, secret)) is None
            assert await without_secret.read_outside_token(signed_by_hand(header, secret)) is None


async def test_a_token_signed_with_the_secret_is_refused_where_only_keys_are_known(jwks_file: Path) -> None:
    async with open_vault(Outside(jwt_jwks=str(jwks_file)), Limits(), CHEAP) as vault:
        assert await vault.read_outside_token(jwt.encode(claims(), SECRET, "HS256")) is None


async def test_a_token_signed_with_a_key_is_refused_where_only_the_secret_is_known(secret_file: Path) -> None:
    async with open_vault(Outside(jwt_secret_file=secret_file), Limits(), CHEAP) as vault:
        for kid in KEYS:
            assert await vault.read_outside_token(signed(kid)) is None
        assert await vault.read_outside_token(jwt.encode(claims(), SECRET, "HS256")) is not None


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
async def test_other_hmacs_are_refused(vault: Vault, algorithm: str) -> None:
    secret = SECRET * 2
    assert await vault.read_outside_token(jwt.encode(claims(), secret, algorithm)) is None


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
async def test_the_right_key_with_another_algorithm_is_refused(vault: Vault, algorithm: str) -> None:
    token = jwt.encode(claims(), RSA_KEY, algorithm, headers={"kid": "r1"})
    assert await vault.read_outside_token(token) is None


@pytest.mark.parametrize("named", KEYS)
@pytest.mark.parametrize("used", KEYS)
async def test_a_key_of_another_type_than_the_named_one_is_refused(vault: Vault, named: str, used: str) -> None:
    key, algorithm = KEYS[used]
    token = jwt.encode(claims(), key, algorithm, headers={"kid": named})
    assert (await vault.read_outside_token(token) is not None) == (named == used)
    lying = forged({"alg": KEYS[named][1], "kid": named}, claims(), b"x" * 64)
    assert await vault.read_outside_token(lying) is None


async def test_a_strangers_key_is_refused_under_any_name(vault: Vault) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    for headers in ({"kid": "e1"}, {"kid": "unknown"}, None, {"kid": "e1", "jwk": public_jwk(stranger)},
                    {"kid": "e1", "jku": "http://127.0.0.1:9/keys"}):  # fmt: skip
        token = jwt.encode(claims(), stranger, "ES256", headers=headers)
        assert await vault.read_outside_token(token) is None


@pytest.mark.parametrize(
    "changes",
    [{"iss": "https://evil.example.org/"}, {"iss": None}, {"iss": ISSUER.rstrip("/")},
     {"aud": "other"}, {"aud": None}, {"aud": []}, {"aud": ["other"]}, {"aud": "CHAT"}, {"aud": {"chat": 1}},
     {"exp": FromNow(-60)}, {"exp": None}, {"exp": "9999999999"}, {"exp": True}, {"exp": 10**300}, {"exp": -1},
     {"exp": float("inf")}, {"exp": [now() + HOUR]},
     {"nbf": FromNow(120)}, {"nbf": "soon"}, {"iat": FromNow(120)}, {"iat": {}},
     {"sub": None}, {"sub": ""}, {"sub": 42}, {"sub": "x" * 256}, {"sub": "a\x00b"}, {"jti": 1}],
    ids=str,
)  # fmt: skip
async def test_wrong_claims_under_a_right_signature_are_refused(vault: Vault, changes: dict[str, object]) -> None:
    payload = claims(**changes)
    token = jwt.PyJWS().encode(json.dumps(payload).encode(), EC_KEY, "ES256", headers={"kid": "e1"})
    assert await vault.read_outside_token(token) is None


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"kid": 7}])
async def test_a_header_that_asks_for_what_we_do_not_know_is_refused(vault: Vault, header: dict[str, object]) -> None:
    assert await vault.read_outside_token(signed_by_hand({"alg": "HS256"} | header, SECRET)) is None
    assert await vault.read_outside_token(signed_by_hand({"alg": "HS256"}, SECRET)) is not None


@pytest.mark.parametrize("piece", ["A", "eyJ", ".", "{", "\u00e9", "\x00", "\ud800"])
async def test_a_megabyte_is_refused_without_work(vault: Vault, piece: str) -> None:
    garbage = piece * (1_000_000 // len(piece))
    begun = time.perf_counter()
    for _ in range(1000):
        assert await vault.read_outside_token(garbage) is None
    assert time.perf_counter() - begun < 0.1  # 0.1 ms each: reading it once would take longer


async def test_a_token_over_the_limit_is_refused_though_it_is_right(vault: Vault) -> None:
    assert await vault.read_outside_token(signed("e1", extra="x" * 8_000)) is None
    assert await vault.read_outside_token(signed("e1", extra="x" * 5_000)) is not None


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a.b.c", "e30.e30.", "null", "\u00e9.\u00e9.\u00e9", "W10.W10.W10", "bnVsbA.bnVsbA.A",
     base64.urlsafe_b64encode(b"[" * 5_000).decode().rstrip("=") + ".e30.AA"],
)  # fmt: skip
async def test_what_is_no_token_is_refused(vault: Vault, text: str) -> None:
    assert await vault.read_outside_token(text) is None


async def test_nothing_of_a_token_is_logged(vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for token in (signed("e1", exp=now() - 60), signed("e1", aud="other"), forged({"alg": "none"}, claims()), "a.b.c"):
        assert await vault.read_outside_token(token) is None
        assert token not in caplog.text
    assert "ann" not in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
CLAIMS = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "preferred_username", "name"]
HEADERS = ["kid", "typ", "crit", "b64", "cty", "x5c"]


@steady
@given(payload=st.dictionaries(st.sampled_from(CLAIMS), JSON), header=st.dictionaries(st.sampled_from(HEADERS), JSON))
async def test_signed_nonsense_never_raises(payload: dict[str, object], header: dict[str, object]) -> None:
    tokens = OutsideTokens(Outside(), Limits(), None, SECRET)
    content = forged(header | {"alg": "HS256"}, claims() | payload).rpartition(".")[0]
    mac = base64.urlsafe_b64encode(hmac.digest(SECRET, content.encode(), hashlib.sha256)).decode().rstrip("=")
    identity = await tokens.read(f"{content}.{mac}")
    assert identity is None or (identity.subject and identity.name and identity.expires_at > time.time() - 60)


@pytest.mark.parametrize(
    "members",
    [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "RS256"}, {"crv": "P-384"}, {"x": "AA"}, {"y": None}, {"kid": 7},
     {"kty": "RSA"}, {"kty": ["EC"]}, {"x": "!!!"}],
    ids=str,
)  # fmt: skip
async def test_a_key_for_something_else_is_left_out_of_a_key_set(tmp_path: Path, members: dict[str, object]) -> None:
    path = tmp_path / "jwks.json"
    odd = public_jwk(EC_KEY, **({"kid": "e1"} | members))
    path.write_text(json.dumps({"keys": [7, odd, public_jwk(ED_KEY, kid="d1")]}))
    tokens = await open_outside_tokens(Outside(jwt_jwks=str(path)), Limits())
    assert await tokens.read(signed("e1")) is None
    assert await tokens.read(signed("d1")) is not None


async def test_a_short_rsa_key_is_left_out_of_a_key_set(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    short = rsa.generate_private_key(65_537, 1024)
    path.write_text(json.dumps({"keys": [public_jwk(short, kid="r0"), public_jwk(ED_KEY, kid="d1")]}))
    tokens = await open_outside_tokens(Outside(jwt_jwks=str(path)), Limits())
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = jwt.encode(claims(), short, "RS256", headers={"kid": "r0"})
    assert await tokens.read(token) is None
