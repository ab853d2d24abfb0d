"""The twin in memory of `store/acts.py`."""

from __future__ import annotations

from trichat.store.memory_state import MemoryState


class MemoryActs:
    """Implements `Acts`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
