"""What the embedded services raise."""

from __future__ import annotations


class EmbeddedUnusable(Exception):
    """The embedded services cannot be used here. The message is for the operator: what is wrong, and what to do."""
