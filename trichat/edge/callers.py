"""Callers of the front door, counted by address: the peer's until the head is read, and then the client's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

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

    @contextmanager
    def call(self, peer: str) -> Iterator[Call]:
        """Count a connection from the address `peer` for as long as it is served."""
        self.open += 1
        call = Call(self, peer)
        try:
            yield call
        finally:
            self.open -= 1
            call.count(None)

    def over_capacity(self, caller: str | None) -> bool:
        """Whether there is one connection too many, or one of `caller`."""
        if self.open > self._limits.connections:
            return True
        return caller is not None and self.by_address[caller] > self._limits.connections_per_address


class Call:
    """One connection: `address` is its client's, as far as it is known; `tls` whether that speaks TLS to a proxy."""

    def __init__(self, callers: Callers, peer: str) -> None:
        self._callers = callers
        self._counted: str | None = None
        self._peer = self.address = peer
        self.tls = False
        # a proxy speaks for many, who are counted once it is known who they are
        self.count(None if callers.proxies.trusts(peer) else caller_of(peer))

    @property
    def over_capacity(self) -> bool:
        return self._callers.over_capacity(self._counted)

    def read(self, head: Head) -> None:
        """Learn from `head` who the client is, if a trusted proxy says so, and count it under its own address.

        What a trusted proxy sends without a word about the client counts under the proxy's address.
        """
        forwarded_for, proto = head.headers.get("x-forwarded-for"), head.headers.get("x-forwarded-proto")
        client = self._callers.proxies.client(self._peer, forwarded_for, proto)
        self.address, self.tls = client.address, client.secure
        self.count(caller_of(client.address))

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
