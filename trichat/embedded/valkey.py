"""The embedded Valkey: carries news, keeps nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final
from urllib.parse import quote

from trichat.core.limits import Limits
from trichat.embedded.home import Home
from trichat.embedded.processes import Arguments
from trichat.embedded.programs import within_reach
from trichat.embedded.server import Server, Waiting

_TITLE: Final = "valkey-server"


class ValkeyServer(Server):
    """One Valkey in a data directory, on a Unix socket; for tests also on a port of 127.0.0.1."""

    name = "valkey"
    title = "Valkey"
    stop_signal = signal.SIGTERM

    def __init__(self, home: Home, program: Path, limits: Limits, *, tcp_port: int = 0) -> None:
        super().__init__(home, limits)
        self._program = program
        self._tcp_port = tcp_port

    @property
    def socket(self) -> Path:
        return self.home.socket_folder / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"

    def _prepare(self) -> Waiting[None]:
        self.home.make_socket_folder()
        yield from ()

    def _command(self) -> list[str]:
        settings = {
            "port": self._tcp_port,
            "bind": "127.0.0.1",
            "unixsocket": self.socket,
            "unixsocketperm": "700",
            "dir": self.home.path,
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "loglevel": "notice",
            "proc-title-template": f"{_TITLE} {{unixsocket}}",  # by which it is found again
        }
        program = within_reach(self._program.parent, self.home) / self._program.name
        return [str(program), *(word for name, value in settings.items() for word in (f"--{name}", str(value)))]

    def _belongs(self, arguments: Arguments) -> bool:
        program, *rest = arguments
        path = os.fsencode(self.socket)
        if program.startswith(b"%b %b" % (_TITLE.encode(), path)):
            return True
        return os.path.basename(program) == self._program.name.encode() and b"--unixsocket" in rest and path in rest

    def _question(self) -> bytes:
        return b"PING\r\n"

    def _is_ready(self, answer: bytes) -> bool:
        return answer.startswith(b"+PONG")

    def _remove_traces(self) -> None:
        self.socket.unlink(missing_ok=True)
