"""The twin in memory of `store/threads.py`."""

from __future__ import annotations

from trichat.store.memory_state import MemoryState


class MemoryThreads:
    """Implements `Threads`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
