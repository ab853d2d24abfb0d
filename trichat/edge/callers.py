"""Callers of the front door, counted by address: the peer's until the head is read, and then the client's."""

from __future__ import annotations

from collections import Counter
from typing import Self

from trichat.core.addresses import TrustedProxies, caller_of
from trichat.core.limits import Limits
from trichat.edge.head import Head


class Callers:
    """The open connections of a node, and its caps."""

    def __init__(self, limits: Limits, proxies: TrustedProxies) -> None:
        self._limits = limits
        self.proxies = proxies
        self.open = 0
        self.by_address: Counter[str] = Counter()  # as `caller_of` writes them

    def call(self, peer: str) -> Call:
        """A connection from the address `peer`: counted within `with`, for as long as it is served."""
        return Call(self, peer)

    def over_capacity(self, caller: str | None) -> bool:
        """Whether there is one connection too many, or one of `caller`."""
        if self.open > self._limits.connections:
            return True
        return caller is not None and self.by_address[caller] > self._limits.connections_per_address


class Call:
    """One connection: `address` is its client's, as far as it is known; `tls` whether that came by TLS."""

    __slots__ = ("_callers", "_counted", "_peer", "_tls_here", "address", "tls")

    def __init__(self, callers: Callers, peer: str) -> None:
        self._callers = callers
        self._counted: str | None = None
        self._peer = self.address = peer
        self.tls = self._tls_here = False

    def __enter__(self) -> Self:
        self._callers.open += 1
        # a proxy speaks for many, who are counted once it is known who they are
        self.count(None if self._callers.proxies.trusts(self._peer) else caller_of(self._peer))
        return self

    def __exit__(self, *error: object) -> None:
        self._callers.open -= 1
        self.count(None)

    @property
    def over_capacity(self) -> bool:
        return self._callers.over_capacity(self._counted)

    @property
    def by_proxy(self) -> bool:
        """Whether a trusted proxy speaks for the client."""
        return self._callers.proxies.trusts(self._peer)

    def begin_tls(self) -> None:
        """The connection itself speaks TLS."""
        self.tls = self._tls_here = True

    def read(self, head: Head) -> None:
        """Learn from `head` who the client is, if a trusted proxy says so, and count it under its own address.

        What a trusted proxy sends without a word about the client counts under the proxy's address.
        """
        forwarded_for, proto = head.headers.get("x-forwarded-for"), head.headers.get("x-forwarded-proto")
        client = self._callers.proxies.client(self._peer, forwarded_for, proto)
        self.address = client.address
        # a proxy that speaks TLS with us may still have been reached without it
        self.tls = client.secure if proto and self._callers.proxies.trusts(self._peer) else self._tls_here
        caller = caller_of(client.address)
        if caller != self._counted:
            self.count(caller)

    def count(self, caller: str | None) -> None:
        """Count under `caller` from now on, and under nothing else."""
        by_address = self._callers.by_address
        if caller is not None:
            by_address[caller] += 1
        if self._counted is not None:
            by_address[self._counted] -= 1
            if not by_address[self._counted]:
                del by_address[self._counted]
        self._counted = caller
