"""Every HTTP request is counted and logged by its route, and carries its id; its path is nowhere."""

from __future__ import annotations

import logging

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import get_contextvars

from trichat.chat.figures import Figures
from trichat.web.noting import Noted, noting
from trichat.web.outermost import Outermost


async def room(request: Request) -> Response:
    if request.path_params["room"] == "broken":
        raise ZeroDivisionError
    return Response(str(get_contextvars().get("request")))


class Door:
    """Gives each request an id, as the front door does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": {"request_id": "r1"}}, receive, send)


async def ask(figures: Figures, path: str) -> httpx.Response:
    app = Starlette(routes=[Route("/rooms/{room}", room)])
    transport = httpx.ASGITransport(Door(Noted(Outermost(app, noting(figures)))), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


async def test_a_request_is_counted_and_logged_by_its_route(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "trichat.web")
    figures = Figures()
    for path in ("/rooms/whereabouts", "/rooms/gossip", "/nothing/gossip"):
        await ask(figures, path)
    assert {key: histogram.count for key, histogram in figures.requests.items()} == {
        ("/rooms/{room}", "GET", "2xx"): 2, ("none", "GET", "4xx"): 1,
    }  # fmt: skip
    assert [record.levelname for record in caplog.records] == ["DEBUG"] * 3
    assert "gossip" not in str([vars(record) for record in caplog.records])


async def test_a_fault_of_ours_is_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trichat.web")
    figures = Figures()
    await ask(figures, "/rooms/lobby")
    await ask(figures, "/rooms/broken")
    assert list(figures.requests)[1:] == [("/rooms/{room}", "GET", "5xx")]
    assert [(record.levelname, vars(record)["status"]) for record in caplog.records] == [("INFO", 500)]


async def test_what_is_logged_meanwhile_carries_the_id_of_the_request_and_nothing_later_does() -> None:
    answer = await ask(Figures(), "/rooms/lobby")
    assert answer.text == "r1"
    assert get_contextvars() == {}
