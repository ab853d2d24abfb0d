"""Passwords: argon2id in two threads, with a bounded queue before them."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import trio
from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION
from precis_i18n import get_profile

from trichat.chat.figures import Figures
from trichat.chat.vault_port import VaultBusy
from trichat.core.errors import Refusal
from trichat.core.limits import Limits

log = logging.getLogger("trichat.vault")

#: RFC 9106's choice for little memory (3 passes over 64 MiB), but in one lane instead of four: the same work for who
#: guesses, and two hashes at once keep two threads busy instead of eight. Measured on two cores while passwords were
#: hashed without a pause: the event loop's p99 was 4 ms instead of 11 ms. 0.14 s a hash.
COST: Final = Parameters(
    type=Type.ID, version=ARGON2_VERSION, salt_len=16, hash_len=32, time_cost=3, memory_cost=65_536, parallelism=1
)
_OPAQUE: Final = get_profile("OpaqueString")  # RFC 8265, section 4.2

T = TypeVar("T")


class Passwords:
    """Hashes and checks. Every call raises VaultBusy when the queue is full or memory is short."""

    def __init__(self, limits: Limits, hasher: PasswordHasher, figures: Figures | None = None) -> None:
        self._limits = limits
        self._figures = figures or Figures()
        self._hasher = hasher
        self._nobodys = hasher.hash(secrets.token_bytes(32))
        self._threads = trio.CapacityLimiter(limits.password_threads)
        self._inside = 0  # calls that wait for a thread or have one

    async def hash(self, password: str) -> str:
        """The hash to keep. Raises Refusal for what can be no password, or is shorter than they must be."""
        enforced = self._enforce(password)
        if len(enforced) < (least := self._limits.password_bytes_least):
            raise _refusal(f"a password has at least {least} bytes; take a longer one")
        return await self._in_thread(partial(self._hasher.hash, enforced))

    async def check(self, stored: str | None, password: str) -> bool:
        """Whether `stored` was made of `password`. None (nobody has this name) costs as much as a wrong password.

        Raises Refusal for what can be no password, whatever `stored` is.
        """
        enforced = self._enforce(password)
        right = await self._in_thread(partial(self._verify, stored or self._nobodys, enforced))
        return right and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether `stored` cost less than a new hash does. The number of lanes says nothing about strength."""
        try:
            had = extract_parameters(stored)
        except InvalidHashError:
            return True
        now = self._hasher
        weaker = had.time_cost < now.time_cost or had.memory_cost < now.memory_cost
        shorter = had.salt_len < now.salt_len or had.hash_len < now.hash_len
        return had.type is not now.type or had.version < ARGON2_VERSION or weaker or shorter

    def _enforce(self, password: str) -> bytes:
        """The bytes that are hashed. Two spellings of the same text give the same (RFC 8265, section 4.2.3)."""
        most = self._limits.password_bytes
        if len(password) > most:  # before any work on it
            raise _refusal(f"a password has at most {most} bytes; take a shorter one")
        try:
            enforced = _OPAQUE.enforce(password).encode()
        except UnicodeError:
            raise _refusal("a password is made of letters, digits, signs and blanks; take another") from None
        if len(enforced) > most:
            raise _refusal(f"a password has at most {most} bytes; take a shorter one")
        return enforced

    def _verify(self, stored: str, password: bytes) -> bool:
        """In a thread."""
        try:
            return self._hasher.verify(stored, password)
        except VerifyMismatchError:
            return False
        except InvalidHashError:
            log.exception("the hash of a password that was kept cannot be read; nobody can log in with it")
            return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._inside >= self._limits.password_threads + self._limits.password_queue:
            raise VaultBusy
        self._figures.passwords = self._inside = self._inside + 1
        try:
            return await trio.to_thread.run_sync(work, limiter=self._threads)
        except (HashingError, VerificationError) as error:
            log.warning("a password was not hashed", extra={"reason": str(error)})  # for want of memory, most likely
            raise VaultBusy from error
        finally:
            self._figures.passwords = self._inside = self._inside - 1


def _refusal(message: str) -> Refusal:
    return Refusal("bad_field", message, field="password")
