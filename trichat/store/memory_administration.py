"""The twin in memory of `store/administration.py`."""

from __future__ import annotations

from trichat.store.memory_state import MemoryState


class MemoryAdministration:
    """Implements `Administration`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
