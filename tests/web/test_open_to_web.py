"""What the port says beside the chat: what to type, whether the node is well, and that nothing else is there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import ASGIApp

from tests.nodes import make_twins, open_twin_node
from trichat.web import open_to_web, operators_app

WELL = {"postgresql": "ok", "redis": "ok", "fanout": "ok", "draining": "no"}
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
#: On every answer, whatever it is.
SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@asynccontextmanager
async def asking(
    states: Mapping[str, str] | None = None, *, operators: bool = False, only_tls: bool = False
) -> AsyncIterator[httpx.AsyncClient]:
    async def readiness() -> dict[str, str]:
        return {**WELL, **(states or {})}

    async with open_twin_node(make_twins()) as node:
        app: ASGIApp = (
            operators_app(node.hub, readiness)
            if operators
            else open_to_web(node.hub, readiness, with_metrics=False, only_tls=only_tls)
        )
        scheme = "https" if only_tls else "http"
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=f"{scheme}://chat.example:8080"
        ) as client:
            yield client


@pytest.mark.parametrize("accept", ["*/*", "", "application/json"])
async def test_a_program_is_told_what_to_type(accept: str) -> None:
    async with asking() as client:
        answer = await client.get("/", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("text/plain")
    assert "websocat ws://chat.example:8080/ws\n" in answer.text
    commands = [json.loads(line) for line in answer.text.splitlines() if line.strip().startswith("{")]
    assert [command["type"] for command in commands] == ["hello", "join", "send", "help"]
    assert "http://chat.example:8080/api\n" in answer.text


async def test_over_tls_it_is_another_address() -> None:
    async with asking(only_tls=True) as client:
        answer = await client.get("/")
    assert "websocat wss://chat.example:8080/ws\n" in answer.text
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_browser_gets_the_page_and_caches_keep_the_two_apart() -> None:
    async with asking() as client:
        page, words = await client.get("/", headers=HTML), await client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for answer in (page, words):
        assert "accept" in [name.strip().lower() for name in answer.headers["vary"].split(",")]


async def test_a_node_that_runs_is_healthy() -> None:
    async with asking({"postgresql": "unavailable"}) as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("operators", [True, False])
@pytest.mark.parametrize(
    ("name", "state", "status"),
    [
        ("redis", "ok", 200),
        ("postgresql", "unavailable", 503),
        ("draining", "yes", 503),
        ("redis", "unavailable", 200),
        ("fanout", "degraded", 200),
    ],
)
async def test_readiness_names_each_dependency(name: str, state: str, status: int, operators: bool) -> None:
    async with asking({name: state}, operators=operators) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == status
    assert answer.json() == {"status": "ok" if status == 200 else "unavailable", **WELL, name: state}


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/nothing"])
async def test_head_gets_the_head_alone(path: str) -> None:
    async with asking() as client:
        whole, head = await client.get(path), await client.head(path)
    assert head.headers == whole.headers
    assert head.status_code == whole.status_code


async def test_the_endpoint_wants_an_upgrade() -> None:
    async with asking() as client:
        answer = await client.get("/ws")
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    assert "websocat ws://chat.example:8080/ws" in answer.text


@pytest.mark.parametrize("path", ["/x", "/healthz/", "/favicon.ico", "/ws/", "/metrics", "/apix"])
async def test_nothing_else_is_here(path: str) -> None:
    async with asking() as client:
        answer = await client.get(path)
    assert answer.status_code == 404
    assert "websocat" in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/ws", "/healthz"])
async def test_only_reading_is_known(path: str, method: str) -> None:
    async with asking() as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/api", "/api/nothing", "/api/v1/nothing", "/api/v1/rooms"])
async def test_below_api_errors_have_the_form_of_the_sockets(path: str) -> None:
    async with asking() as client:
        answer = await client.request("PROPFIND", path)
    assert answer.status_code in (404, 405)
    assert answer.json()["type"] == "error"


async def test_below_api_it_is_said_where_to_look() -> None:
    async with asking() as client:
        answer = await client.get("/api/v2/rooms")
    assert answer.json()["message"] == "nothing is here; /api says what there is"


@pytest.mark.parametrize("path", ["/", "/ws", "/healthz", "/nothing", "/api/nothing", "/page/nothing"])
async def test_every_answer_keeps_browsers_from_harm(path: str) -> None:
    async with asking() as client:
        for method in ("GET", "POST"):
            answer = await client.request(method, path)
            assert SAFE.items() <= answer.headers.items()
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["cache-control"] == "no-store"
            assert "server" not in answer.headers
            assert "strict-transport-security" not in answer.headers


async def test_operators_have_the_metrics_and_no_chat() -> None:
    async with asking(operators=True) as client:
        assert (await client.get("/metrics")).status_code == 200
        nothing = await client.get("/")
        assert nothing.status_code == 404
        assert "websocat" not in nothing.text
        assert "/metrics" in nothing.text
        assert (await client.get("/api/v1/rooms")).status_code == 404
