"""The files of the page over HTTP: which there are, how browsers keep them, and what guards them."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from trichat.web.outermost import Outermost
from trichat.web.page import page_routes

_PART = re.compile(r'"(/page/([0-9a-f]{16})/[^"]+)"')


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Outermost(Starlette(routes=page_routes())))
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
        yield client


async def test_the_page_names_its_parts_by_their_release_and_they_are_kept_for_good(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    parts = _PART.findall(page.text)
    assert len({release for _, release in parts}) == 1
    assert "engine/engine.js" in {path.split("/", 3)[3] for path, _ in parts}
    for path, _ in parts:
        part = await browser.get(path)
        assert part.status_code == 200
        assert part.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_of_another_release_there_is_what_there_is_and_nobody_keeps_it(browser: httpx.AsyncClient) -> None:
    part = await browser.get("/page/0000000000000000/engine/engine.js")
    assert (part.status_code, part.headers["cache-control"]) == (200, "no-store")
    assert part.headers["content-type"] == "text/javascript; charset=utf-8"


async def test_what_has_not_changed_is_not_sent_again(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/")
    etag = page.headers["etag"]
    for known in (etag, f'"other", W/{etag}'):
        again = await browser.get("/", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    assert (await browser.get("/", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_files_are_packed_for_who_can_unpack_them(browser: httpx.AsyncClient) -> None:
    plain = await browser.get("/page/engine/engine.js", headers={"Accept-Encoding": "identity, gzip;q=0"})
    assert "content-encoding" not in plain.headers
    async with browser.stream("GET", "/page/engine/engine.js", headers={"Accept-Encoding": "br, gzip"}) as packed:
        raw = b"".join([chunk async for chunk in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert "Accept-Encoding" in packed.headers["vary"]


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page/nothing.js",
        "/page/%2e%2e/__init__.py",
        "/page/engine/..%2f..%2f..%2fapp.py",
        "/page//etc/passwd",
        "/page/engine",
        "/page/engine/engine.js/",
        "/page/engine/engine.js%00",
    ],
)
async def test_nothing_else_is_served(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 404
    assert answer.text == "there is no such file of the page\n"


async def test_the_document_carries_the_policy(browser: httpx.AsyncClient) -> None:
    headers = (await browser.get("/")).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"


@pytest.mark.parametrize("path", ["/", "/page/engine/engine.js", "/page/nothing"])
async def test_every_answer_is_what_it_says_and_of_this_site_alone(browser: httpx.AsyncClient, path: str) -> None:
    headers = (await browser.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; ")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
