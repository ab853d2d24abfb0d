"""The page in the browser: files that are served as they are, with a strict Content-Security-Policy."""

from __future__ import annotations

from starlette.routing import BaseRoute


def page_routes() -> list[BaseRoute]:
    """`/` and what belongs to it."""
    return []
