"""How properties are tried: the same examples in every run, and no clock."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

#: For properties that are cheap to try.
steady: Final = settings(deadline=None, derandomize=True, database=None, max_examples=300)
#: For those where an example takes milliseconds.
steady_few: Final = settings(steady, max_examples=60)
