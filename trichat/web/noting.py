"""What is noted of every HTTP request: the id that its records carry, what is counted, and one line in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from trichat.chat.figures import Figures
from trichat.web.outermost import Answered

log = logging.getLogger("trichat.web")

#: What stands for the route of a request that none of ours was meant by: a path is never a label, nor in the log.
_NO_ROUTE = "none"


class Noted:
    """Stands around an application: what is logged for a request carries the id that the door has given it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope.get("state", {}).get("request_id")
        if request_id is None:
            return await self._app(scope, receive, send)
        with bound_contextvars(request=request_id):
            return await self._app(scope, receive, send)


def noting(figures: Figures) -> Callable[[Answered], None]:
    """For `Outermost`: count what was answered, and log it, at debug but for what is a fault of ours."""

    def note(answered: Answered) -> None:
        route = answered.route or _NO_ROUTE
        figures.request(route, answered.method, answered.status, answered.seconds)
        level = logging.INFO if answered.status >= 500 else logging.DEBUG
        if log.isEnabledFor(level):
            said = {"method": answered.method, "route": route, "status": answered.status}
            log.log(level, "request answered", extra={**said, "seconds": round(answered.seconds, 4)})

    return note
