"""How long something lasts, in words."""

from __future__ import annotations

from typing import Final

_DAY: Final = 86_400
#: What people count in, from the longest on.
_UNITS: Final = ((_DAY, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
#: Fewer are told in hours.
_DAYS_LEAST: Final = 3


def in_words(seconds: float) -> str:
    """`seconds` in the longest unit that leaves nothing over."""
    for size, unit in _UNITS:
        count, over = divmod(seconds, size)
        if not over and count >= (_DAYS_LEAST if size == _DAY else 1):
            return f"{count:,.0f} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"
