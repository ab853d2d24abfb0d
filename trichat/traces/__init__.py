"""Traces of a send across the nodes, by OpenTelemetry, where `--otlp-endpoint` says where they go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from trichat.chat.tracing import Tracer
from trichat.core.limits import Limits

__all__ = ["TracesUnusable", "open_traces"]


class TracesUnusable(Exception):
    """Traces are wanted, and what sends them is not installed. Says what to do."""


@asynccontextmanager
async def open_traces(endpoint: str | None, node: str, limits: Limits) -> AsyncIterator[Tracer | None]:
    """Who traces what this node does; None where no `endpoint` is given.

    Spans are sent to the collector there by a thread of the library's; a collector that is away costs the chat nothing
    but a line in the log. At the end the last ones have `traces_stop_s`. Raises TracesUnusable.
    """
    if endpoint is None:
        yield None
        return
    try:
        # without `--otlp-endpoint` nobody pays for loading it, or has to have it
        from trichat.traces.exporting import open_provider  # noqa: PLC0415
        from trichat.traces.tracer import OtelTracer  # noqa: PLC0415
    except ImportError as error:
        said = "--otlp-endpoint needs OpenTelemetry, which is not installed: pip install 'trichat[otel]'"
        raise TracesUnusable(said) from error
    provider = await trio.to_thread.run_sync(open_provider, endpoint, node, limits)
    try:
        yield OtelTracer(provider, limits.traced_sends)
    finally:
        with trio.move_on_after(limits.traces_stop_s, shield=True):
            await trio.to_thread.run_sync(provider.shutdown, abandon_on_cancel=True)
