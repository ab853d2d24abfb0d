"""How often passwords, second factors and recovery codes may be tried: by address and by account, before any hashing.

Each node counts for itself.
"""

from __future__ import annotations

from typing import Final

import trio

from trichat.core.addresses import caller_of
from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.core.names import name_key
from trichat.core.rate import BucketTable, TokenBucket, take_from_all

_MINUTE_S: Final = 60.0


class PasswordThrottle:
    """A bucket for each address, and one for each name, whether or not it is anybody's."""

    def __init__(self, limits: Limits, *, lifted: bool) -> None:
        self._lifted = lifted
        per_address_s = limits.passwords_per_address_per_min / _MINUTE_S
        per_account_s = limits.passwords_per_account_per_min / _MINUTE_S
        self._addresses = BucketTable(per_address_s, limits.passwords_per_address, limits.buckets)
        self._accounts = BucketTable(per_account_s, limits.passwords_per_account, limits.buckets)

    def demand(self, address: str, name: str | None = None) -> None:
        """A password is about to be tried from `address`, for the account `name`. Raises Refusal (`rate_limited`)."""
        if self._lifted:
            return
        now = trio.current_time()
        buckets: list[TokenBucket] = [self._addresses.of(caller_of(address), now)]
        if name is not None:
            buckets.append(self._accounts.of(name_key(name), now))
        short = take_from_all(buckets, now, 1.0)
        if short is not None:
            after_ms = int(short.wait_s(now) * 1000) + 1
            limit = "address" if short is buckets[0] else "account"
            said = f"too many passwords were tried for this {limit}; try again in {after_ms} ms"
            raise Refusal("rate_limited", said, retry_after_ms=after_ms, limit=limit)
