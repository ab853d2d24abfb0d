"""The front door: one port; accepts, caps, reads each request's head, and shows every caller to its room."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Collection, Sequence
from itertools import count
from typing import Final

import trio
from structlog.contextvars import bind_contextvars

from trichat.chat.hub import Hub
from trichat.core.addresses import TrustedProxies
from trichat.core.closing import DRAINING
from trichat.core.limits import Limits
from trichat.edge.answers import http_response, refusal_response
from trichat.edge.callers import Call, Callers
from trichat.edge.connection import Connection
from trichat.edge.exchange import ASGIApp
from trichat.edge.handshake import shake_hands
from trichat.edge.head import Head, HeadRefused, check_host, check_upgrade, parse_head
from trichat.edge.line import Line
from trichat.edge.requests import Requests
from trichat.edge.tls import Certificate, NotTls, begin_tls

log = logging.getLogger("trichat.front_door")

#: Connections accepted in a row before others get a turn.
_ACCEPT_TURN: Final = 64
#: What accept() says when the machine is short of something; any other error ends one caller only.
_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SHORT_PAUSE_S: Final = 0.1
#: Numbers of connections, for the log: the same for all doors of a process.
_NUMBERS: Final = count(1)
#: Seconds between two rounds of the keeper over all connections.
_KEEP_S: Final = 1.0


class FrontDoor:
    """Serves every connection of a node, each in a task of its own that no other can harm.

    What asks for no WebSocket is answered by `app`.
    `allowed_origins` are those of other pages that may connect; `allowed_hosts` the names that we answer to, beside
    those of this machine (None: any); `trusted_proxies` the addresses and networks that may speak for clients. With a
    `certificate` the listeners speak TLS. Without `chat` nobody gets a WebSocket, and a node that drains still answers.
    """

    def __init__(
        self,
        hub: Hub,
        app: ASGIApp,
        *,
        allowed_origins: Collection[str] = (),
        allowed_hosts: Collection[str] | None = None,
        trusted_proxies: Collection[str] = (),
        certificate: Certificate | None = None,
        chat: bool = True,
    ) -> None:
        self._hub = hub
        self._limits: Limits = hub.limits
        self._requests = Requests(hub, app)
        self._allowed_origins = allowed_origins
        self._allowed_hosts = allowed_hosts
        self.callers = Callers(hub.limits, TrustedProxies(trusted_proxies))
        self._certificate = certificate
        self._chat = chat
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
        await self._requests.drain()
        while self.connections:
            self._empty = trio.Event()
            await self._empty.wait()

    async def serve_stream(self, stream: trio.abc.Stream, address: str, sock: socket.socket | None = None) -> None:
        """Serve one connection accepted from `address` and close it.

        Never raises but for a cancellation: one failure stays one.
        """
        # of every record from here on: this task has a context of its own
        bind_contextvars(connection=f"c{next(_NUMBERS):x}")
        with self.callers.call(address) as call:
            try:
                if self._certificate is None or sock is None:
                    await self._serve(Line(stream, sock), call)
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
                await self._respond(
                    Line(stream, sock), http_response(400, "this port speaks https and wss; say https://\n")
                )
        except trio.BrokenResourceError:
            log.debug("a handshake of TLS failed")
        finally:
            self._turning_away -= told
        if tls is not None:
            call.begin_tls()
            await self._serve(Line(tls, None, sock), call)

    async def _serve(self, line: Line, call: Call) -> None:
        raw = await self._next_upgrade(line, call)
        if raw:
            connection = Connection(self._hub, line.stream, line.sock, call.address, line.ahead)
            # known before it has shaken hands: a node that stops meanwhile says goodbye to it as well
            self.connections[connection] = None
            try:
                accepted = False
                with trio.move_on_after(self._limits.handshake_s):
                    accepted = await shake_hands(raw, line.stream)
                del raw  # a connection may last for weeks
                if accepted:
                    await connection.run()
            finally:
                connection.note_end()
                del self.connections[connection]
                if not self.connections:
                    self._empty.set()
            if connection.cut_off:
                line.reset()

    async def _next_upgrade(self, line: Line, call: Call) -> bytes:
        """The head of a request that may become a WebSocket; what is asked before it is answered. Empty at the end."""
        if call.over_capacity:
            await self._turn_away(line)
            return b""
        asked = 0
        head = None
        try:
            while not asked or await self._requests.next_begins(line):
                head = None
                raw = await self._read_head(line)
                if not raw:
                    return b""
                head = parse_head(raw)
                call.read(head)
                if call.over_capacity and not head.is_probe:
                    await self._turn_away(line)
                    return b""
                self._check(head, call)
                if head.is_upgrade:
                    return raw
                asked += 1
                if not await self._requests.answer(head, line, call, asked):
                    return b""
        except HeadRefused as refused:
            await self._respond(line, refusal_response(refused, head))
            return b""
        await line.finish(self._limits.farewell_s)
        return b""

    async def _read_head(self, line: Line) -> bytes:
        with trio.move_on_after(self._limits.head_s):
            return await line.head(self._limits.head_bytes)
        return b""

    def _check(self, head: Head, call: Call) -> None:
        """Whether it is answered, or may become a WebSocket. Raises HeadRefused."""
        check_host(head, self._allowed_hosts)
        if head.is_upgrade:
            if not self._chat:
                raise HeadRefused(404, "the chat is at another port")
            check_upgrade(head, self._allowed_origins, tls=call.tls)
        if self._hub.draining and self._chat and not head.is_probe:
            raise HeadRefused(503, "this node is stopping; try another")
        if self._chat and not (head.is_upgrade or head.is_probe or self._hub.throttle.request(call.address)):
            raise HeadRefused(429, "too many requests from your address; try again in a second")

    async def _turn_away(self, line: Line) -> None:
        """Say so, as long as not too many are being told: each holds a descriptor until it has taken the answer."""
        if self._turning_away >= self._limits.turned_away:
            return
        self._turning_away += 1
        try:
            await self._respond(line, http_response(503, "too many connections; come back later\n"))
        finally:
            self._turning_away -= 1

    async def _respond(self, line: Line, response: bytes) -> None:
        with trio.move_on_after(self._limits.farewell_s):
            if await line.send(response, self._limits.farewell_s):
                await line.finish(self._limits.farewell_s)

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
            for at, connection in enumerate(list(self.connections)):
                connection.keep(now)
                if at % 1000 == 999:
                    await trio.lowlevel.checkpoint()
