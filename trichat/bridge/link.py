"""A link to Redis: two connections, of which one hears and one speaks. All of it runs on the asyncio island.

In RESP2 a connection that subscribes can do nothing else, hence two. The speaking one is told to send no
replies (`CLIENT REPLY OFF`): Redis handles a connection's commands in order, so an own beat that is heard back
confirms all that was published before it, and nobody need read a reply per message.

A Redis Cluster copies plain PUBLISH to all its nodes; sharded Pub/Sub (SSUBSCRIBE, SPUBLISH, one link per
shard) would be needed to use one well. A link to any one node of a cluster works.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from trichat.bridge.address import Address, Host

#: Rooms in one SUBSCRIBE, so that no command holds up Redis for long.
_ROOMS_PER_COMMAND: Final = 1_000
#: Errors that pass by themselves: starting, failing over.
_PASSING: Final = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN")

_NEEDED: Final = "PUBLISH, SUBSCRIBE, UNSUBSCRIBE and CLIENT REPLY"
_FOR_SENTINEL: Final = " (those of a Sentinel as ?sentinel_username=…&sentinel_password=…)"


class LinkDown(Exception):
    """Redis is away, or does not answer as it should; trying again may help. Says why."""


class LinkRefused(LinkDown):
    """Redis answers, and will not have us: only a person can help. Says what to do."""


@contextmanager
def translating(peer: str) -> Iterator[None]:
    """Errors of redis-py and of sockets become LinkDown or LinkRefused."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise _translated(error, peer) from error


def _translated(error: Exception, peer: str) -> LinkDown:
    text = str(error) or type(error).__name__
    if isinstance(error, AuthenticationError | AuthenticationWrongNumberOfArgsError):
        return LinkRefused(
            f"{peer} refuses the login ({text}): put the right user and password into the URL{_FOR_SENTINEL}"
        )
    if _is_untrusted(error):
        return LinkRefused(f"{peer} has a certificate that is not trusted ({text}): name its CA by ssl_ca_certs=FILE")
    if isinstance(error, NoPermissionError):
        return LinkRefused(f"{peer} forbids ({text}): allow its user {_NEEDED} on the channels of our prefix")
    if isinstance(error, ResponseError) and not text.startswith(_PASSING):
        return LinkRefused(f"{peer} does not take what the URL says, or what we need: {text}")
    return LinkDown(f"{peer}: {text}")


def _is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate was behind `error`: redis-py hides the cause in its context."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


async def connect_aio(connection: AbstractConnection) -> None:
    """Connect and log in."""
    await connection.connect()  # type: ignore[no-untyped-call]  # redis-py did not type it


def packed(*words: bytes) -> bytes:
    """A command as Redis reads it. redis-py's own packing takes ten times as long."""
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def packed_publish(channel: bytes, payload: bytes) -> bytes:
    """`packed(b"PUBLISH", …)`, in half the time."""
    return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(channel), channel, len(payload), payload)


class Link:
    """Two connections to one Redis, from `connect_aio` to `drop_aio`; it breaks once and is never mended."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._peer = f"Redis at {address}"
        self._connections: list[AbstractConnection] = []
        self._transports: list[asyncio.WriteTransport] = []
        self._work = asyncio.Event()

    def wake(self) -> None:
        """There is something to say: `work_aio` returns. Called from anywhere in the thread."""
        self._work.set()

    async def work_aio(self) -> None:
        """Returns when `wake` was called since the last time."""
        await self._work.wait()
        self._work.clear()

    async def connect_aio(self, host: Host | None) -> None:
        """Connect and log in; `host` is where the Sentinels say that the master is. Raises LinkDown."""
        with translating(self._peer):
            self._hearing = await self._connect_one_aio(host)
            self._speaking = await self._connect_one_aio(host)
            if self._address.service is not None:
                await self._check_master_aio()

    async def prepare_aio(self, channels: Sequence[bytes], probe: bytes) -> None:
        """See that publishing is allowed, on the channel `probe`, and subscribe; returns when all is confirmed.

        Messages that come meanwhile are dropped. Raises LinkDown.
        """
        with translating(self._peer):
            await self._ask_aio(b"PUBLISH", probe, b"")
            await self._send_aio(self._speaking, packed(b"CLIENT", b"REPLY", b"OFF"))
            await self.change_aio(channels, ())
            missing = len(channels)
            while missing:
                kind, _, _ = await self._hearing.read_response()
                missing -= kind == b"subscribe"

    async def change_aio(self, ask: Iterable[bytes], drop: Iterable[bytes]) -> None:
        """Subscribe to the channels `ask` and unsubscribe from `drop`. Raises LinkDown."""
        for command in (*_in_chunks(b"SUBSCRIBE", ask), *_in_chunks(b"UNSUBSCRIBE", drop)):
            await self._send_aio(self._hearing, command)

    async def publish_aio(self, commands: Sequence[bytes]) -> None:
        """Send packed commands as one pipeline. Raises LinkDown."""
        await self._send_aio(self._speaking, b"".join(commands))

    async def hear_aio(self, message: Callable[[bytes, bytes], None], subscribed: Callable[[bytes], None]) -> None:
        """Calls `message(channel, payload)` and `subscribed(channel)` with all that comes, until LinkDown."""
        with translating(self._peer):
            while True:
                kind, channel, payload = await self._hearing.read_response(disconnect_on_error=False)
                if kind == b"message":
                    message(channel, payload)
                elif kind == b"subscribe":
                    subscribed(channel)

    async def drop_aio(self) -> None:
        """Close both connections at once, without a farewell: a stopped Redis would never take it."""
        for transport in self._transports:
            # one that was closed while something waited in it, and has written that since, has let go of its loop:
            # CPython's abort() trips over it
            with contextlib.suppress(AttributeError):
                transport.abort()
        for connection in self._connections:
            await connection.disconnect(nowait=True)

    async def _connect_one_aio(self, host: Host | None) -> AbstractConnection:
        connection = self._address.connection(host)
        self._connections.append(connection)
        await connect_aio(connection)
        # redis-py's disconnect() lets the transport flush, which a stopped Redis never allows; abort() does not
        assert connection._writer is not None
        self._transports.append(connection._writer.transport)
        return connection

    async def _check_master_aio(self) -> None:
        """A Sentinel that was cut off names the old master; PUBLISH there would reach nobody."""
        role = (await self._ask_aio(b"ROLE"))[0].decode()
        if role != "master":
            raise LinkDown(f"{self._peer}: the Sentinel is out of date, what it names is a {role}")

    async def _ask_aio(self, *words: bytes) -> Any:
        await self._send_aio(self._speaking, packed(*words))
        return await self._speaking.read_response()

    async def _send_aio(self, connection: AbstractConnection, command: bytes) -> None:
        if not connection.is_connected:  # redis-py would connect again by itself, and unsubscribed
            raise LinkDown(f"{self._peer} closed the connection")
        with translating(self._peer):
            await connection.send_packed_command(command, check_health=False)


def _in_chunks(verb: bytes, channels: Iterable[bytes]) -> Iterator[bytes]:
    rest = iter(channels)
    while chunk := list(islice(rest, _ROOMS_PER_COMMAND)):
        yield packed(verb, *chunk)
