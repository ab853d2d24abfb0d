"""Argon2 for tests: as cheap as it can be, and a hasher that shows what it does."""

from __future__ import annotations

import dataclasses
import threading
from typing import Final, Literal

from argon2 import PasswordHasher

from trichat.vault.passwords import COST

CHEAP: Final = dataclasses.replace(COST, time_cost=1, memory_cost=8)


class WatchedHasher(PasswordHasher):
    """Counts its verifications, and holds each until `go` is set."""

    __slots__ = ("_lock", "at_once", "at_once_most", "go", "verified")

    def __init__(self) -> None:
        super().__init__(CHEAP.time_cost, CHEAP.memory_cost, CHEAP.parallelism)
        self._lock = threading.Lock()
        self.go = threading.Event()
        self.at_once = self.at_once_most = 0
        self.verified: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        with self._lock:
            self.verified.append(str(hash))
            self.at_once += 1
            self.at_once_most = max(self.at_once_most, self.at_once)
        try:
            assert self.go.wait(30)
            return super().verify(hash, password)
        finally:
            with self._lock:
                self.at_once -= 1
