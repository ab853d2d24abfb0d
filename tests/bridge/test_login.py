"""Passwords, permissions and TLS: what works, and what is said at the start when it cannot."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.bridge.buses import LIMITS, Ear
from tests.bridge.conftest import BINARIES
from tests.bridge.valkey import ValkeyServer, open_server
from tests.faults import open_fault_proxy
from trichat.bridge.redis import BridgeUnusable, open_redis_bridge
from trichat.chat.ports import Beat, Cut, Linked
from trichat.core.names import Incarnation

ANN = Incarnation(1)
PERMISSIONS = ("+subscribe", "+unsubscribe", "+publish", "+client|reply")


async def comes_up(url: str) -> None:
    """The bridge at `url` hears itself."""
    async with open_redis_bridge(url, LIMITS, incarnation=ANN, node="n1") as bridge:
        ear = Ear(bridge)
        await ear.until(Beat)
        assert not ear.all_of(Cut)


async def refusal(url: str) -> str:
    """What is said when the bridge at `url` cannot be used."""
    with pytest.raises(BridgeUnusable) as caught:
        async with open_redis_bridge(url, LIMITS, incarnation=ANN, node="n1"):
            pytest.fail("it was used")
    return str(caught.value)


@pytest.fixture(params=list(BINARIES))
async def guarded(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[ValkeyServer]:
    """A server with a password and users of its own."""
    users = (
        ("--user", f"chat on >s3cret resetchannels &trichat:* {' '.join(PERMISSIONS)}"),
        ("--user", f"mute on >s3cret resetchannels &trichat:* {' '.join(PERMISSIONS[:2])}"),
        ("--user", f"deaf on >s3cret resetchannels &other:* {' '.join(PERMISSIONS)}"),
    )
    options = [word for user in users for word in (user[0], *user[1].split())]
    async with open_server(BINARIES[request.param], folder, "--requirepass", "pa/ss", *options) as server:
        yield server


async def test_the_right_password_or_user_is_let_in(guarded: ValkeyServer) -> None:
    await comes_up(f"redis://:pa%2Fss@127.0.0.1:{guarded.port}")
    await comes_up(f"unix://:pa%2Fss@{guarded.socket}")
    await comes_up(f"redis://chat:s3cret@127.0.0.1:{guarded.port}")


@pytest.mark.parametrize("credentials", ["", ":wrong@", "chat:wrong@", "nobody:s3cret@"])
async def test_a_wrong_password_is_said_at_the_start(guarded: ValkeyServer, credentials: str) -> None:
    said = await refusal(f"redis://{credentials}127.0.0.1:{guarded.port}")
    assert f"Redis at 127.0.0.1:{guarded.port} refuses the login" in said
    assert "into the URL" in said
    assert "s3cret" not in said


async def test_a_password_where_none_is_wanted_is_said_at_the_start(server: ValkeyServer) -> None:
    assert "refuses the login" in await refusal(f"redis://chat:s3cret@127.0.0.1:{server.port}")


@pytest.mark.parametrize("user", ["mute", "deaf"])
async def test_a_missing_permission_is_said_at_the_start(guarded: ValkeyServer, user: str) -> None:
    said = await refusal(f"redis://{user}:s3cret@127.0.0.1:{guarded.port}")
    assert "PUBLISH, SUBSCRIBE" in said


async def test_a_database_that_there_is_not_is_said_at_the_start(server: ValkeyServer) -> None:
    assert "DB index is out of range" in await refusal(f"{server.url}/99")


async def test_a_host_that_there_is_not_may_come_and_is_no_error() -> None:
    async with open_redis_bridge("redis://no-such-host.invalid", LIMITS, incarnation=ANN, node="n1") as bridge:
        assert isinstance(bridge.news.receive_nowait(), Cut)


@pytest.fixture
def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that is its own CA, with its key beside it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here to make a certificate with")
    path = folder / "cert.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=trichat test", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(path.with_suffix(".key")), "-out", str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


@asynccontextmanager
async def open_tls(certificate: Path, server: ValkeyServer) -> AsyncIterator[int]:
    """A port that speaks TLS and passes the plain text on to the server: neither server here was built with TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    async def pump(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream, scope: trio.CancelScope) -> None:
        try:
            while data := await source.receive_some():
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # a client that aborts, or does not trust us
        scope.cancel(reason="one side ended the connection")

    async def serve(tcp: trio.SocketStream) -> None:
        tls = trio.SSLStream(tcp, context, server_side=True, https_compatible=True)
        async with tcp, await trio.open_unix_socket(server.socket) as plain, trio.open_nursery() as nursery:
            nursery.start_soon(pump, tls, plain, nursery.cancel_scope)
            nursery.start_soon(pump, plain, tls, nursery.cancel_scope)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_tls_with_a_ca_that_is_named(server: ValkeyServer, certificate: Path) -> None:
    async with open_tls(certificate, server) as port:
        await comes_up(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}")
        await comes_up(f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none&ssl_check_hostname=false")


async def test_a_certificate_that_is_not_trusted_is_said_at_the_start(server: ValkeyServer, certificate: Path) -> None:
    async with open_tls(certificate, server) as port:
        said = await refusal(f"rediss://127.0.0.1:{port}")
    assert "name its CA by ssl_ca_certs" in said


async def test_a_tls_link_that_turns_into_a_black_hole_is_cut_healed_and_left(
    server: ValkeyServer, certificate: Path
) -> None:
    async with open_tls(certificate, server) as port, open_fault_proxy(port) as proxy:
        url = f"rediss://127.0.0.1:{proxy.port}?ssl_ca_certs={certificate}"
        async with open_redis_bridge(url, LIMITS, incarnation=ANN, node="n1") as bridge:
            ear = Ear(bridge)
            await ear.until(Linked)
            proxy.freeze()
            await ear.until(Cut)
            proxy.heal()
            await ear.until(Linked)
            proxy.freeze()
            began = trio.current_time()
        assert trio.current_time() - began < 1.0
