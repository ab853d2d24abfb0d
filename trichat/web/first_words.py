"""What a person or a program without a browser is told at `/`: what to type."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope


class _ForPrograms(Route):
    """Matches who does not say that HTML is welcome, as all browsers do."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and _wants_html(scope):
            return Match.NONE, {}
        return super().matches(scope)


def first_words_routes() -> list[BaseRoute]:
    """`/` for programs, and `/ws` for who does not ask for a WebSocket there."""
    return [_ForPrograms("/", _first_words), Route("/ws", _want_upgrade)]


def try_websocat(request: Request) -> str:
    """What to type, as this client would reach us."""
    scheme = "wss" if request.url.scheme == "https" else "ws"
    return f"websocat {scheme}://{request.headers['host']}/ws"


def is_public(request: Request) -> bool:
    """Whether the chat is at this port; at the operators' it is not."""
    return any(isinstance(route, Route) and route.path == "/ws" for route in request.app.routes)


async def _first_words(request: Request) -> Response:
    return PlainTextResponse(
        "trichat: a chat over WebSocket.\n\n"
        f"  {try_websocat(request)}\n\n"
        "and then type, line by line:\n\n"
        '  {"type":"hello","name":"ann"}\n'
        '  {"type":"join","room":"lobby"}\n'
        '  {"type":"send","room":"lobby","text":"hello"}\n'
        '  {"type":"help"}\n\n'
        f"In a browser this address is the chat itself. Without a socket: {_home(request)}/api\n",
        headers={"Vary": "Accept"},
    )


async def _want_upgrade(request: Request) -> Response:
    return PlainTextResponse(
        f"this is a WebSocket; try: {try_websocat(request)}\n",
        426,
        {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
    )


def _home(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers['host']}"


def _wants_html(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value.lower() for name, value in scope["headers"])
