"""What the front door says by itself: whole responses, which end the connection."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from io import BytesIO

import pytest

from tests.client_bytes import request_head
from trichat.edge.answers import failure_response, http_response, refusal_response
from trichat.edge.head import HeadRefused, parse_head

#: A minute: bounds for a clock that is read twice.
_SECONDS = 60


class _Socket:
    """What the standard library's client reads a response from."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> BytesIO:
        assert mode == "rb"
        return BytesIO(self._raw)


def read(raw: bytes) -> tuple[HTTPResponse, str]:
    """A response as the standard library's client reads it; nothing may follow it."""
    response = HTTPResponse(_Socket(raw))  # type: ignore[arg-type]
    response.begin()
    body = response.read().decode()
    assert raw.endswith(body.encode())
    assert response.getheader("Connection") == "close"
    assert response.getheader("Content-Length") == str(len(body.encode()))
    return response, body


@pytest.mark.parametrize("status", [400, 403, 404, 405, 408, 411, 413, 421, 426, 431, 500, 503])
def test_every_response_is_read_by_another_implementation(status: int) -> None:
    response, body = read(http_response(status, "said é\n"))
    assert (response.status, body) == (status, "said é\n")


def test_who_must_upgrade_is_told_to_what() -> None:
    response, _ = read(refusal_response(HeadRefused(426, "upgrade")))
    assert response.getheader("Upgrade") == "websocket"
    assert response.getheader("Sec-WebSocket-Version") == "13"


def test_a_program_that_uses_the_api_is_refused_in_the_form_of_its_errors() -> None:
    head = parse_head(b"GET /api/v1/rooms HTTP/1.1\r\nHost: a\r\n\r\n")
    response, body = read(refusal_response(HeadRefused(503, "stopping"), head))
    assert response.getheader("Content-Type") == "application/json"
    assert json.loads(body) == {"type": "error", "code": "unavailable", "message": "stopping", "temporary": True}


def test_a_failure_says_which_request_it_was() -> None:
    response, body = read(failure_response("r7"))
    assert (response.status, response.getheader("X-Request-Id")) == (500, "r7")
    assert "r7" in json.loads(body)["message"]


def test_the_date_is_right() -> None:
    date = parsedate_to_datetime(read(http_response(400, ""))[0].getheader("Date") or "")
    assert abs((datetime.now(UTC) - date).total_seconds()) < _SECONDS


def test_the_test_clients_upgrade_is_one() -> None:
    assert parse_head(request_head()).is_upgrade
