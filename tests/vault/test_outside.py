"""Tokens of another site: taken as that site means them."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest
from msgspec import structs

from tests.vault.hashers import CHEAP
from tests.vault.site import (
    AUDIENCE,
    EC_KEY,
    ISSUER,
    KEYS,
    SECRET,
    FromNow,
    Outside,
    claims,
    jwks,
    public_jwk,
    public_pem,
    signed,
)
from trichat.chat.vault_port import OutsideIdentity, Vault
from trichat.core.limits import Limits
from trichat.vault import VaultUnusable, open_vault


@pytest.mark.parametrize("kid", KEYS)
async def test_a_token_of_each_algorithm_names_whom_it_speaks_of(vault: Vault, kid: str) -> None:
    expires_at = int(time.time()) + 600
    identity = await vault.read_outside_token(signed(kid, exp=expires_at))
    assert identity == OutsideIdentity(ISSUER, "42", "ann", "Ann Smith", float(expires_at))


async def test_a_token_signed_with_the_secret_names_whom_it_speaks_of(vault: Vault) -> None:
    identity = await vault.read_outside_token(jwt.encode(claims(), SECRET, "HS256"))
    assert identity is not None
    assert (identity.subject, identity.name) == ("42", "ann")


async def test_without_keys_no_token_is_taken() -> None:
    async with open_vault(Outside(jwt_issuer=None, jwt_audience=None), Limits(), CHEAP) as vault:
        assert not vault.takes_outside_tokens
        assert await vault.read_outside_token(signed("r1")) is None


async def test_a_vault_says_that_it_takes_tokens(vault: Vault) -> None:
    assert vault.takes_outside_tokens


async def test_the_claims_of_the_names_are_the_operators_choice(jwks_file: Path) -> None:
    settings = Outside(jwt_jwks=str(jwks_file), jwt_name_claim="https://id.example.org/login", jwt_display_claim="nick")
    token = signed("e1", **{"https://id.example.org/login": "ann7", "nick": "Annie"})
    async with open_vault(settings, Limits(), CHEAP) as vault:
        identity = await vault.read_outside_token(token)
    assert identity is not None
    assert (identity.name, identity.display_name) == ("ann7", "Annie")


@pytest.mark.parametrize("display_name", [None, "", 7, ["Ann"]])
async def test_who_has_no_name_to_show_is_shown_by_name(vault: Vault, display_name: object) -> None:
    identity = await vault.read_outside_token(signed("d1", name=display_name))
    assert identity is not None
    assert identity.display_name == "ann"


@pytest.mark.parametrize("name", [None, "", 7, {"x": 1}])
async def test_a_token_without_the_name_is_refused_and_the_operator_is_told(
    vault: Vault, name: object, caplog: pytest.LogCaptureFixture
) -> None:
    token = signed("d1", preferred_username=name)
    assert await vault.read_outside_token(token) is None
    (record,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert vars(record)["claim"] == "preferred_username"
    assert token not in caplog.text


@pytest.mark.parametrize(
    "changes",
    [{"aud": ["other", AUDIENCE]}, {"nbf": FromNow(15)}, {"exp": FromNow(-15)},
     {"exp": FromNow(60.5)}, {"iat": None}, {"extra": {"deep": [1]}}],
)  # fmt: skip
async def test_what_a_good_token_may_also_say(vault: Vault, changes: dict[str, object]) -> None:
    assert await vault.read_outside_token(signed("e1", **changes)) is not None


async def test_a_token_without_a_key_id_is_for_the_only_key_of_its_algorithm(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    token = jwt.encode(claims(), EC_KEY, "ES256")
    path.write_bytes(jwks())
    async with open_vault(Outside(jwt_jwks=str(path)), Limits(), CHEAP) as vault:
        assert await vault.read_outside_token(token) is not None
    two = [public_jwk(EC_KEY, kid="e1"), public_jwk(EC_KEY, kid="e2")]
    path.write_text(f'{{"keys": {two}}}'.replace("'", '"'))
    async with open_vault(Outside(jwt_jwks=str(path)), Limits(), CHEAP) as vault:
        assert await vault.read_outside_token(token) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot be read: No such file"), (b"", "is no JSON Web Key Set"), (b"[]", "is no JSON Web Key Set"),
     (b'{"keys": []}', "holds no public key"), (b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "holds no public key"),
     (public_pem(EC_KEY), "is no JSON Web Key Set"), (b"[" * 100_000, "is no JSON Web Key Set"),
     (b" " * 300_000, "is larger than 262144 bytes")],
)  # fmt: skip
async def test_a_file_of_keys_that_cannot_be_used_stops_the_start(
    content: bytes | None, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "jwks.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VaultUnusable, match=f"--jwt-jwks {why}"):
        async with open_vault(Outside(jwt_jwks=str(path)), Limits(), CHEAP):
            pass


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot be read"), (b"", "holds no secret"), (b"x" * 31 + b"\n", "holds no secret"),
     (b"x" * 5000, "holds no secret"), (public_pem(EC_KEY), "holds a public key")],
)  # fmt: skip
async def test_a_secret_that_cannot_be_used_stops_the_start(content: bytes | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VaultUnusable, match=f"--jwt-secret-file {why}"):
        async with open_vault(Outside(jwt_secret_file=path), Limits(), CHEAP):
            pass


@pytest.mark.parametrize("missing", ["jwt_issuer", "jwt_audience"])
async def test_nobody_can_open_it_without_an_issuer_and_an_audience(secret_file: Path, missing: str) -> None:
    settings = structs.replace(Outside(jwt_secret_file=secret_file), **{missing: None})
    with pytest.raises(VaultUnusable, match="--jwt-issuer and --jwt-audience"):
        async with open_vault(settings, Limits(), CHEAP):
            pass
