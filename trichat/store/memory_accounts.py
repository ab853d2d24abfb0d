"""The twin in memory of `store/accounts.py`."""

from __future__ import annotations

from trichat.store.memory_state import MemoryState


class MemoryAccounts:
    """Implements `Accounts`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
