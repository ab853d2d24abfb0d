"""When to come back after a connection ended, and when to ask again after a refusal. Pure: no clock."""

from __future__ import annotations

from msgspec import Struct

from trichat.core.chance import Chance
from trichat.core.closing import GONE, Reconnect


class Ending(Struct, frozen=True):
    """How a connection ended, and what that asks of us. `code` is a close code, or the HTTP status of a rejection."""

    code: int
    reason: str
    reconnect: Reconnect
    resume_after_s: float = 0.0


class Delays:
    """Random delays of at least `least` seconds, growing to `most`: the n-th is under `least` * 2^n."""

    def __init__(self, least: float, most: float, chance: Chance) -> None:
        self._least = least
        self._most = most
        self._chance = chance
        self._ceiling = least

    def next(self) -> float:
        self._ceiling = min(self._most, self._ceiling * 2)
        return self._least + self._chance.fraction() * (self._ceiling - self._least)

    def reset(self) -> None:
        self._ceiling = self._least


class Backoff:
    """The delay before each new connection.

    BACK_OFF: 0.5 s growing to 30 s. A lost connection: 0.1 s growing to 5 s. NOW: as the server says, else at
    once, but again and again at once is treated as lost: a server that turns us away each time is not stormed.
    """

    def __init__(self, chance: Chance, settled_s: float) -> None:
        self._settled_s = settled_s
        self._lost = Delays(0.1, 5.0, chance)
        self._asked = Delays(0.5, 30.0, chance)
        self._was_now = False

    def after(self, ending: Ending, lived_s: float) -> float | None:
        """Seconds to wait after a connection that lived `lived_s`; None: do not come back."""
        if lived_s >= self._settled_s:
            self._lost.reset()
            self._asked.reset()
            self._was_now = False
        if ending.reconnect is Reconnect.DIFFERENTLY:
            return None
        if ending.reconnect is Reconnect.BACK_OFF:
            return self._asked.next()
        if ending.code == GONE.code or self._was_now:
            return max(self._lost.next(), ending.resume_after_s)
        self._was_now = True
        return ending.resume_after_s
