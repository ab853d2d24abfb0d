"""The names that the server answers to: a name that was made to lead here (DNS rebinding) gets nothing."""

from __future__ import annotations

import pytest

from tests.client_bytes import request_head
from tests.edge.doors import answer_of, open_door, status_of
from tests.nodes import Node
from trichat.core.origins import answers_to
from trichat.settings import Settings

pytestmark = pytest.mark.usefixtures("no_bugs")


def get(path: str, host: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


THIS_MACHINE = [
    "localhost", "localhost:8080", "LOCALHOST", "localhost.", "chat.localhost", "a.b.localhost:1", "127.0.0.1",
    "127.0.0.1:65535", "127.8.8.8", "127.0.0.1.", "[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]",
]  # fmt: skip
STRANGERS = [
    "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost",
    "localhost..", "10.0.0.1", "0.0.0.0", "[::]", "[::2]", "[::ffff:127.0.0.1]", "128.0.0.1", "2130706433",
    "localhost.localdomain",
]  # fmt: skip


@pytest.mark.parametrize("host", THIS_MACHINE)
def test_names_of_this_machine_are_answered(host: str) -> None:
    assert answers_to(host, ())
    assert answers_to(host, ("chat.example",))


@pytest.mark.parametrize("host", STRANGERS)
def test_no_other_name_is_unless_it_is_said(host: str) -> None:
    assert not answers_to(host, ())
    assert not answers_to(host, ("chat.example",))
    assert answers_to(host, None)


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("chat.example", True),
        ("Chat.Example:8080", True),
        ("chat.example.", True),
        ("chat.example.:443", True),
        ("sub.chat.example", False),
        ("chat.example.evil", False),
        ("evilchat.example", False),
        ("192.0.2.7:80", True),
        ("192.0.2.70", False),
        ("[2001:db8::7]:80", True),
        ("[2001:db8:0::7]", True),
        ("[2001:db8::8]", False),
    ],
)
def test_a_name_that_was_said_is_answered_whole_and_on_any_port(host: str, right: bool) -> None:
    assert answers_to(host, ("Chat.example", "192.0.2.7", "2001:db8::7")) == right
    assert answers_to(host, ("chat.example.", "192.0.2.7", "[2001:db8::7]")) == right


# what is in force


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_a_loopback_address_only_this_machines_names_are_answered(host: str) -> None:
    assert Settings(host=host).allowed_hosts == ()
    assert Settings(host=host, allowed_host=("a.example",)).allowed_hosts == ("a.example",)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "chat.example"])
def test_elsewhere_any_name_is_until_some_are_said(host: str) -> None:
    assert Settings(host=host).allowed_hosts is None
    assert Settings(host=host, allowed_host=("a.example",)).allowed_hosts == ("a.example",)


# at the door


async def test_a_name_that_leads_here_by_a_trick_is_told_which_flag_lets_it(node: Node) -> None:
    async with open_door(node, allowed_hosts=()):
        raw = request_head(headers={"Host": "evil.example", "Origin": "http://evil.example"})
        answer = await answer_of(node, raw)
        assert answer.startswith(b"HTTP/1.1 421 Misdirected Request\r\n")
        assert b"evil.example" in answer
        assert b"--allowed-host" in answer
        assert await status_of(node, get("/", "evil.example")) == 421
        assert await status_of(node, get("/", "localhost")) == 200
        assert await status_of(node, request_head(headers={"Host": "localhost:1"})) == 101


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/healthz?from=balancer"])
async def test_how_the_node_is_may_be_asked_by_any_name(path: str, node: Node) -> None:
    async with open_door(node, allowed_hosts=()):
        assert await status_of(node, get(path, "10.1.2.3:8080")) == 200


async def test_an_upgrade_does_not_pass_for_such_a_question(node: Node) -> None:
    async with open_door(node, allowed_hosts=()):
        assert await status_of(node, request_head("/healthz", {"Host": "evil.example"})) == 421


async def test_a_name_that_was_said_is_let_in(node: Node) -> None:
    async with open_door(node, allowed_hosts=("chat.example",)):
        raw = request_head(headers={"Host": "chat.example", "Origin": "http://chat.example"})
        assert await status_of(node, raw) == 101
