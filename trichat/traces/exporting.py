"""Where spans go: in batches to a collector, as OTLP over HTTP, by a thread of OpenTelemetry's."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from trichat import __version__
from trichat.core.limits import Limits

#: Where a collector takes traces, below its endpoint (the OTLP specification).
_PATH = "/v1/traces"


def open_provider(endpoint: str, node: str, limits: Limits) -> TracerProvider:
    """Sends to the collector at `endpoint` until it is shut down. The library's variables (OTEL_…) add headers and
    attributes."""
    provider = bare_provider(node)
    exporter = OTLPSpanExporter(endpoint.rstrip("/") + _PATH, timeout=limits.traces_export_s)
    # full: what comes is dropped, by the library, which says so in the log
    provider.add_span_processor(BatchSpanProcessor(exporter, limits.traces_queue, limits.traces_rest_s * 1000))
    return provider


def bare_provider(node: str) -> TracerProvider:
    """Spans of this node, which go nowhere yet. Which sends are traced we decide: of these, all is told."""
    resource = Resource.create({"service.name": "trichat", "service.version": __version__, "service.instance.id": node})
    return TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
