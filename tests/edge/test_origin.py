"""Origins: a page of our own may connect, however a browser writes it, and no other one gets through by a trick."""

from __future__ import annotations

import pytest

from tests.client_bytes import request_head
from tests.edge.doors import open_door, status_of
from tests.nodes import Node
from trichat.core.origins import page_may_connect

pytestmark = pytest.mark.usefixtures("no_bugs")

ALLOWED = ["https://site.example", "http://dev.example:3000", "https://xn--mnchen-3ya.example"]


def may(origin: str, host: str = "chat.example:8080", *, tls: bool = False, allowed: list[str] | None = None) -> bool:
    return page_may_connect(origin, host, allowed or [], tls=tls)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://chat.example:8080", "chat.example:8080"),
        ("HTTP://Chat.Example:8080", "CHAT.example:8080"),
        ("http://chat.example", "chat.example:80"),
        ("http://chat.example:80", "chat.example"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://[2001:DB8::1]", "[2001:db8::1]:80"),
        ("http://xn--mnchen-3ya.example", "XN--MNCHEN-3YA.example"),
        ("http://chat.example.", "chat.example."),
        ("http://localhost", "localhost"),
    ],
)
def test_a_page_of_our_own_may_connect_however_it_is_written(origin: str, host: str) -> None:
    assert may(origin, host)


STRANGERS = {
    "no origin at all, as sandboxed pages have": "null",
    "null in capitals": "NULL",
    "an empty one": "",
    "another port": "http://chat.example:8081",
    "no port": "http://chat.example",
    "the default port": "http://chat.example:80",
    "a longer port": "http://chat.example:80800",
    "a shorter port": "http://chat.example:808",
    "a port with a nought": "http://chat.example:08080",
    "an empty port": "http://chat.example:",
    "two ports": "http://chat.example:8080:8080",
    "the other scheme": "https://chat.example:8080",
    "a scheme of its own": "ws://chat.example:8080",
    "no scheme": "chat.example:8080",
    "a scheme without a host": "http://",
    "a suffix": "http://chat.example.evil.example:8080",
    "a suffix behind the port": "http://chat.example:8080.evil.example",
    "a prefix": "http://evilchat.example:8080",
    "a subdomain": "http://sub.chat.example:8080",
    "the domain above": "http://example:8080",
    "us as the user": "http://chat.example:8080@evil.example",
    "a user at our host": "http://eve@chat.example:8080",
    "us as the user of ourselves": "http://chat.example:8080@chat.example:8080",
    "us in the path": "http://evil.example/http://chat.example:8080",
    "a path": "http://chat.example:8080/",
    "a query": "http://chat.example:8080?",
    "a fragment": "http://chat.example:8080#",
    "a backslash": "http://evil.example\\chat.example:8080",
    "a dot at the end": "http://chat.example.:8080",
    "two dots": "http://chat..example:8080",
    "two of them in a list": "http://chat.example:8080, http://evil.example",
    "two of them with a blank": "http://evil.example http://chat.example:8080",
    "a star": "*",
    "a percent sign": "http://chat%2Eexample:8080",
    "an extension": "chrome-extension://chat.example:8080",
    "a file": "file://",
}


@pytest.mark.parametrize("origin", STRANGERS.values(), ids=STRANGERS.keys())
def test_a_strange_page_may_not_connect(origin: str) -> None:
    assert not may(origin)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://[::1]", "[::1]:8080"),
        ("http://[::2]:8080", "[::1]:8080"),
        ("http://::1:8080", "[::1]:8080"),
        ("http://[::ffff:127.0.0.1]:8080", "127.0.0.1:8080"),
        ("http://127.0.0.1:8080", "localhost:8080"),
        ("http://xn--mnchen-3ya.example", "munchen.example"),
        ("http://chat.example:443", "chat.example"),
        ("http://chat.example", "chat.example."),
    ],
)
def test_other_names_of_the_same_machine_are_other_origins(origin: str, host: str) -> None:
    assert not may(origin, host)


@pytest.mark.parametrize(
    ("origin", "host", "right"),
    [
        ("https://chat.example", "chat.example", True),
        ("https://chat.example:443", "chat.example", True),
        ("https://chat.example", "chat.example:443", True),
        ("https://chat.example:8443", "chat.example:8443", True),
        ("http://chat.example", "chat.example", False),
        ("https://chat.example:80", "chat.example", False),
    ],
)
def test_who_came_by_https_is_on_an_https_page(origin: str, host: str, right: bool) -> None:
    assert may(origin, host, tls=True) == right


@pytest.mark.parametrize(
    ("origin", "right"),
    [
        ("https://site.example", True),
        ("https://site.example:443", True),
        ("https://SITE.example", True),
        ("http://dev.example:3000", True),
        ("https://xn--mnchen-3ya.example", True),
        ("http://site.example", False),
        ("https://site.example:444", False),
        ("https://sub.site.example", False),
        ("https://site.example.evil.example", False),
        ("http://dev.example", False),
        ("https://münchen.example", False),
        ("null", False),
    ],
)
def test_allowed_pages_are_compared_whole_too(origin: str, right: bool) -> None:
    assert may(origin, allowed=ALLOWED) == right


def test_an_allowed_page_may_be_said_with_its_default_port() -> None:
    assert may("https://site.example", allowed=["https://site.example:443"])


# at the door


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://chat.example", 101), ("https://site.example", 101), ("null", 403), ("http://evil.example", 403)],
)
async def test_the_origin_is_looked_at_before_the_upgrade(origin: str, status: int, node: Node) -> None:
    async with open_door(node, allowed_origins=ALLOWED):
        assert await status_of(node, request_head(headers={"Host": "chat.example", "Origin": origin})) == status


async def test_who_is_no_browser_has_no_origin_and_passes(node: Node) -> None:
    async with open_door(node):
        assert await status_of(node, request_head()) == 101


async def test_two_origins_are_refused_even_if_both_are_ours(node: Node) -> None:
    raw = request_head(headers={"Host": "chat.example", "Origin": "http://chat.example"})
    twice = raw.replace(b"Origin:", b"Origin: http://chat.example\r\nOrigin:")
    async with open_door(node):
        assert await status_of(node, twice) == 400


@pytest.mark.parametrize("origin", ["http://chät.example", "http://chat.example\x00"])
async def test_what_is_no_ascii_is_refused(origin: str, node: Node) -> None:
    async with open_door(node):
        assert await status_of(node, request_head(headers={"Host": "chat.example", "Origin": origin})) == 400


@pytest.mark.parametrize(
    ("peer", "proto", "origin", "status"),
    [
        ("127.0.0.2", "https", "https://chat.example", 101),
        ("127.0.0.2", "HTTPS", "https://chat.example", 101),
        ("127.0.0.2", "wss", "https://chat.example", 101),
        ("127.0.0.2", "http, https", "https://chat.example", 101),
        ("127.0.0.2", "https", "http://chat.example", 403),
        ("127.0.0.2", "http", "http://chat.example", 101),
        ("127.0.0.2", "http", "https://chat.example", 403),
        ("127.0.0.2", "https, http", "https://chat.example", 403),
        ("127.0.0.2", "httpsx", "https://chat.example", 403),
        ("127.0.0.2", "", "https://chat.example", 403),
        ("127.0.0.1", "https", "https://chat.example", 403),
        ("127.0.0.1", "https", "http://chat.example", 101),
    ],
)
async def test_a_trusted_proxy_alone_says_that_the_client_came_by_https(
    peer: str, proto: str, origin: str, status: int, node: Node
) -> None:
    raw = request_head(headers={"Host": "chat.example", "Origin": origin, "X-Forwarded-Proto": proto})
    async with open_door(node, trusted_proxies=["127.0.0.2"]):
        assert await status_of(node, raw, peer) == status
