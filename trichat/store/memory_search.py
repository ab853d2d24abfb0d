"""The twin in memory of `store/search.py`."""

from __future__ import annotations

from trichat.store.memory_state import MemoryState


class MemorySearching:
    """Implements `Searching`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
