"""Plain HTTP on the same port: what to type, whether the node is well, and nothing else."""

from __future__ import annotations

import json
from http.client import HTTPResponse
from io import BytesIO

import pytest

from tests.client_bytes import request_head
from trichat.edge.answers import answer, http_response, refusal_response
from trichat.edge.head import HeadRefused, parse_head

WELL = {"postgresql": "ok", "redis": "ok", "fanout": "ok", "draining": "no"}


class _Socket:
    """What the standard library's client reads a response from."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> BytesIO:
        assert mode == "rb"
        return BytesIO(self._raw)


def read(raw: bytes, method: str = "GET") -> tuple[HTTPResponse, str]:
    """A response as the standard library's client reads it; nothing may follow it."""
    response = HTTPResponse(_Socket(raw), method=method)  # type: ignore[arg-type]
    response.begin()
    body = response.read().decode()
    assert raw.endswith(body.encode())
    assert response.getheader("Connection") == "close"
    if method == "GET":
        assert response.getheader("Content-Length") == str(len(body.encode()))
    return response, body


async def ask(path: str, *, method: str = "GET", **states: str) -> tuple[HTTPResponse, str]:
    raw = f"{method} {path} HTTP/1.1\r\nHost: chat.example:8080\r\n\r\n".encode()

    async def readiness() -> dict[str, str]:
        return {**WELL, **states}

    return read(await answer(parse_head(raw), readiness), method)


async def refusal_of(path: str, method: str = "GET", extra: str = "") -> HeadRefused:
    raw = f"{method} {path} HTTP/1.1\r\nHost: chat.example:8080\r\n{extra}\r\n".encode()

    async def readiness() -> dict[str, str]:
        raise AssertionError("nobody asked")

    with pytest.raises(HeadRefused) as caught:
        await answer(parse_head(raw), readiness)
    return caught.value


@pytest.mark.parametrize("status", [200, 400, 403, 404, 405, 413, 426, 431, 503])
def test_every_response_is_read_by_another_implementation(status: int) -> None:
    response, body = read(http_response(status, "said é\n"))
    assert (response.status, body) == (status, "said é\n")


def test_who_must_upgrade_is_told_to_what() -> None:
    response, _ = read(refusal_response(HeadRefused(426, "upgrade")))
    assert response.getheader("Upgrade") == "websocket"
    assert response.getheader("Sec-WebSocket-Version") == "13"


async def test_the_first_page_says_what_to_type() -> None:
    response, body = await ask("/")
    assert response.status == 200
    assert "websocat ws://chat.example:8080/ws\n" in body
    commands = [json.loads(line) for line in body.splitlines() if line.strip().startswith("{")]
    assert [command["type"] for command in commands] == ["hello", "join", "send", "help"]


async def test_a_node_that_runs_is_healthy() -> None:
    response, body = await ask("/healthz")
    assert (response.status, json.loads(body)) == (200, {"status": "ok"})
    assert response.getheader("Content-Type") == "application/json"


async def test_a_node_that_is_ready_names_each_dependency() -> None:
    response, body = await ask("/readyz")
    assert (response.status, json.loads(body)) == (200, {"status": "ok", **WELL})


@pytest.mark.parametrize(
    ("name", "state", "status"),
    [
        ("postgresql", "unavailable", 503),
        ("draining", "yes", 503),
        ("redis", "unavailable", 200),
        ("fanout", "degraded", 200),
    ],
)
async def test_readiness_names_what_is_away(name: str, state: str, status: int) -> None:
    response, body = await ask("/readyz", **{name: state})
    assert response.status == status
    assert json.loads(body)["status"] == ("ok" if status == 200 else "unavailable")
    assert json.loads(body)[name] == state


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
async def test_head_gets_the_head_alone(path: str) -> None:
    whole, body = await ask(path)
    only_head, nothing = await ask(path, method="HEAD")
    assert nothing == ""
    assert only_head.getheaders() == whole.getheaders()
    assert only_head.getheader("Content-Length") == str(len(body.encode()))


async def test_the_endpoint_wants_an_upgrade() -> None:
    refused = await refusal_of("/ws")
    assert refused.status == 426
    assert "websocat ws://chat.example:8080/ws" in refused.said


@pytest.mark.parametrize("path", ["/x", "/healthz/", "/../", "/favicon.ico"])
async def test_nothing_else_is_here(path: str) -> None:
    assert (await refusal_of(path)).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_only_reading_is_known(method: str) -> None:
    assert (await refusal_of("/", method)).status == 405


@pytest.mark.parametrize("extra", ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"])
async def test_no_request_takes_a_body(extra: str) -> None:
    assert (await refusal_of("/", extra=extra)).status == 413


def test_the_test_clients_upgrade_is_one() -> None:
    assert parse_head(request_head()).is_upgrade
