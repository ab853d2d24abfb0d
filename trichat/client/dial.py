"""From an address to a WebSocket, and back to a reason why it ended: the border to trio-websocket."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import trio
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream
from wsproto.utilities import ProtocolError

from trichat.client.address import Address
from trichat.client.backoff import Ending
from trichat.client.connection import Connection
from trichat.client.options import ClientOptions
from trichat.client.wire import Connect, Wire
from trichat.core.closing import GONE, Reconnect

#: Statuses under 500 after which the same request may fare better.
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_RECEIVE_BYTES = 65_536
_NEVER = Reconnect.DIFFERENTLY
#: What OpenSSL says of a certificate whose authority it does not know: X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT and more.
_UNKNOWN_ISSUER = {2, 18, 19, 20, 21}


async def run_connection(
    address: Address, connect: Connect, options: ClientOptions, live: Callable[[Connection], Awaitable[None]]
) -> Ending:
    """Connect, let `live` have the connection until it returns, close it; returns why it ended.

    Raises what `live` raises. Resource handling: the stream is closed when this returns, also when cancelled.
    """
    ending = _lost("the server does not answer")
    try:
        async with trio.open_nursery() as nursery:
            library = _Library(nursery)
            try:
                connection = await _open(library, address, connect, options)
                try:
                    await live(connection)
                finally:
                    ending = connection.ending()
                    await connection.farewell()
            finally:
                library.scope.cancel(reason="the connection is over")
    except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, ProtocolError) as failures:
        ending = _failed(_first_leaf(failures))
    except* ConnectionRejected as rejections:  # the last one, since it knows more than a stream that broke
        ending = _rejected(_first_leaf(rejections))
    return ending


class _Library:
    """The nursery for trio-websocket's reader: shielded, for it must still hear the answer to our close frame.

    Whoever makes it cancels `scope`, at the latest after the farewell.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.scope = trio.CancelScope(shield=True)

    def start_soon(self, reader: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(self._run, reader)

    async def _run(self, reader: Callable[[], Awaitable[None]]) -> None:
        with self.scope:
            await reader()


async def _open(library: _Library, address: Address, connect: Connect, options: ClientOptions) -> Connection:
    with trio.fail_after(options.connect_s):
        wire = Wire(await connect())
        try:
            websocket = await _shake_hands(library, wire, address, options)
        except BaseException:
            await trio.aclose_forcefully(wire)
            raise
    return Connection(websocket, wire, options)


async def _shake_hands(library: _Library, wire: Wire, address: Address, options: ClientOptions) -> WebSocketConnection:
    with trio.CancelScope() as scope:
        wire.on_loss = lambda: scope.cancel(reason="the stream ended")
        return await wrap_client_stream(
            library,  # type: ignore[arg-type]  # only start_soon is used
            wire,  # type: ignore[arg-type]  # any trio.abc.Stream will do
            address.authority,
            address.path,
            max_message_size=options.frame,
            receive_buffer_size=_RECEIVE_BYTES,
        )
    raise trio.BrokenResourceError("the server hung up during the handshake")


def _first_leaf(error: BaseException) -> BaseException:
    first = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _why(error: BaseException) -> str:
    """One line for people."""
    if isinstance(error, trio.TooSlowError):
        return "the server does not answer"
    cause = _first_leaf(error.__cause__) if error.__cause__ is not None else error  # of each address that was tried
    for one in (error, cause):
        if isinstance(one, OSError) and one.strerror:
            plain = one.errno in errno.errorcode and not isinstance(one, ssl.SSLError)
            return os.strerror(one.errno or 0) if plain else one.strerror  # plain: without the address that Trio adds
    return str(error) or str(cause) or GONE.text


def _failed(error: BaseException) -> Ending:
    """Another attempt may do better, but not at believing a server or at speaking TLS with one that does not."""
    match error.__cause__:
        case ssl.SSLCertVerificationError() as doubt:
            return Ending(GONE.code, f"the server's certificate is not to be trusted: {_doubt(doubt)}", _NEVER)
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "HTTP_REQUEST"):
            return Ending(GONE.code, "the server does not speak TLS; say ws:// or http://", _NEVER)
    return _lost(_why(error))


def _doubt(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code not in _UNKNOWN_ISSUER:
        return error.verify_message
    return f"{error.verify_message} (name its authority: --tls-ca FILE, or ssl_context=tls_context(FILE))"


def _lost(reason: str) -> Ending:
    return Ending(GONE.code, reason, Reconnect.NOW)


def _rejected(error: BaseException) -> Ending:
    assert isinstance(error, ConnectionRejected)
    status = error.status_code
    later = status >= 500 or status in _PASSING
    said = (error.body or b"")[:200].decode(errors="replace").strip()
    return Ending(status, f"HTTP {status} {said}".strip(), Reconnect.BACK_OFF if later else Reconnect.DIFFERENTLY)
