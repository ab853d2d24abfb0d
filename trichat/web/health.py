"""Whether the process lives, and whether the node can serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def health_routes(readiness: Callable[[], Awaitable[dict[str, str]]]) -> list[Route]:
    """`/healthz` and `/readyz`."""

    async def healthz(request: Request) -> Response:
        return _json({"status": "ok"})

    async def readyz(request: Request) -> Response:
        states = await readiness()
        # without Redis the chat goes on, so that alone takes no node out of service
        well = states["postgresql"] == "ok" and states["draining"] == "no"
        return _json({"status": "ok" if well else "unavailable", **states}, 200 if well else 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


def _json(states: dict[str, str], status: int = 200) -> Response:
    # with a newline, since people ask as well
    return Response(msgspec.json.encode(states) + b"\n", status, media_type="application/json")
