"""Addresses of clients: what counts as one, and which one is the client's behind proxies. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from msgspec import Struct

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Entries of an X-Forwarded-For that are believed: nobody has more proxies in a row.
MOST_FORWARDED: Final = 16
# as some proxies write an entry: with the port, an IPv6 address then in brackets
_WITH_PORT: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([0-9.]+):\d{1,5}")


@lru_cache(maxsize=4096)  # asked twice for each connection, and parsing takes longer than many a step of that
def caller_of(address: str) -> str:
    """What counts as one address for caps and rates: an IPv4 address, an IPv6 /64; any other text as it is."""
    parsed = _parse(address)
    if parsed is None:
        return address
    return str(parsed) if parsed.version == 4 else str(ip_network((parsed, 64), strict=False))


class Caller(Struct, frozen=True):
    """Who is at the other end of a connection, as far as it is known, and whether over TLS."""

    address: str
    secure: bool = False


class TrustedProxies:
    """Whose X-Forwarded-For and X-Forwarded-Proto are believed. `networks` are addresses or networks."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks: tuple[Network, ...] = tuple(ip_network(text, strict=False) for text in networks)

    def trusts(self, address: str) -> bool:
        """Whether `address` is that of a trusted proxy."""
        parsed = _parse(address) if self._networks else None
        return parsed is not None and self._holds(parsed)

    def client(self, peer: str, forwarded_for: str | None, forwarded_proto: str | None) -> Caller:
        """Who the connection from `peer` belongs to.

        The right-most forwarded address that is not a trusted proxy: what stands left of it is its own claim.
        When all are, the left-most. Without entries, with more than MOST_FORWARDED, or when one that had to be
        read is malformed: the peer.
        """
        if not self.trusts(peer):
            return Caller(peer)
        secure = forwarded_proto is not None and _last(forwarded_proto) in ("https", "wss")
        return Caller(self._right_most_stranger(forwarded_for or "") or peer, secure)

    def _right_most_stranger(self, forwarded_for: str) -> str | None:
        entries = forwarded_for.split(",", MOST_FORWARDED)
        if len(entries) > MOST_FORWARDED:
            return None
        address: Address | None = None
        for entry in reversed(entries):
            address = _parse(_without_port(entry.strip()))
            if address is None:
                return None
            if not self._holds(address):
                break
        return str(address)

    def _holds(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _parse(text: str) -> Address | None:
    """The address in `text`, without a zone; an IPv4 address that comes as IPv6 is the IPv4 address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _without_port(entry: str) -> str:
    parts = _WITH_PORT.fullmatch(entry)
    return entry if parts is None else parts[1] or parts[2]


def _last(values: str) -> str:
    return values.rpartition(",")[2].strip().lower()
