"""The twin in memory of `store/markers.py`."""

from __future__ import annotations

from trichat.store.memory_state import MemoryState


class MemoryMarkers:
    """Implements `Markers`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
