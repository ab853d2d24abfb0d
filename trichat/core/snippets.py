"""What is shown of a text that was found: the part around the first place that fits."""

from __future__ import annotations

from collections.abc import Sequence

#: From the first character of a place in a text to the one after its last.
Mark = tuple[int, int]


def cut_snippet(text: str, marks: Sequence[Mark], chars: int) -> tuple[str, list[Mark]]:
    """At most `chars` characters of `text`, from a little before the first of `marks`, and the marks that lie in it.

    `marks` are in order and lie in `text`. It begins at a word where one begins near.
    """
    if len(text) <= chars:
        return text, list(marks)
    first = marks[0][0] if marks else 0
    start = max(0, min(first - chars // 4, len(text) - chars))
    if start:
        blank = text.find(" ", start, first)
        start = blank + 1 if blank != -1 else start
    end = start + chars
    return text[start:end], [(a - start, b - start) for a, b in marks if a >= start and b <= end]
