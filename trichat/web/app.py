"""The two ASGI applications of a node: the public port's, and the operators'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from trichat.chat.hub import Hub
from trichat.web.api import api_routes
from trichat.web.health import health_routes
from trichat.web.metrics import metrics_routes
from trichat.web.page import page_routes

#: Says how each dependency is: "ok", or what is wrong.
Readiness = Callable[[], Awaitable[dict[str, str]]]


def open_to_web(hub: Hub, readiness: Readiness, *, with_metrics: bool) -> Starlette:
    """What the public port serves beside `/ws`; `with_metrics` where the operators have no port of their own."""
    routes: list[BaseRoute] = [*page_routes(), *health_routes(readiness), *api_routes(hub)]
    if with_metrics:
        routes += metrics_routes(hub)
    return Starlette(routes=routes)


def operators_app(hub: Hub, readiness: Readiness) -> Starlette:
    """What the port for operators serves."""
    return Starlette(routes=[*health_routes(readiness), *metrics_routes(hub)])
