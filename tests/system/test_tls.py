"""A node process that speaks TLS: what it says at the start, a certificate that is renewed, and who chats by hand."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import httpx
import pytest
import trio

from tests.authority import Authority
from tests.nodes import READY_S, NodeProcess
from tests.system.crowd import until
from trichat.client import open_client

#: Seconds for one line of websocat's: about a thousand times the typical.
_LINE_S = 10.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path)
    authority.issue("localhost", "127.0.0.1")
    return authority


@asynccontextmanager
async def secure_node(authority: Authority, directory: Path, *flags: str) -> AsyncIterator[NodeProcess]:
    """A node process that is ready, over TLS."""
    tls = ("--tls-cert", str(authority.cert), "--tls-key", str(authority.key))
    node = NodeProcess(directory, *tls, *flags)
    try:
        with trio.fail_after(READY_S):
            while not await _is_well(authority, node.port):  # noqa: ASYNC110  # another process is waited for
                await trio.sleep(0.05)
        yield node
    finally:
        node.close()


async def _is_well(authority: Authority, port: int) -> bool:
    async with httpx.AsyncClient(verify=authority.context) as client:
        try:
            return (await client.get(f"https://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx.TransportError:
            return False


async def test_a_certificate_is_renewed_under_a_chat(
    authority: Authority, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    flags = ("--database-url", database_url, "--redis-url", redis_url)
    async with secure_node(authority, tmp_path, *flags) as node:
        url = f"wss://127.0.0.1:{node.port}/ws"
        async with open_client(url, name="ann", ssl_context=authority.context) as ann:
            await ann.join("lobby")
            fresh = authority.issue("localhost", "127.0.0.1")
            node.signal(signal.SIGHUP)
            await until(lambda: node.log.read_text().count("holds until") == 2, _LINE_S)
            assert await _shown(authority, node.port) == fresh
            authority.key.write_text("nothing")
            node.signal(signal.SIGHUP)
            await until(lambda: "the certificate stays as it was" in node.log.read_text(), _LINE_S)
            assert f"{authority.key} holds no key" in node.log.read_text()
            assert await _shown(authority, node.port) == fresh
            assert await _said_by_hand(url, '{"type":"join","room":"lobby"}', "joined") == "lobby"
            await ann.send("lobby", "still on my first connection")
            assert ann.repeats == 0
        async with httpx.AsyncClient(verify=authority.context) as client:
            answer = await client.get(f"https://127.0.0.1:{node.port}/healthz")
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert f"https://127.0.0.1:{node.port}/\n" in node.log.read_text()
        assert f"websocat wss://127.0.0.1:{node.port}/ws\n" in node.log.read_text()
        assert await node.stopped() == 0


async def _shown(authority: Authority, port: int) -> bytes:
    async with await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=authority.context) as stream:
        await stream.do_handshake()
        shown: bytes = stream.getpeercert(binary_form=True)
        return shown


async def _said_by_hand(url: str, line: str, kind: str) -> str:
    """Say `line` by websocat, which is told to believe everybody; the room of the first answer of that kind."""
    websocat = str(Path(sys.executable).with_name("websocat"))
    process = await trio.lowlevel.open_process(
        [websocat, "-k", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    buffer = b""
    try:
        await process.stdin.send_all(line.encode() + b"\n")
        with trio.fail_after(_LINE_S):
            while True:
                while b"\n" not in buffer:
                    buffer += bytes(await process.stdout.receive_some())
                first, _, buffer = buffer.partition(b"\n")
                message = json.loads(first)
                if message["type"] == kind:
                    return str(message["room"])
    finally:
        process.terminate()
        await process.wait()
        await process.stdin.aclose()
        await process.stdout.aclose()


def test_files_that_cannot_be_used_end_serve_at_once(authority: Authority) -> None:
    authority.key.write_text("nothing")
    for ran in (_trichat(authority), _trichat(authority, "--check-config")):
        assert ran.returncode == 1
        assert ran.stderr.splitlines()[-1].startswith(f"trichat: {authority.key} holds no key in PEM")


def test_the_check_of_the_settings_warns_of_one_that_has_expired(authority: Authority) -> None:
    assert _trichat(authority, "--check-config").stderr == ""
    authority.issue(not_before=datetime(2020, 1, 1), not_after=datetime(2020, 2, 1))
    ran = _trichat(authority, "--check-config")
    assert ran.returncode == 0
    expected = f"clients will refuse the certificate in {authority.cert}: certificate has expired"
    assert ran.stderr == f"trichat: warning: {expected}\n"


def _trichat(authority: Authority, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trichat", "serve", "--port", "0", *flags]
    command += ["--tls-cert", str(authority.cert), "--tls-key", str(authority.key)]
    return subprocess.run(command, capture_output=True, text=True, timeout=READY_S, check=False)
