"""TLS on the one port: the certificate that new connections get, how it is read again, and the handshake."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

import trio

log = logging.getLogger("trichat.tls")

#: Which protocol we speak inside: no HTTP/2, where a WebSocket would be another thing.
_ALPN: Final = ("http/1.1",)
#: Content type of the first record of a TLS connection (RFC 8446, 5.1).
HANDSHAKE_RECORD: Final = 0x16
#: Flights that a handshake in memory may take; TLS 1.3 has two, TLS 1.2 four.
_FLIGHTS: Final = 6

TlsStream = trio.SSLStream[trio.abc.Stream]


class TlsUnusable(Exception):
    """The certificate or its key cannot be used. The message says which file, and why."""


class NotTls(Exception):
    """The client does not speak TLS; `plain`: it looks as if it spoke HTTP."""

    def __init__(self, *, plain: bool) -> None:
        super().__init__(plain)
        self.plain = plain


class Certificate:
    """The certificate and its key, as they were when they were last read in order.

    `doubt` is what clients will find wrong with it though it can be used: that it has expired, above all. `ends_at` is
    when it will.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        """Read both files. Raises TlsUnusable."""
        self._cert = cert
        self._key = key
        self.context = load_context(cert, key)
        self.doubt, self.ends_at = _look_at(self.context, cert)

    def reload(self) -> None:
        """Read the files again, for connections that come from now on. Raises TlsUnusable, and nothing has changed."""
        fresh = Certificate(self._cert, self._key)
        self.context, self.doubt, self.ends_at = fresh.context, fresh.doubt, fresh.ends_at

    async def renew(self) -> None:
        """As `reload`, in a thread; what comes of it is said in the log. Raises nothing."""
        try:
            await trio.to_thread.run_sync(self.reload)
        except TlsUnusable as error:
            log.error("the certificate stays as it was: %s", error)  # noqa: TRY400  # an operator's mistake, not a bug
        else:
            self.log_state()

    def log_state(self) -> None:
        """Say until when it holds, or what is wrong with it."""
        log.log(logging.INFO if self.doubt is None else logging.WARNING, "%s", self.state)

    @property
    def state(self) -> str:
        """For people."""
        if self.doubt is not None:
            return f"clients will refuse the certificate in {self._cert}: {self.doubt}"
        return f"the certificate in {self._cert} holds until {self.ends_at}"


def open_certificate(cert: Path | None, key: Path | None) -> Certificate | None:
    """What the settings name, if they name any; how it is stands in the log. Raises TlsUnusable."""
    if cert is None or key is None:
        return None
    certificate = Certificate(cert, key)
    certificate.log_state()
    return certificate


def load_context(cert: Path, key: Path) -> ssl.SSLContext:
    """What the front door speaks TLS with. Raises TlsUnusable."""
    for path in (cert, key):
        _check_readable(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(_ALPN)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cert)
    except ssl.SSLError as error:
        raise TlsUnusable(f"{cert} holds no certificate in PEM ({_reason(error)})") from None
    try:
        context.load_cert_chain(cert, key, password=_refuse_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsUnusable(f"the key in {key} is not that of the certificate in {cert}") from None
        raise TlsUnusable(f"{key} holds no key in PEM that can be used ({_reason(error)})") from None
    except _Encrypted:
        raise TlsUnusable(f"the key in {key} is encrypted, and there is nobody to ask for its password") from None
    return context


async def begin_tls(stream: trio.abc.Stream, sock: socket.socket, context: ssl.SSLContext) -> TlsStream:
    """Shake hands with a client that has just come. Raises NotTls, or trio.BrokenResourceError when it fails.

    Nothing is made for a client before it has said something.
    """
    await _await_record(sock)
    # a client may end without TLS's own word for it, as browsers do: frames and bodies say where they end
    tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    await tls.do_handshake()
    return tls


async def _await_record(sock: socket.socket) -> None:
    """Return when the client begins as TLS does, which is looked at and not taken. Raises NotTls."""
    while True:
        await trio.lowlevel.wait_readable(sock)
        try:
            first = sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            continue
        except OSError:
            raise NotTls(plain=False) from None
        if first and first[0] == HANDSHAKE_RECORD:
            return
        raise NotTls(plain=first.isalpha())


class _Encrypted(Exception):
    """OpenSSL asks for a password."""


def _refuse_password() -> NoReturn:
    raise _Encrypted


def _check_readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise TlsUnusable(f"{path} cannot be read: {error.strerror}") from None


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


def _look_at(context: ssl.SSLContext, cert: Path) -> tuple[str | None, datetime | None]:
    """What a client that trusts this very certificate finds wrong with it, if anything; and when it ends.

    By a handshake in memory, so that it is looked at with a client's eyes: dates, purpose, strength.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cert)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, to_server)
    ours = context.wrap_bio(to_server, to_client, server_side=True)
    try:
        for side in (theirs, ours) * (_FLIGHTS // 2):
            _step(side)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message, None
    except ssl.SSLError as error:
        return _reason(error), None
    ends = (theirs.getpeercert() or {}).get("notAfter")
    return None, datetime.fromtimestamp(ssl.cert_time_to_seconds(str(ends)), UTC) if ends else None


def _step(side: ssl.SSLObject) -> None:
    with contextlib.suppress(ssl.SSLWantReadError):
        side.do_handshake()
