"""X-Forwarded-For: believed of trusted proxies alone, and no client can choose its own address by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest
import trio

from tests.client_bytes import request_head
from tests.edge.callers import calling
from tests.edge.doors import answer_of, open_door, status_of
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import WireClient
from trichat.core.addresses import MOST_FORWARDED, TrustedProxies, caller_of
from trichat.edge.front_door import FrontDoor

pytestmark = pytest.mark.usefixtures("no_bugs")

PROXY = "10.0.0.1"
proxies = TrustedProxies(["10.0.0.0/8", "192.168.7.7", "fd00::/8"])


def client(forwarded_for: str | None, peer: str = PROXY) -> str:
    return proxies.client(peer, forwarded_for, None).address


# whose word counts


def test_nobody_is_trusted_by_default() -> None:
    assert TrustedProxies().client(PROXY, "203.0.113.5", "https") == TrustedProxies().client(PROXY, None, None)
    assert TrustedProxies().client(PROXY, "203.0.113.5", "https").address == PROXY


@pytest.mark.parametrize("peer", ["203.0.113.9", "11.0.0.1", "192.168.7.8", "2001:db8::1", "::1", "fe80::1%eth0"])
def test_a_stranger_speaks_for_itself(peer: str) -> None:
    assert client("203.0.113.5", peer) == peer
    assert not proxies.client(peer, None, "https").secure


@pytest.mark.parametrize("peer", ["10.255.255.255", "192.168.7.7", "fd12::1", "::ffff:10.0.0.1", "fd12::1%eth0"])
def test_a_trusted_proxy_speaks_for_its_clients(peer: str) -> None:
    assert client("203.0.113.5", peer) == "203.0.113.5"


# which entry counts


@pytest.mark.parametrize(
    ("forwarded_for", "address"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("  203.0.113.5\t", "203.0.113.5"),
        ("1.1.1.1, 203.0.113.5", "203.0.113.5"),
        ("203.0.113.5, 10.1.1.1", "203.0.113.5"),
        ("203.0.113.5,10.1.1.1,192.168.7.7,fd00::2", "203.0.113.5"),
        ("1.1.1.1, 203.0.113.5, 10.1.1.1", "203.0.113.5"),
        ("10.2.2.2, 10.1.1.1", "10.2.2.2"),
        ("2001:db8::5", "2001:db8::5"),
        ("2001:DB8:0:0::5", "2001:db8::5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("203.0.113.5:4711", "203.0.113.5"),
        ("[2001:db8::5]", "2001:db8::5"),
        ("[2001:db8::5]:4711", "2001:db8::5"),
    ],
)
def test_the_right_most_that_is_no_trusted_proxy_is_the_client(forwarded_for: str, address: str) -> None:
    assert client(forwarded_for) == address


@pytest.mark.parametrize("claim", ["127.0.0.1", "10.9.9.9", "nonsense", "", "203.0.113.99, 10.0.0.9", "\t, ,"])
def test_what_a_client_claims_for_itself_changes_nothing(claim: str) -> None:
    assert client(f"{claim}, 203.0.113.5") == "203.0.113.5"
    assert client(f"{claim}, 203.0.113.5, 10.0.0.2") == "203.0.113.5"


MALFORMED = {
    "nothing": "", "a blank": " ", "a comma": ",", "a name": "chat.example", "unknown": "unknown", "a hidden one": "_x",
    "an empty last": "203.0.113.5,", "half an address": "203.0.113", "a number too large": "203.0.113.256",
    "a number": "3405803781", "a nought": "203.0.113.05", "a network": "203.0.113.0/24", "quotes": '"203.0.113.5"',
    "an odd port": "203.0.113.5:x", "a port without brackets": "[2001:db8::5:80", "two in one": "203.0.113.5 1.1.1.1",
    "a field of RFC 7239": "for=203.0.113.5", "malformed behind a proxy": "203.0.113.5, nonsense, 10.0.0.2",
}  # fmt: skip


@pytest.mark.parametrize("forwarded_for", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_is_the_proxys_own(forwarded_for: str) -> None:
    assert client(forwarded_for) == PROXY


def test_no_header_is_the_proxy_itself() -> None:
    assert client(None) == PROXY


def test_too_many_entries_are_not_read() -> None:
    hops = ["10.0.0.2"] * (MOST_FORWARDED - 1)
    assert client(", ".join(["203.0.113.5", *hops])) == "203.0.113.5"
    assert client(", ".join(["203.0.113.5", "10.0.0.2", *hops])) == PROXY
    assert client("," * 16_000) == PROXY


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("2001:db8::5", "2001:db8::/64"),
        ("2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("2001:db8:0:1::", "2001:db8:0:1::/64"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_counts_as_one_address(address: str, counted: str) -> None:
    assert caller_of(address) == counted


# at the door: these connect from 127.0.0.x


def upgrade(forwarded_for: str = "", **headers: str) -> bytes:
    forwarded = {"X-Forwarded-For": forwarded_for} if forwarded_for else {}
    return request_head(headers={**forwarded, **headers})


async def address_of_session(node: Node, raw: bytes, local_address: str) -> str:
    """What the chat takes for the client's address."""
    async with calling(node, local_address) as stream:
        with trio.fail_after(5):
            await stream.send_all(raw)
            await stream.receive_some()
            while not node.hub.sessions:
                await trio.lowlevel.checkpoint()
        (session,) = node.hub.sessions
        address = session.address
    with trio.fail_after(5):
        while node.hub.sessions:
            await trio.lowlevel.checkpoint()
    return address


async def test_the_chat_sees_the_clients_address(node: Node) -> None:
    async with open_door(node, trusted_proxies=["127.0.0.2"]):
        assert await address_of_session(node, upgrade("2001:db8::5"), "127.0.0.2") == "2001:db8::5"
        assert await address_of_session(node, upgrade("2001:db8::5"), "127.0.0.1") == "127.0.0.1"
        assert await address_of_session(node, upgrade("nonsense"), "127.0.0.2") == "127.0.0.2"
        assert await address_of_session(node, upgrade(), "127.0.0.2") == "127.0.0.2"


async def test_the_header_of_rfc_7239_is_ignored(node: Node) -> None:
    async with open_door(node, trusted_proxies=["127.0.0.2"]):
        raw = upgrade(Forwarded="for=203.0.113.5;proto=https")
        assert await address_of_session(node, raw, "127.0.0.2") == "127.0.0.2"


async def test_two_headers_are_one_list(node: Node) -> None:
    raw = upgrade("203.0.113.5").replace(b"X-Forwarded-For:", b"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For:")
    async with open_door(node, trusted_proxies=["127.0.0.2"]):
        assert await address_of_session(node, raw, "127.0.0.2") == "203.0.113.5"


@asynccontextmanager
async def behind_a_proxy(**limits: float) -> AsyncIterator[tuple[Node, FrontDoor, AsyncExitStack]]:
    """A node whose trusted proxy is 127.0.0.2, its door, and a stack for those who stay."""
    twins = make_twins(msgspec.structs.replace(LOOSE, **limits))
    async with (
        open_twin_node(twins) as node,
        open_door(node, trusted_proxies=["127.0.0.2"]) as door,
        AsyncExitStack() as crowd,
    ):
        yield node, door, crowd


async def hold(crowd: AsyncExitStack, node: Node, raw: bytes, local_address: str) -> int:
    """The status of the upgrade; one that is let in stays until the crowd goes."""
    stream = await crowd.enter_async_context(calling(node, local_address))
    with trio.fail_after(5):
        await stream.send_all(raw)
        return int((await stream.receive_some()).split(b" ", 2)[1])


async def test_clients_behind_a_proxy_have_a_cap_each_and_the_proxy_has_none() -> None:
    async with behind_a_proxy(connections_per_address=2) as (node, _, crowd):
        for number in range(5):
            assert await hold(crowd, node, upgrade(f"203.0.113.{number}"), "127.0.0.2") == 101
            assert await hold(crowd, node, upgrade(f"203.0.113.{number}"), "127.0.0.2") == 101
            assert await hold(crowd, node, upgrade(f"203.0.113.{number}"), "127.0.0.2") == 503
        assert await hold(crowd, node, upgrade("2001:db8::1"), "127.0.0.2") == 101
        assert await hold(crowd, node, upgrade("2001:db8::2"), "127.0.0.2") == 101
        assert await hold(crowd, node, upgrade("2001:db8::3"), "127.0.0.2") == 503


async def test_who_says_nothing_or_nonsense_through_a_proxy_shares_one_cap() -> None:
    async with behind_a_proxy(connections_per_address=2) as (node, _, crowd):
        assert await hold(crowd, node, upgrade("nonsense"), "127.0.0.2") == 101
        assert await hold(crowd, node, upgrade("1.1.1.1," * 30), "127.0.0.2") == 101
        assert await hold(crowd, node, upgrade(), "127.0.0.2") == 503
        assert await hold(crowd, node, upgrade("203.0.113.5"), "127.0.0.2") == 101
        probe = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        assert await status_of(node, probe, "127.0.0.2") == 200, "a load balancer asks all the same"


async def test_a_stranger_does_not_escape_its_cap_by_a_header() -> None:
    async with behind_a_proxy(connections_per_address=2) as (node, _, crowd):
        assert await hold(crowd, node, upgrade("203.0.113.1"), "127.0.0.3") == 101
        assert await hold(crowd, node, upgrade("203.0.113.2"), "127.0.0.3") == 101
        # over the cap nothing is read, so that nothing can be said
        assert (await answer_of(node, b"", "127.0.0.3")).startswith(b"HTTP/1.1 503 ")


async def test_who_is_gone_is_counted_no_more() -> None:
    async with behind_a_proxy(connections_per_address=1) as (node, door, _):
        for _ in range(3):
            async with AsyncExitStack() as crowd:
                assert await hold(crowd, node, upgrade("203.0.113.1"), "127.0.0.2") == 101
                assert dict(door.callers.by_address) == {"203.0.113.1": 1}
            with trio.fail_after(5):
                while door.callers.open:
                    await trio.lowlevel.checkpoint()
            assert not door.callers.by_address


async def test_the_rate_of_an_address_is_the_clients() -> None:
    tight: dict[str, float] = {"commands_per_s": 50, "command_burst": 300, "address_per_s": 0.01, "address_burst": 1}
    async with behind_a_proxy(**tight) as (node, _, _):
        for client_address, said in (("203.0.113.1", "pong"), ("203.0.113.1", "error"), ("203.0.113.2", "pong")):
            async with calling(node, "127.0.0.2") as stream:
                wire = WireClient(stream)
                await wire.send_bytes(upgrade(client_address))
                await wire.accepted()
                await wire.receive_until("welcome")
                last = {"type": "nothing"}
                for _ in range(5 if said == "pong" else 1):
                    await wire.send_json({"type": "ping"})
                    last = await wire.receive()
                assert last["type"] == said
