"""The twin in memory of `store/governance.py`."""

from __future__ import annotations

from trichat.store.memory_state import MemoryState


class MemoryGovernance:
    """Implements `Governance`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
