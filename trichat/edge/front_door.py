"""The front door: one port; accepts, caps, reads each request's head, and shows every caller to its room."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import struct
from collections.abc import Collection, Sequence
from typing import Final

import trio

from trichat.chat.hub import Hub
from trichat.core.addresses import TrustedProxies
from trichat.core.closing import DRAINING
from trichat.core.limits import Limits
from trichat.edge.answers import Readiness, answer, http_response, refusal_response
from trichat.edge.callers import Call, Callers
from trichat.edge.connection import Connection
from trichat.edge.farewell import close_in_order
from trichat.edge.handshake import shake_hands
from trichat.edge.head import HeadRefused, check_host, check_upgrade, parse_head
from trichat.edge.tls import Certificate, NotTls, begin_tls

log = logging.getLogger("trichat.front_door")

#: Connections accepted in a row before others get a turn.
_ACCEPT_TURN: Final = 64
#: What accept() says when the machine is short of something; any other error ends one caller only.
_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SHORT_PAUSE_S: Final = 0.1
#: Bytes of a head that are read at once.
_HEAD_BYTES: Final = 4096
#: Seconds between two rounds of the keeper over all connections.
_KEEP_S: Final = 1.0
#: Close with a reset: SO_LINGER on, 0 seconds.
_RESET: Final = struct.pack("ii", 1, 0)


class FrontDoor:
    """Serves every connection of a node, each in a task of its own that no other can harm.

    `allowed_origins` are those of other pages that may connect; `allowed_hosts` the names that we answer to, beside
    those of this machine (None: any); `trusted_proxies` the addresses and networks that may speak for clients. With a
    `certificate` the listeners speak TLS.
    """

    def __init__(
        self,
        hub: Hub,
        readiness: Readiness,
        *,
        allowed_origins: Collection[str] = (),
        allowed_hosts: Collection[str] | None = None,
        trusted_proxies: Collection[str] = (),
        certificate: Certificate | None = None,
    ) -> None:
        self._hub = hub
        self._limits: Limits = hub.limits
        self._readiness = readiness
        self._allowed_origins = allowed_origins
        self._allowed_hosts = allowed_hosts
        self.callers = Callers(hub.limits, TrustedProxies(trusted_proxies))
        self._certificate = certificate
        self._turning_away = 0
        self._empty = trio.Event()
        self._accepting = trio.CancelScope()
        self.connections: dict[Connection, None] = {}

    async def run(
        self, listeners: Sequence[socket.socket], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Accept and serve until cancelled; accept until `stop_accepting`. Closes the listeners."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_keeper)
            try:
                with self._accepting:
                    async with trio.open_nursery() as accepting:
                        for listener in listeners:
                            accepting.start_soon(self._accept, listener, nursery)
                        task_status.started()
            finally:
                for listener in listeners:
                    trio.lowlevel.notify_closing(listener)
                    listener.close()

    def stop_accepting(self) -> None:
        """New callers are refused by the kernel from now on."""
        self._accepting.cancel(reason="draining")

    async def drain(self, spread_s: float) -> None:
        """Ask every client to leave, and to come back at its own moment of the next `spread_s` seconds.

        Returns when the last one is gone; each has `farewell_s`.
        """
        for connection in list(self.connections):
            after_ms = int(self._hub.chance.fraction() * spread_s * 1000)
            connection.end(DRAINING, after_ms)
        while self.connections:
            self._empty = trio.Event()
            await self._empty.wait()

    async def serve_stream(self, stream: trio.abc.Stream, address: str, sock: socket.socket | None = None) -> None:
        """Serve one connection accepted from `address` and close it.

        Never raises but for a cancellation: one failure stays one.
        """
        with self.callers.call(address) as call:
            try:
                if self._certificate is None or sock is None:
                    await self._serve(stream, sock, call)
                else:
                    await self._serve_tls(stream, sock, call, self._certificate)
            except Exception:
                log.exception("a bug ended a connection at the door")
            finally:
                await trio.aclose_forcefully(stream)

    async def _serve_tls(
        self, stream: trio.abc.Stream, sock: socket.socket, call: Call, certificate: Certificate
    ) -> None:
        """Shake hands, and serve what is said within TLS."""
        told = call.over_capacity  # that it is one too many, which takes a handshake as well
        if told and self._turning_away >= self._limits.turned_away:
            return
        self._turning_away += told
        tls = None
        try:
            with trio.move_on_after(self._limits.tls_s):
                tls = await begin_tls(stream, sock, certificate.context)
        except NotTls as other:
            if other.plain:
                await self._respond(stream, http_response(400, "this port speaks https and wss; say https://\n"))
        except trio.BrokenResourceError:
            log.debug("a handshake of TLS failed")
        finally:
            self._turning_away -= told
        if tls is not None:
            call.begin_tls()
            await self._serve(tls, None, call, sock)

    async def _serve(
        self, stream: trio.abc.Stream, sock: socket.socket | None, call: Call, under: socket.socket | None = None
    ) -> None:
        """`sock`: what may be read and written beside the stream; `under`: the socket under a stream that hides it."""
        raw = await self._answer_or_upgrade(stream, sock, call)
        if raw:
            connection = Connection(self._hub, stream, sock, call.address)
            # known before it has shaken hands: a node that stops meanwhile says goodbye to it as well
            self.connections[connection] = None
            try:
                accepted = False
                with trio.move_on_after(self._limits.handshake_s):
                    accepted = await shake_hands(raw, stream)
                del raw  # a connection may last for weeks
                if accepted:
                    await connection.run()
            finally:
                del self.connections[connection]
                if not self.connections:
                    self._empty.set()
            lowest = sock or under
            if connection.cut_off and lowest is not None:
                _reset(lowest)

    async def _answer_or_upgrade(self, stream: trio.abc.Stream, sock: socket.socket | None, call: Call) -> bytes:
        """The head of a request that may become a WebSocket; empty when it was answered here, or there is none."""
        if call.over_capacity:
            await self._turn_away(stream)
            return b""
        raw = b""
        with trio.move_on_after(self._limits.head_s):
            raw = await self._read_head(stream, sock)
        if not raw:
            return b""
        try:
            head = parse_head(raw)
            call.read(head)
            if call.over_capacity and not head.is_probe:
                await self._turn_away(stream)
                return b""
            check_host(head, self._allowed_hosts)
            if not head.is_upgrade:
                await self._respond(stream, await answer(head, self._readiness))
                return b""
            check_upgrade(head, self._allowed_origins, tls=call.tls)
        except HeadRefused as refused:
            await self._respond(stream, refusal_response(refused))
            return b""
        if self._hub.draining:
            await self._respond(stream, http_response(503, "this node is stopping; try another\n"))
            return b""
        return raw

    async def _read_head(self, stream: trio.abc.Stream, sock: socket.socket | None) -> bytes:
        """Bytes up to and with the empty line; empty when the client left. Raises nothing for a bad one.

        Nothing after the head is read from a socket, so that the frames behind it stay there for the reader.
        """
        raw = b""
        while len(raw) <= self._limits.head_bytes:
            chunk = await _receive_head(stream, sock, raw[-3:])
            if not chunk:
                return b""
            raw += chunk
            if b"\r\n\r\n" in raw and len(raw) <= self._limits.head_bytes:
                return raw
        await self._respond(stream, http_response(431, f"a request head is at most {self._limits.head_bytes} bytes\n"))
        return b""

    async def _turn_away(self, stream: trio.abc.Stream) -> None:
        """Say so, as long as not too many are being told: each holds a descriptor until it has taken the answer."""
        if self._turning_away >= self._limits.turned_away:
            return
        self._turning_away += 1
        try:
            await self._respond(stream, http_response(503, "too many connections; come back later\n"))
        finally:
            self._turning_away -= 1

    async def _respond(self, stream: trio.abc.Stream, response: bytes) -> None:
        with trio.move_on_after(self._limits.farewell_s):
            try:
                await stream.send_all(response)
                if isinstance(stream, trio.SocketStream | trio.SSLStream):
                    await close_in_order(stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

    async def _accept(self, listener: socket.socket, nursery: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            for _ in range(_ACCEPT_TURN):
                try:
                    sock, peer = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno in _SHORT:
                        log.warning("cannot accept: %s", error.strerror)
                        await trio.sleep(_SHORT_PAUSE_S)
                    break
                sock.setblocking(False)
                stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
                nursery.start_soon(self.serve_stream, stream, peer[0], sock)

    async def _run_keeper(self) -> None:
        while True:
            await trio.sleep(_KEEP_S)
            now = trio.current_time()
            for count, connection in enumerate(list(self.connections)):
                connection.keep(now)
                if count % 1000 == 999:
                    await trio.lowlevel.checkpoint()


async def _receive_head(stream: trio.abc.Stream, sock: socket.socket | None, tail: bytes) -> bytes:
    """Some bytes of the head; of a socket, no more than up to its end. `tail` is what came before, three bytes of it.

    Empty when the client is gone.
    """
    if sock is None:
        try:
            return bytes(await stream.receive_some(_HEAD_BYTES))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""
    while True:
        await trio.lowlevel.wait_readable(sock)
        try:
            seen = sock.recv(_HEAD_BYTES, socket.MSG_PEEK)
            end = (tail + seen).find(b"\r\n\r\n")
            return sock.recv(len(seen) if end < 0 else end + 4 - len(tail))
        except BlockingIOError:
            continue
        except OSError:
            return b""


def _reset(sock: socket.socket) -> None:
    """Close with a reset: the kernel keeps nothing for whoever did not take the last words."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
