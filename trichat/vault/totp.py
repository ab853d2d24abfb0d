"""The second factor: codes of an authenticator by time (RFC 6238: SHA-1, 6 digits, steps of 30 s)."""

from __future__ import annotations

import hmac
import re
from typing import Final

import pyotp

STEP_S: Final = 30
_CLOCK_ERROR_STEPS: Final = 1  # either way
_SHAPE: Final = re.compile("[0-9]{6}")
_ISSUER: Final = "trichat"  # what the authenticator shows beside the name


def new_secret() -> str:
    """160 random bits in base32, as RFC 4226 recommends."""
    return pyotp.random_base32()


def uri(secret: str, name: str) -> str:
    """What an authenticator scans."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=_ISSUER)


def check(secret: str, code: str, now: float, last_step: int) -> int | None:
    """The step of `code`, if it is right and later than `last_step`. `secret` must be one of `new_secret`."""
    if not _SHAPE.fullmatch(code):
        return None
    codes, present = pyotp.TOTP(secret), int(now) // STEP_S
    for step in range(present - _CLOCK_ERROR_STEPS, present + _CLOCK_ERROR_STEPS + 1):
        if step > last_step and step >= 0 and hmac.compare_digest(codes.generate_otp(step), code):
            return step
    return None
