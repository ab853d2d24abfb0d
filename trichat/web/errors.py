"""What is said where nothing is: in the form of the API's errors below `/api`, in plain words elsewhere."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from trichat.web.first_words import is_public, try_websocat

#: The codes of errors (docs/protocol.md) that come nearest.
_CODES: Final = {404: "unknown_type", 405: "unknown_type"}


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """A route that is not there, or not for this method."""
    assert isinstance(error, HTTPException)
    status, headers = error.status_code, dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
    said = _said(request, status, headers)
    if _of_api(request):
        code = _CODES.get(status, "bad_frame")
        return JSONResponse({"type": "error", "code": code, "message": said, "temporary": False}, status, headers)
    return PlainTextResponse(said + "\n", status, headers)


def _said(request: Request, status: int, headers: dict[str, str]) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            return f"nothing is here; {_what_there_is(request)}"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{request.method} means nothing here; try {headers.get('Allow', 'GET')}"
    return HTTPStatus(status).phrase.lower()


def _of_api(request: Request) -> bool:
    return request.url.path == "/api" or request.url.path.startswith("/api/")


def _what_there_is(request: Request) -> str:
    if not is_public(request):
        return "this port is for operators, and has /metrics, /healthz and /readyz"
    if _of_api(request):
        return "/api says what there is"
    return f"the chat is at /ws, try: {try_websocat(request)}"
