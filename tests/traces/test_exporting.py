"""Where `--otlp-endpoint` leads: to a collector, which may be away, and never without the package."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server

from msgspec import structs
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.nodes import LOOSE
from trichat.core.names import RoomId
from trichat.traces import open_traces


class Collector(ThreadingHTTPServer):
    """Takes what is exported: the path, and the bodies decoded."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[tuple[str, ExportTraceServiceRequest]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, args=(0.01,))
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


async def test_spans_reach_the_collector_before_a_node_has_stopped() -> None:
    with collecting() as collector:
        endpoint = f"http://127.0.0.1:{collector.server_port}/"
        async with open_traces(endpoint, "n1", LOOSE) as tracer:
            assert tracer is not None
            span = tracer.begin_send(RoomId(7))
            assert span is not None
            span.end(seq=3, outcome="committed")
    ((path, request),) = collector.taken
    assert path == "/v1/traces"
    (of_node,) = request.resource_spans
    (sent,) = of_node.scope_spans[0].spans
    assert sent.name == "send"
    assert {one.key: one.value.int_value for one in sent.attributes if one.value.int_value} == {
        "trichat.room_id": 7, "trichat.seq": 3,
    }  # fmt: skip
    assert "n1" in {one.value.string_value for one in of_node.resource.attributes}


async def test_a_collector_that_does_not_answer_holds_no_node_up() -> None:
    limits = structs.replace(LOOSE, traces_stop_s=0.2, traces_export_s=3.0)
    with create_server(("127.0.0.1", 0)) as deaf:
        async with open_traces(f"http://127.0.0.1:{deaf.getsockname()[1]}", "n1", limits) as tracer:
            assert tracer is not None
            span = tracer.begin_send(RoomId(1))
            assert span is not None
            span.end()
            began = time.monotonic()
    assert time.monotonic() - began < 2.0


async def test_nothing_is_traced_where_no_endpoint_is_given() -> None:
    async with open_traces(None, "n1", LOOSE) as tracer:
        assert tracer is None


def test_without_the_package_serve_says_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['opentelemetry'] = None; from trichat.cli import main; sys.exit(main())"
    flags = ["serve", "--port", "0", "--data-dir", str(tmp_path), "--otlp-endpoint", "http://127.0.0.1:4318"]
    ran = subprocess.run(
        [sys.executable, "-c", program, *flags], check=False, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 1
    assert ran.stderr.strip() == (
        "trichat: --otlp-endpoint needs OpenTelemetry, which is not installed: pip install 'trichat[otel]'"
    )
