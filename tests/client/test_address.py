"""The ways in which people write where a server is."""

from __future__ import annotations

import pytest

from trichat.client.address import parse_address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ws://localhost:8080/ws", "ws://localhost:8080/ws"),
        ("localhost:8080", "ws://localhost:8080/ws"),
        ("http://localhost:8080/", "ws://localhost:8080/ws"),
        ("https://chat.example.org", "wss://chat.example.org/ws"),
        ("wss://chat.example.org:8443/other?x=1", "wss://chat.example.org:8443/other?x=1"),
        ("ws://[::1]:8080", "ws://[::1]:8080/ws"),
        ("WS://Localhost", "ws://localhost/ws"),
        (" 127.0.0.1:1\n", "ws://127.0.0.1:1/ws"),
    ],
)
def test_an_address_is_understood(text: str, url: str) -> None:
    assert parse_address(text).url == url


@pytest.mark.parametrize(
    "text",
    ["", "ftp://localhost", "ws://", "localhost:no", "localhost:99999", "ws://a b/ws", "ws://h/\r\nX: y", "ws://[::1"],
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="say ws://localhost:8080/ws"):
        parse_address(text)


def test_the_host_header_leaves_out_the_usual_port() -> None:
    assert parse_address("ws://localhost").authority == "localhost"
    assert parse_address("wss://localhost:443").authority == "localhost"
    assert parse_address("wss://localhost:80").authority == "localhost:80"
