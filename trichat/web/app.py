"""The two ASGI applications of a node: the public port's, and the operators'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from trichat.chat.hub import Hub
from trichat.web.api import api_routes
from trichat.web.errors import answer_http_exception
from trichat.web.first_words import first_words_routes
from trichat.web.health import health_routes
from trichat.web.metrics import metrics_routes
from trichat.web.noting import Noted, noting
from trichat.web.outermost import Outermost
from trichat.web.page import page_routes

#: Says how each dependency is: "ok", or what is wrong.
Readiness = Callable[[], Awaitable[dict[str, str]]]


def open_to_web(
    hub: Hub,
    readiness: Readiness,
    *,
    with_metrics: bool,
    only_tls: bool = False,
    allowed_origins: Collection[str] = (),
) -> ASGIApp:
    """What the public port serves beside `/ws`; `with_metrics` where the operators have no port of their own.

    `only_tls`: the port speaks nothing else, and browsers are told so. `allowed_origins`: of other sites, whose pages
    may connect to the socket, and so may ask the API.
    """
    routes: list[BaseRoute] = [
        *first_words_routes(),
        *page_routes(),
        *health_routes(readiness),
        *api_routes(hub, allowed_origins),
    ]
    if with_metrics:
        routes += metrics_routes(hub)
    return _around(hub, routes, only_tls=only_tls)


def operators_app(hub: Hub, readiness: Readiness) -> ASGIApp:
    """What the port for operators serves."""
    return _around(hub, [*health_routes(readiness), *metrics_routes(hub)])


def _around(hub: Hub, routes: Sequence[BaseRoute], *, only_tls: bool = False) -> ASGIApp:
    app = Starlette(routes=routes, exception_handlers={HTTPException: answer_http_exception})
    # a path is what it is: who puts a slash behind it hears that nothing is there
    app.router.redirect_slashes = False
    return Noted(Outermost(app, noting(hub.figures), only_tls=only_tls))
