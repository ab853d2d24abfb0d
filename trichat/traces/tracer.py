"""The port `trichat.chat.tracing` on OpenTelemetry: parents are given, never taken from the context of a task."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from trichat import __version__
from trichat.chat import tracing
from trichat.core.names import RoomId

#: A sampled `traceparent` of version 00: another node has traced the send, and so does this one.
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", re.ASCII)


class OtelTracer:
    """Implements `Tracer`: one of `one_in` sends is traced, the first one too."""

    def __init__(self, provider: TracerProvider, one_in: int) -> None:
        self._tracer = provider.get_tracer("trichat", __version__)
        self._one_in = one_in
        self._until_next = 0

    def begin_send(self, room_id: RoomId) -> tracing.Span | None:
        if self._until_next:
            self._until_next -= 1
            return None
        self._until_next = self._one_in - 1
        attributes = {"trichat.room_id": room_id}
        return _Span(self._tracer.start_span("send", Context(), SpanKind.SERVER, attributes))

    def begin_commit(self, sends: Sequence[tracing.Span], drafts: int) -> tracing.Span:
        first, *others = [context for send in sends if (context := _read(send.context)) is not None]
        links = [Link(context) for context in others]
        return _Span(
            self._tracer.start_span("commit", _below(first), SpanKind.CLIENT, {"trichat.drafts": drafts}, links)
        )

    def begin_publish(self, commit: tracing.Span, room_id: RoomId, first: int) -> tracing.Span:
        parent = _read(commit.context)
        assert parent is not None
        return _Span(self._begin("publish", parent, SpanKind.PRODUCER, room_id, first))

    def begin_delivery(self, context: str, room_id: RoomId, first: int) -> tracing.Span | None:
        parent = _read(context)
        return None if parent is None else _Span(self._begin("deliver", parent, SpanKind.CONSUMER, room_id, first))

    def _begin(self, name: str, parent: SpanContext, kind: SpanKind, room_id: RoomId, first: int) -> trace.Span:
        attributes = {"trichat.room_id": room_id, "trichat.first_seq": first}
        return self._tracer.start_span(name, _below(parent), kind, attributes)


class _Span:
    """Implements `Span`."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def context(self) -> str:
        own = self._span.get_span_context()
        return f"00-{own.trace_id:032x}-{own.span_id:016x}-01"

    def end(self, *, seq: int | None = None, outcome: str | None = None) -> None:
        if not self._span.is_recording():
            return
        if seq is not None:
            self._span.set_attribute("trichat.seq", seq)
        if outcome is not None:
            self._span.set_attribute("trichat.outcome", outcome)
        self._span.end()


def _below(parent: SpanContext) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def _read(traceparent: str) -> SpanContext | None:
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    context = SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=TraceFlags(1))
    return context if context.is_valid else None
