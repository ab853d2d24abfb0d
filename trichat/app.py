"""The node as a whole: the nursery tree, and the only place that knows all parts.

Nesting is the order of stopping: listener, connections, committer, announcements, bridge, pool, embedded services.
"""

from __future__ import annotations

import gc
import logging
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio
from msgspec import Struct

from trichat import __version__
from trichat.bridge.redis import BridgeUnusable, open_redis_bridge
from trichat.chat.figures import Figures
from trichat.chat.hub import Hub
from trichat.chat.ports import StoreUnavailable, StoreUnusable
from trichat.chat.profiles import time_zones
from trichat.core.account_names import load_name_tables
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.core.tokens import Signer
from trichat.edge.front_door import FrontDoor
from trichat.edge.listeners import listen, start_listening
from trichat.edge.tls import Certificate, TlsUnusable, open_certificate
from trichat.embedded import EmbeddedUnusable, open_where_not_given
from trichat.settings import Settings
from trichat.store.postgres import open_postgres_store
from trichat.store.upkeep import upgrade_by_itself
from trichat.traces import TracesUnusable, open_traces
from trichat.vault import VaultUnusable, open_vault
from trichat.web import open_to_web, operators_app

log = logging.getLogger("trichat.app")

#: Objects, and generations: a full load allocates millions of short-lived objects that hold no cycles, and the
#: default of 700 took a quarter of the time.
_GC_THRESHOLDS = (100_000, 50, 1000)
#: Seconds over which drained clients come back: some, and one more for each thousand of them.
_SPREAD_S = 0.5
_SPREAD_CLIENTS_PER_S = 1000
#: Seconds for PostgreSQL's answer to /readyz.
_READY_S = 1.0


class Place(Struct, frozen=True):
    """Where a node serves, and whom it tells that it does."""

    listeners: Sequence[socket.socket]
    who: str  # the node, or all of those on one port, for people
    say: Callable[[str], None]  # given the greeting, once the node serves
    operators: Sequence[socket.socket] = ()  # listeners of the operators' port
    upgrades: bool = False  # the database of the settings is our own embedded one, so nobody else upgrades it


def run(settings: Settings, place: Place | None = None) -> int:
    """Run a node until it is told to stop by SIGTERM or SIGINT. Returns the exit code of the process.

    Without a `place`, which a supervisor gives, it listens where the settings say, and prints its greeting.
    """
    try:
        return trio.run(serve, settings, place)
    except* (
        StoreUnavailable, StoreUnusable, BridgeUnusable, EmbeddedUnusable, VaultUnusable, TlsUnusable, TracesUnusable,
        OSError,
    ) as group:  # fmt: skip
        for error in _leaves(group):
            print(f"trichat: {error}", file=sys.stderr)
    return 1


async def serve(settings: Settings, place: Place | None = None) -> int:
    """The node, inside Trio. Returns 0 when it stopped in order within `drain_s`, 1 when something was cut off."""
    _raise_descriptor_limit()
    certificate = open_certificate(settings.tls_cert, settings.tls_key)
    if place is None:
        own = listen(settings.host, settings.port)
        operators = [] if settings.admin_port is None else listen(settings.admin_host, settings.admin_port)
        place = Place(own, f"node {settings.node_id}", partial(print, flush=True), operators)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as life:
            stop = _Stop(life.cancel_scope)
            life.start_soon(stop.run, signals)
            if certificate is not None:
                await life.start(_run_renewal, certificate)
            await _live(settings, place, stop, certificate)
            life.cancel_scope.cancel(reason="the node has stopped")
    return 1 if stop.cut_off else 0


async def _live(settings: Settings, place: Place, stop: _Stop, certificate: Certificate | None) -> None:
    """Serve until told to stop, and stop in order; cancelled when told to stop at once."""
    limits = settings.limits()
    async with open_hub(settings, limits, upgrades=place.upgrades) as hub, trio.open_nursery() as services:
        await services.start(hub.run)
        door = _front_door(settings, hub, certificate)
        async with trio.open_nursery() as connections:
            start_listening(place.listeners)
            await connections.start(door.run, place.listeners)
            if place.operators:
                start_listening(place.operators)
                await connections.start(_operators_door(hub).run, place.operators)
            _tune_collector()
            place.say(_greeting(settings, place))
            await stop.asked()
            stop.cut_off = not await _drain(hub, door, settings.drain_s)
            connections.cancel_scope.cancel(reason="drained")
        await _say_last_word(hub)
        services.cancel_scope.cancel(reason="the node stops")


def _front_door(settings: Settings, hub: Hub, certificate: Certificate | None) -> FrontDoor:
    app = open_to_web(
        hub,
        lambda: readiness(hub),
        with_metrics=settings.admin_port is None,
        only_tls=settings.tls_cert is not None,
        allowed_origins=settings.allow_origin,
    )
    return FrontDoor(
        hub,
        app,
        allowed_origins=settings.allow_origin,
        allowed_hosts=settings.allowed_hosts,
        trusted_proxies=settings.trusted_proxy,
        certificate=certificate,
    )


def _operators_door(hub: Hub) -> FrontDoor:
    """It answers to any name, since scrapers have names of their own for us, and for as long as the node lives."""
    return FrontDoor(hub, operators_app(hub, lambda: readiness(hub)), chat=False)


async def _run_renewal(
    certificate: Certificate, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Read the certificate again on each SIGHUP. Lives until cancelled."""
    with trio.open_signal_receiver(signal.SIGHUP) as hangups:
        task_status.started()
        async for _ in hangups:
            await certificate.renew()


class _Stop:
    """What SIGTERM and SIGINT ask for: the first one to stop in order, the second one to stop at once.

    Before there is anything to stop in order, while the node starts, the first one is enough.
    """

    def __init__(self, everything: trio.CancelScope) -> None:
        self._everything = everything
        self._asked: trio.Event | None = None
        self.cut_off = False

    async def asked(self) -> None:
        """The node serves from now on; returns when it is to stop in order."""
        self._asked = trio.Event()
        await self._asked.wait()

    async def run(self, signals: AsyncIterator[int]) -> None:
        """Do what the signals say. Lives until cancelled."""
        async for number in signals:
            log.info("stopping on %s", signal.Signals(number).name)
            if self._asked is None:
                self._everything.cancel(reason="told to stop while it starts")
            elif not self._asked.is_set():
                self._asked.set()
            else:
                self.cut_off = True
                self._everything.cancel(reason="told twice to stop")


@asynccontextmanager
async def open_hub(settings: Settings, limits: Limits, *, upgrades: bool = False) -> AsyncIterator[Hub]:
    """The hub over its store and its bridge, embedded ones where the settings name none."""
    chance, figures = Chance(), Figures()
    incarnation = chance.incarnation()
    async with (
        open_traces(settings.otlp_endpoint, settings.node_id, limits) as tracer,
        _open_services(settings, upgrades=upgrades) as (database_url, redis_url),
        open_postgres_store(
            database_url,
            limits,
            chance=chance,
            lanes=settings.lanes,
            pooler=settings.pooler,
            unsafe=settings.unsafe,
            figures=figures,
        ) as store,
        open_redis_bridge(
            redis_url,
            limits,
            incarnation=incarnation,
            node=settings.node_id,
            prefix=settings.redis_prefix,
            figures=figures,
        ) as bridge,
        open_vault(settings, limits, figures=figures) as vault,
    ):
        await trio.to_thread.run_sync(_load_tables)
        yield Hub(
            store,
            bridge,
            limits,
            node=settings.node_id,
            incarnation=incarnation,
            chance=chance,
            signer=Signer(await store.signing_secrets()),
            vault=vault,
            allow_guests=settings.guests_allowed,
            allow_registration=settings.allow_registration,
            lanes=settings.lanes,
            figures=figures,
            tracer=tracer,
        )


def _load_tables() -> None:
    """What takes its time when it is asked for the first time: let nobody wait for it."""
    load_name_tables()
    time_zones()


@asynccontextmanager
async def _open_services(settings: Settings, *, upgrades: bool) -> AsyncIterator[tuple[str, str]]:
    """The addresses of PostgreSQL and Redis, embedded ones where the settings name none."""
    async with open_where_not_given(settings.data_dir, settings.database_url, settings.redis_url) as urls:
        if upgrades or settings.database_url is None:
            await upgrade_by_itself(urls[0], settings.limits())
        yield urls


async def readiness(hub: Hub) -> dict[str, str]:
    """How each dependency is, for /readyz."""
    database = "unavailable"
    with trio.move_on_after(_READY_S):
        try:
            await hub.store.ping()
            database = "ok"
        except StoreUnavailable:
            pass
    return {
        "postgresql": database,
        "redis": "ok" if hub.relay.linked else "unavailable",
        "fanout": "ok" if hub.relay.fanout_ok else "degraded",
        "draining": "yes" if hub.draining else "no",
    }


async def _drain(hub: Hub, door: FrontDoor, drain_s: float) -> bool:
    """Stop without losing anything: refuse what is new, answer what was accepted, then say goodbye."""
    log.info("draining", extra={"connections": len(door.connections)})
    with trio.move_on_after(drain_s) as clock:
        door.stop_accepting()
        hub.draining = True
        await hub.committer.drained()
        await door.drain(_SPREAD_S + len(door.connections) / _SPREAD_CLIENTS_PER_S)
    return not clock.cancelled_caught


async def _say_last_word(hub: Hub) -> None:
    with trio.move_on_after(hub.limits.store_call_s):
        await hub.committer.drained()
    try:
        await hub.store.forget_node(hub.incarnation)
    except StoreUnavailable:
        log.warning("the node's record stays in the store until it is too old")


def _greeting(settings: Settings, place: Place) -> str:
    port = place.listeners[0].getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if settings.host in ("0.0.0.0", "::"):  # noqa: S104  # compared, not listened on
        host = "localhost"
    guests = "" if settings.guests_allowed else "  (guests are refused; --allow-guests lets everybody in)\n"
    s = "" if settings.tls_cert is None else "s"
    operators = ""
    if place.operators:
        name, number = place.operators[0].getsockname()[:2]
        operators = f"\n  for operators: http://{f'[{name}]' if ':' in name else name}:{number}/metrics"
    return (
        f"trichat {__version__}, {place.who}, is ready\n{guests}"
        f"  in a browser:  http{s}://{host}:{port}/\n"
        f"  chat by hand:  websocat ws{s}://{host}:{port}/ws\n"
        f'  and then type: {{"type":"join","room":"lobby"}}\n'
        f"  for programs:  http{s}://{host}:{port}/api{operators}"
    )


def _raise_descriptor_limit() -> None:
    """As many descriptors as the system lets us have: one for each connection."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _tune_collector() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
