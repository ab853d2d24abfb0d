"""The HTTP API: what a program needs without a socket, under the checks, limits and errors of the socket."""

from __future__ import annotations

from collections.abc import Collection

from starlette.routing import BaseRoute, Mount

from trichat.chat.hub import Hub
from trichat.web.api.documents import document_routes
from trichat.web.api.operations import PREFIX
from trichat.web.api.serving import Api


def api_routes(hub: Hub, allowed_origins: Collection[str] = ()) -> list[BaseRoute]:
    """All under `/api`; `allowed_origins` are those of other sites whose pages may ask, as for the socket."""
    return [*document_routes(), Mount(PREFIX, app=Api(hub, allowed_origins))]
