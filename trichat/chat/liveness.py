"""Which nodes are heard through Redis: beats against the clock."""

from __future__ import annotations

from collections.abc import Iterable

from trichat.core.names import Incarnation


class BeatWatch:
    """Remembers when each node's beat was last heard. Pure: the clock is given, in seconds.

    A node that lives is missed when it was not heard for `missing_s`: since its last beat, or, if it never was
    heard (it may be new), since it was first expected.
    """

    def __init__(self, missing_s: float) -> None:
        self._missing_s = missing_s
        self._heard: dict[Incarnation, float] = {}
        self._left: dict[Incarnation, float] = {}

    def heard(self, node: Incarnation, now: float) -> None:
        self._heard[node] = now

    def left(self, node: Incarnation, now: float) -> None:
        """The node said its last word: it is not missed."""
        self._heard.pop(node, None)
        self._left[node] = now

    def expect(self, nodes: Iterable[Incarnation], now: float) -> None:
        """These nodes live, as the store says: forget the others, and watch the new ones from now on."""
        alive = set(nodes)
        self._left = {node: at for node, at in self._left.items() if node in alive}
        self._heard = {node: self._heard.get(node, now) for node in alive if node not in self._left}

    def late(self, by_s: float, now: float) -> None:
        """We woke `by_s` later than we meant to, and could hear nothing meanwhile: that time does not count."""
        self._heard = {node: min(at + by_s, now) for node, at in self._heard.items()}

    def missing(self, now: float) -> bool:
        """Whether a node that lives has not been heard for too long."""
        return any(now - at > self._missing_s for at in self._heard.values())
