"""What TLS costs a node: memory of an idle connection, processor time to connect and to hear a message.

`python -m tests.edge.bench_tls`: 1,000 clients in one room; a node over the twins in one process, they in another.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time

import trio

from tests.authority import Authority
from tests.client_bytes import TEXT, frame, request_head
from tests.edge.doors import open_door
from tests.nodes import LOOSE, make_twins, open_twin_node
from trichat.client import tls_context
from trichat.edge.tls import Certificate

_CLIENTS = 1_000
_MESSAGES = 50


async def serve(certificate: Certificate | None, ca: str) -> dict[str, float]:
    """The node's side; the clients say by a line when they are all there, and when they have heard all."""
    async with open_twin_node(make_twins(LOOSE)) as node, open_door(node, certificate=certificate):
        memory, began = _resident_kib(), process_time()
        command = [sys.executable, "-m", __spec__.name, "clients", str(node.port), ca if certificate else ""]
        clients = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert clients.stdin is not None
        assert clients.stdout is not None
        await clients.stdout.receive_some()
        connected = process_time()
        found = {
            "KiB a connection": (_resident_kib() - memory) / _CLIENTS,
            "us to connect": (connected - began) / _CLIENTS * 1e6,
        }
        await clients.stdin.send_all(b"go\n")
        await clients.stdout.receive_some()
        found["us a delivery"] = (process_time() - connected) / _CLIENTS / _MESSAGES * 1e6
        await clients.wait()
        return found


def _resident_kib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


async def visit(port: int, ca: str) -> None:
    """The clients' side: all join one room, then one of them talks."""
    context = tls_context(ca) if ca else None
    streams: list[trio.abc.Stream] = []
    join = frame(TEXT, b'{"type":"join","room":"lobby"}')
    for _ in range(_CLIENTS):
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", port)
        if context is not None:
            stream = trio.SSLStream(stream, context, server_hostname="127.0.0.1", https_compatible=True)
        await stream.send_all(request_head() + join)
        await _until(stream, b'"joined"', 1)
        streams.append(stream)
    print("here", flush=True)
    await trio.to_thread.run_sync(sys.stdin.readline)
    async with trio.open_nursery() as nursery:
        for stream in streams:
            nursery.start_soon(_until, stream, b'"type":"message"', _MESSAGES)
        for number in range(_MESSAGES):
            said = json.dumps({"type": "send", "room": "lobby", "text": f"message {number}"})
            await streams[0].send_all(frame(TEXT, said.encode()))
            await trio.sleep(0.1)
    print("heard", flush=True)


async def _until(stream: trio.abc.Stream, what: bytes, count: int) -> None:
    """Read until `what` has come so often; a message that lies across two reads is found too."""
    tail = b""
    while count > 0:
        received = bytes(await stream.receive_some())
        assert received, "the node has hung up"
        data = tail + received
        found = data.count(what)
        count -= found
        tail = data[-len(what) + 1 :]


def measure(name: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        authority = Authority(Path(directory))
        certificate = authority.certificate() if name == "TLS" else None
        found = trio.run(serve, certificate, str(authority.file))
        print(name, ", ".join(f"{value:.1f} {unit}" for unit, value in found.items()))


def main() -> None:
    match sys.argv[1:]:
        case ["clients", port, ca]:
            trio.run(visit, int(port), ca)
        case [name]:
            measure(name)
        case _:
            for name in ("plain", "TLS"):  # each in a process of its own: what one gave back would help the other
                subprocess.run([sys.executable, "-m", __spec__.name, name], check=True)


if __name__ == "__main__":
    main()
