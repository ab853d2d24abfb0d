"""The HTTP API: what a program needs without a socket, under the checks, limits and errors of the socket."""

from __future__ import annotations

from starlette.routing import BaseRoute

from trichat.chat.hub import Hub


def api_routes(hub: Hub) -> list[BaseRoute]:
    """All under `/api`."""
    return []
