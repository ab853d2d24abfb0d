"""Tracers whose spans stay in memory, and what tests ask of these."""

from __future__ import annotations

from typing import Self

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from trichat.traces.exporting import bare_provider
from trichat.traces.tracer import OtelTracer


class Traced:
    """One node's tracer, and the spans that have ended."""

    def __init__(self, node: str, one_in: int = 1) -> None:
        self._exporter = InMemorySpanExporter()
        self._provider = bare_provider(node)
        self._provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = OtelTracer(self._provider, one_in)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._provider.shutdown()

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


def is_below(child: ReadableSpan, parent: ReadableSpan) -> bool:
    """Whether `child` is of the same trace as `parent`, and right under it."""
    assert parent.context is not None
    above = child.parent
    return above is not None and (above.trace_id, above.span_id) == (parent.context.trace_id, parent.context.span_id)


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})
