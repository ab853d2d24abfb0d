"""The metrics, one by one: names, help, and where each figure comes from. docs/observability.md has the same table."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.samples import Sample

from trichat import __version__
from trichat.chat.figures import Figures
from trichat.chat.hub import Hub
from trichat.core.histogram import Histogram
from trichat.web.metrics_survey import Survey

#: Values by those of their labels.
Values = Mapping[tuple[str, ...], float]
#: Histograms likewise.
Histograms = Iterable[tuple[tuple[str, ...], Histogram]]

#: What each metric of ours means. Where there is a unit, the name ends in it.
HELP: Final = {
    "trichat_build_info": "1, with the versions of trichat and of Python",
    "trichat_connections": "WebSockets that are served",
    "trichat_connections_opened": "WebSockets that were served",
    "trichat_connections_closed": "WebSockets that have ended, by close code: 4101 is a slow client, 1006 a lost one",
    "trichat_sessions": "WebSockets by whose they are: nobody's yet, a guest's, an account's, a bot's",
    "trichat_rooms": "Rooms that this node knows now",
    "trichat_listeners": "Connections times the rooms that each listens to",
    "trichat_deliveries": "Events times the listeners to whom each was handed out live",
    "trichat_replayed_events": "Events sent by replays, after a join or a resume",
    "trichat_sends": "Sends by what became of them",
    "trichat_events_committed": "Events that this node committed and announced: messages, and all else in a log",
    "trichat_commit_batch_drafts": "Sends in one transaction",
    "trichat_commit_seconds": "Time of one transaction of sends, until its acks were posted",
    "trichat_sends_waiting": "Sends that are not answered yet",
    "trichat_outbox_bytes": "Bytes that wait for clients to take them, all together",
    "trichat_outbox_largest_bytes": "Bytes that wait for the client for whom most waits; closed with 4101 at 1 MiB",
    "trichat_whispers_dropped": "Typing and the like between nodes, dropped for want of room or of a link",
    "trichat_gaps_healed": "Times that a room was behind the store and was read from it",
    "trichat_events_healed": "Events that came in so, instead of through Redis",
    "trichat_relay_looks": "Looks at the heads of rooms in the store, by outcome",
    "trichat_degraded": "1 while fan-out is degraded: clients are told so, and nodes hear each other through the store",
    "trichat_redis_linked": "1 while this node publishes to Redis and hears from it",
    "trichat_draining": "1 while this node stops in order",
    "trichat_store_call_seconds": "Time of calls to PostgreSQL, waiting for a connection included, by pool and outcome",
    "trichat_passwords_waiting": "Passwords that are being hashed, or wait for it",
    "trichat_loop_late_seconds": "How late the event loop woke a task that looks at the clock twenty times a second",
    "trichat_long_polls_waiting": "HTTP requests that wait for events",
    "trichat_http_request_seconds": "Time of HTTP requests, by route, method and class of status",
}  # fmt: skip


def families(hub: Hub, seen: Survey) -> Iterator[Metric]:
    """All metrics of ours, each with the label `node`."""
    of = _Families(hub.node)
    yield of.gauge("trichat_build_info", {(__version__, platform.python_version()): 1}, ("version", "python"))
    yield from _people(of, hub, seen)
    yield from _messages(of, hub, hub.figures)
    yield from _dependencies(of, hub, hub.figures)
    yield of.gauge("trichat_long_polls_waiting", {(): hub.figures.long_polls})
    yield of.histogram("trichat_http_request_seconds", hub.figures.requests.items(), ("route", "method", "status"))


def _people(of: _Families, hub: Hub, seen: Survey) -> Iterator[Metric]:
    figures = hub.figures
    yield of.gauge("trichat_connections", {(): len(hub.sessions)})
    yield of.counter("trichat_connections_opened", {(): figures.connections})
    yield of.counter(
        "trichat_connections_closed", {(str(code),): count for code, count in figures.closes.items()}, ("code",)
    )
    yield of.gauge("trichat_sessions", _by_one(seen.kinds), ("kind",))
    yield of.gauge("trichat_rooms", {(): seen.rooms})
    yield of.gauge("trichat_listeners", {(): seen.listeners})
    yield of.gauge("trichat_outbox_bytes", {(): seen.outbox_bytes})
    yield of.gauge("trichat_outbox_largest_bytes", {(): seen.largest_outbox})
    yield of.gauge("trichat_passwords_waiting", {(): figures.passwords})
    yield of.gauge("trichat_draining", {(): hub.draining})


def _messages(of: _Families, hub: Hub, figures: Figures) -> Iterator[Metric]:
    yield of.counter("trichat_sends", _by_one(figures.sends), ("outcome",))
    yield of.gauge("trichat_sends_waiting", {(): hub.committer.waiting})
    yield of.counter("trichat_events_committed", {(): figures.events})
    yield of.counter("trichat_deliveries", {(): figures.deliveries})
    yield of.counter("trichat_replayed_events", {(): figures.replayed})
    yield of.histogram("trichat_commit_batch_drafts", [((), figures.batch_drafts)])
    yield of.histogram("trichat_commit_seconds", [((), figures.commit_s)])


def _dependencies(of: _Families, hub: Hub, figures: Figures) -> Iterator[Metric]:
    yield of.gauge("trichat_degraded", {(): not hub.relay.fanout_ok})
    yield of.gauge("trichat_redis_linked", {(): hub.relay.linked})
    yield of.counter("trichat_relay_looks", _by_one(figures.looks), ("outcome",))
    yield of.counter("trichat_gaps_healed", {(): figures.gaps_healed})
    yield of.counter("trichat_events_healed", {(): figures.events_healed})
    yield of.counter("trichat_whispers_dropped", {(): figures.whispers_dropped})
    calls = [((pool, outcome), one) for pool, by in figures.store_s.items() for outcome, one in by.items()]
    yield of.histogram("trichat_store_call_seconds", calls, ("pool", "outcome"))
    yield of.histogram("trichat_loop_late_seconds", [((), figures.late_s)])


class _Families:
    """Makes families whose samples are all of one node."""

    def __init__(self, node: str) -> None:
        self._node = node

    def gauge(self, name: str, values: Values, labels: Sequence[str] = ()) -> Metric:
        family = GaugeMetricFamily(name, HELP[name], labels=["node", *labels])
        for label_values, value in values.items():
            family.add_metric([self._node, *label_values], value)
        return family

    def counter(self, name: str, values: Values, labels: Sequence[str] = ()) -> Metric:
        family = CounterMetricFamily(name, HELP[name], labels=["node", *labels])
        for label_values, value in values.items():
            family.add_metric([self._node, *label_values], value)
        return family

    def histogram(self, name: str, histograms: Histograms, labels: Sequence[str] = ()) -> Metric:
        family = HistogramMetricFamily(name, HELP[name], labels=["node", *labels])
        for label_values, one in histograms:
            family.add_metric([self._node, *label_values], _buckets(one), one.total)
        return family


def of_node(family: Metric, node: str) -> Metric:
    """A family of the library's, with the label `node`."""
    family.samples = [Sample(one.name, {"node": node, **one.labels}, one.value) for one in family.samples]
    return family


def _by_one(values: Mapping[str, float]) -> Values:
    return {(name,): value for name, value in values.items()}


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """How many numbers each bound, and then no bound, is not exceeded by: Prometheus' buckets hold those below, too."""
    buckets, count = [], 0
    for bound, here in zip((*histogram.bounds, inf), histogram.counts, strict=True):
        count += here
        buckets.append((str(float(bound)) if bound < inf else "+Inf", float(count)))
    return buckets
