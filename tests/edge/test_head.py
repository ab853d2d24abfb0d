"""The head of a request: every attack that once ended a server is answered, and nothing odd gets further."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client_bytes import request_head
from tests.properties import steady
from trichat.core.limits import Limits
from trichat.edge.head import Head, HeadRefused, check_no_body, check_upgrade, parse_head

KEY = "c2l4dGVlbiBieXRlcyBvaw=="


def head(*lines: str, first: str = "GET /ws HTTP/1.1") -> bytes:
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1")


def upgrade(*, origins: Collection[str] = (), tls: bool = False, **headers: str) -> Head:
    """A proper upgrade with these headers, which has passed."""
    raw = request_head(headers={name.replace("_", "-"): value for name, value in headers.items()})
    parsed = parse_head(raw)
    check_upgrade(parsed, origins, tls=tls)
    return parsed


def refusal_of_head(raw: bytes) -> HeadRefused:
    with pytest.raises(HeadRefused) as caught:
        parse_head(raw)
    assert caught.value.said
    return caught.value


def refusal_of_upgrade(raw: bytes, origins: Collection[str] = ()) -> int:
    with pytest.raises(HeadRefused) as caught:
        check_upgrade(parse_head(raw), origins)
    assert caught.value.said
    return caught.value.status


# what is well-formed


def test_a_head_is_its_method_path_and_headers() -> None:
    parsed = parse_head(head("Host: a.example:80", "X-Odd:\t  b c \t", "x-empty:", first="GET /ws?token=x HTTP/1.1"))
    assert (parsed.method, parsed.path) == ("GET", "/ws")
    assert parsed.headers == {"host": "a.example:80", "x-odd": "b c", "x-empty": ""}
    assert not parsed.is_upgrade


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1", "[::1]", "[::1]:8080", "a_b.example", "xn--mnchen-3ya.de"]
)
def test_a_host_is_a_name_or_an_address_perhaps_with_a_port(host: str) -> None:
    assert parse_head(head(f"Host: {host}")).headers["host"] == host


def test_lists_that_come_in_two_lines_are_one_list() -> None:
    assert parse_head(head("Host: a", "Connection: keep-alive", "connection: Upgrade")).headers["connection"] == (
        "keep-alive, Upgrade"
    )


def test_a_proper_upgrade_passes() -> None:
    assert upgrade().is_upgrade


@pytest.mark.parametrize(
    "connection", ["Upgrade", "upgrade", "keep-alive, Upgrade", "Upgrade,keep-alive", "a , UPGRADE"]
)
def test_browsers_write_connection_in_many_ways(connection: str) -> None:
    assert upgrade(Connection=connection, Upgrade="WebSocket").is_upgrade


def test_an_offer_of_another_protocol_is_ignored() -> None:
    assert not parse_head(head("Host: a", "Upgrade: h2c", "Connection: Upgrade")).is_upgrade


# attacks


ATTACKS = {
    "a host that is not ASCII": b"GET /ws HTTP/1.1\r\nHost: \xff\r\n\r\n",
    "a host that is no IDNA": head("Host: xn--a"),
    "a host that is broken IDNA": head("Host: a.xn--0.example"),
    "a host with a user": head("Host: a@b"),
    "a host with a path": head("Host: a/b"),
    "a host that is a list": head("Host: a, b"),
    "an endless host": head("Host: " + "a" * 256),
    "a port that is no number": head("Host: a:b"),
    "an empty host": head("Host:"),
    "no host": head("X: y"),
    "two hosts": head("Host: a", "Host: a"),
    "a protocol that is not ASCII": head("Host: a", "Sec-WebSocket-Protocol: \xff"),
    "an extension that is not ASCII": head("Host: a", "Sec-WebSocket-Extensions: \xff"),
    "a connection that is not ASCII": head("Host: a", "Connection: \xff"),
    "a name that is not ASCII": head("Host: a", "H\xf6st: a"),
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "nothing": b"\r\n\r\n",
    "only blanks": b"   \r\n\r\n",
    "no version": head("Host: a", first="GET /ws"),
    "an old version": head("Host: a", first="GET /ws HTTP/0.9"),
    "a new version": head("Host: a", first="GET /ws HTTP/2.0"),
    "a method in lower case": head("Host: a", first="get /ws HTTP/1.1"),
    "an endless method": head("Host: a", first="G" * 17 + " /ws HTTP/1.1"),
    "an absolute target": head("Host: a", first="GET http://a/ws HTTP/1.1"),
    "a target that is a star": head("Host: a", first="OPTIONS * HTTP/1.1"),
    "a blank in the target": head("Host: a", first="GET /ws /x HTTP/1.1"),
    "a control in the target": head("Host: a", first="GET /w\x01s HTTP/1.1"),
    "a request after an empty line": b"\r\n" + head("Host: a"),
    "a line without a colon": head("Host: a", "nonsense"),
    "a blank before the colon": head("Host : a"),
    "a name that is empty": head("Host: a", ": b"),
    "a folded line": head("Host: a", "X: b", " c"),
    "a bare newline": head("Host: a", "X: b\nY: c"),
    "a bare return": head("Host: a", "X: b\rY: c"),
    "a control in a value": head("Host: a", "X: \x00"),
    "bytes behind the head": head("Host: a") + b"\x81\x80\x00\x00\x00\x00",
    "two lengths": head("Host: a", "Content-Length: 0", "Content-Length: 5"),
    "two origins": head("Host: a", "Origin: http://a", "Origin: http://b"),
    "two keys": head("Host: a", f"Sec-WebSocket-Key: {KEY}", f"sec-websocket-key: {KEY}"),
    "two versions": head("Host: a", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"),
}


@pytest.mark.parametrize("raw", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_is_answered_with_400(raw: bytes) -> None:
    assert refusal_of_head(raw).status == 400


@pytest.mark.parametrize("blank", [" ", "\t", " \t"])
@pytest.mark.parametrize("end", ["\x01", "\x7f", "x\x00"])
def test_a_head_full_of_blanks_is_refused_as_fast_as_any(blank: str, end: str) -> None:
    # a pattern that may put a blank in three places needs hours for this: the suite would hang here
    size = Limits().head_bytes - 100
    assert refusal_of_head(head("Host: a", "X:" + blank * (size // len(blank)) + end)).status == 400
    assert refusal_of_head(head("Host:" + blank * (size // len(blank)) + end)).status == 400


def test_a_head_full_of_lines_is_read() -> None:
    assert len(parse_head(head("Host: a", *["x:"] * 4_000)).headers["x"]) == 2 * 3_999


@given(st.binary(max_size=400))
@steady
def test_arbitrary_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(HeadRefused):
        parse_head(raw + b"\r\n\r\n")


header_names = st.sampled_from(
    ["Host", "Upgrade", "Connection", "Origin", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Content-Length", "X", ""]
)
header_values = st.text(max_size=30) | st.sampled_from(
    ["websocket", "Upgrade", "13", KEY, "a", "xn--a", "0", "null", "[::1]:80", "http://a"]
)


@given(st.lists(st.tuples(header_names, header_values), max_size=12), st.sampled_from(["GET", "POST", "", "\r\n"]))
@steady
def test_arbitrary_headers_are_taken_or_refused(headers: list[tuple[str, str]], method: str) -> None:
    lines = "".join(f"{name}:{value}\r\n" for name, value in headers)
    raw = f"{method} /ws HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode("utf-8", "surrogatepass")
    try:
        parsed = parse_head(raw)
        check_upgrade(parsed, ["http://b"])
    except HeadRefused as refused:
        assert refused.status in (400, 403, 404, 405, 413, 426)  # noqa: PT017
    else:
        assert parsed.headers["sec-websocket-key"] == KEY


# upgrades


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upgrade": "websocket2"}, 400),
        ({"Upgrade": "h2c, websocket"}, 400),
        ({"Connection": "keep-alive"}, 400),
        ({"Connection": ""}, 400),
        ({"Connection": "UpgradeX"}, 400),
        ({"Sec-WebSocket-Version": "12"}, 426),
        ({"Sec-WebSocket-Version": "13, 8"}, 426),
        ({"Sec-WebSocket-Version": ""}, 426),
        ({"Sec-WebSocket-Key": ""}, 400),
        ({"Sec-WebSocket-Key": "a" * 24}, 400),
        ({"Sec-WebSocket-Key": KEY + "="}, 400),
        ({"Sec-WebSocket-Key": "c2l4dGVlbiBieXRlcyBvaw"}, 400),
        ({"Sec-WebSocket-Key": "c2l4dGVlbiBieXRlcyBv!w=="}, 400),
        ({"Content-Length": "5"}, 413),
        ({"Content-Length": "-1"}, 413),
        ({"Content-Length": "00"}, 413),
        ({"Transfer-Encoding": "chunked"}, 413),
        ({"Transfer-Encoding": ""}, 413),
    ],
)
def test_an_upgrade_that_is_wrong_is_told_so(headers: dict[str, str], status: int) -> None:
    assert refusal_of_upgrade(request_head(headers=headers)) == status


@pytest.mark.parametrize("path", ["/", "/ws/", "/WS", "/ws2", "//ws", "/ws%00", "/ws#x"])
def test_the_endpoint_is_one_path(path: str) -> None:
    assert refusal_of_upgrade(request_head(path)) == 404


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "CONNECT"])
def test_an_upgrade_is_a_get(method: str) -> None:
    assert refusal_of_upgrade(request_head().replace(b"GET", method.encode(), 1)) == 405


def test_a_missing_header_is_told() -> None:
    for name, status in {"Connection": 400, "Sec-WebSocket-Version": 426, "Sec-WebSocket-Key": 400}.items():
        lines = [line for line in request_head().split(b"\r\n") if not line.startswith(name.encode())]
        assert refusal_of_upgrade(b"\r\n".join(lines)) == status


def test_an_upgrade_that_asks_for_none_is_refused() -> None:
    assert refusal_of_upgrade(head("Host: a")) == 400


def test_an_empty_body_is_no_body() -> None:
    check_no_body(upgrade(Content_Length="0"))


# origins


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "HTTP://127.0.0.1"])
def test_our_own_page_may_connect(origin: str) -> None:
    assert upgrade(Origin=origin)


def test_our_own_page_on_a_port_may_connect() -> None:
    assert upgrade(Host="chat.example:8080", Origin="http://Chat.Example:8080")
    assert upgrade(Host="[::1]:8080", Origin="http://[::1]:8080")


def test_who_is_no_browser_names_no_origin() -> None:
    assert "origin" not in upgrade().headers


def test_under_tls_our_own_page_is_an_https_page() -> None:
    assert upgrade(Origin="https://127.0.0.1", tls=True)
    with pytest.raises(HeadRefused):
        upgrade(Origin="http://127.0.0.1", tls=True)


STRANGE_ORIGINS = {
    "null": "null", "nothing": "", "another host": "http://evil.example", "another port": "http://127.0.0.1:81",
    "a suffix": "http://127.0.0.1.evil.example", "a prefix": "http://evil127.0.0.1", "another scheme": "https://127.0.0.1",
    "a user": "http://evil@127.0.0.1", "a path": "http://127.0.0.1/", "two": "http://127.0.0.1, http://evil.example",
    "two in a row": "http://127.0.0.1 http://evil.example", "an extension": "chrome-extension://127.0.0.1",
    "a scheme alone": "http://", "the host alone": "127.0.0.1", "a star": "*", "a suffix of an allowed one":
    "https://allowed.example.evil", "an allowed one with a port": "https://allowed.example:444",
    "an allowed one as http": "http://allowed.example", "a part of an allowed one": "allowed.example",
}  # fmt: skip


@pytest.mark.parametrize("origin", STRANGE_ORIGINS.values(), ids=STRANGE_ORIGINS.keys())
def test_a_strange_page_may_not_connect(origin: str) -> None:
    assert refusal_of_upgrade(request_head(headers={"Origin": origin}), ["https://allowed.example"]) == 403


def test_an_allowed_page_may_connect() -> None:
    allowed = ["https://allowed.example", "null"]
    assert upgrade(Origin="https://allowed.example", origins=allowed)
    assert upgrade(Origin="null", origins=allowed)
