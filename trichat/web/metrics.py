"""What Prometheus reads: what the node has counted, and what can be seen of it now. No name of anybody or anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import trio
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trichat.chat.hub import Hub
from trichat.web.metrics_families import families, of_node
from trichat.web.metrics_survey import Survey, survey


def metrics_routes(hub: Hub) -> list[Route]:
    """`/metrics`, in the text format or in OpenMetrics, as the scraper asks for."""
    node = _Node(hub)

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(await node.scrape(encode), headers={"content-type": content_type})

    return [Route("/metrics", metrics)]


class _Node(Collector):
    """The collector of a registry of its own: two nodes of one process do not meet in the library's."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._survey = Survey()
        self._process = ProcessCollector(registry=None)
        self._of_process: list[Metric] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)

    async def scrape(self, encode: Callable[[Collector], bytes]) -> bytes:
        """All of it, as `encode` writes it."""
        # in a thread: with ten thousand descriptors open, to count them takes the kernel some milliseconds
        of_process = await trio.to_thread.run_sync(lambda: list(self._process.collect()))
        self._of_process = [of_node(family, self._hub.node) for family in of_process]
        self._survey = await survey(self._hub)
        return encode(self._registry)

    def collect(self) -> Iterator[Metric]:
        yield from families(self._hub, self._survey)
        yield from self._of_process
