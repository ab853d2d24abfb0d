"""What Prometheus reads."""

from __future__ import annotations

from starlette.routing import Route

from trichat.chat.hub import Hub


def metrics_routes(hub: Hub) -> list[Route]:
    """`/metrics`."""
    return []
