"""The second factor: RFC 6238, one step of clock error, each code once."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from trichat.chat.vault_port import Vault

#: The secret and the codes of RFC 6238, appendix B (SHA-1), the last six of their eight digits.
SECRET = base64.b32encode(b"12345678901234567890").decode()
CODES = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"}
NEVER = -1


@pytest.mark.parametrize(("now", "code"), CODES.items())
async def test_the_codes_of_the_rfc(vault: Vault, now: int, code: str) -> None:
    assert vault.check_totp(SECRET, code, now, NEVER) == now // 30


@pytest.mark.parametrize(("late", "right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
async def test_a_clock_may_be_one_step_wrong_either_way(vault: Vault, late: float, right: bool) -> None:
    step = 1234567890 // 30
    assert vault.check_totp(SECRET, CODES[1234567890], 1234567890.5 + late, NEVER) == (step if right else None)


async def test_each_step_counts_once_and_never_an_earlier_one_after_it(vault: Vault) -> None:
    now, step = 1234567890, 1234567890 // 30
    assert vault.check_totp(SECRET, CODES[now], now, step - 1) == step
    assert vault.check_totp(SECRET, CODES[now], now, step) is None
    assert vault.check_totp(SECRET, CODES[now], now + 30, step + 1) is None


@pytest.mark.parametrize(
    "code",
    ["", "00592", "0059240", " 05924", "00592\u0664", "\uff10\uff10\uff15\uff19\uff12\uff14", "005924\n", "9" * 10_000],
)
async def test_what_is_not_six_digits_is_no_code(vault: Vault, code: str) -> None:
    assert vault.check_totp(SECRET, code, 1234567890, NEVER) is None


async def test_the_first_minute_of_1970_is_no_special_case(vault: Vault) -> None:
    assert vault.check_totp(SECRET, "755224", 0, NEVER) == 0


async def test_a_new_secret_has_160_bits_and_is_another_each_time(vault: Vault) -> None:
    secrets = {vault.new_totp_secret() for _ in range(20)}
    assert len(secrets) == 20
    assert {len(base64.b32decode(secret)) for secret in secrets} == {20}


async def test_the_uri_says_what_an_authenticator_needs(vault: Vault) -> None:
    parts = urlsplit(vault.totp_uri(SECRET, "ann & bob/x?\u00e9"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/trichat:ann & bob/x?\u00e9"
    assert parse_qs(parts.query) == {"secret": [SECRET], "issuer": ["trichat"]}
