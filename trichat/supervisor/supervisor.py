"""The supervisor: takes the ports and the embedded services, keeps a node in each slot, and ends with all of them.

It knows of a worker only its greeting and its end, so nothing that goes wrong in one can go wrong here.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator
from typing import Final

import trio
from msgspec import structs

from trichat.chat.ports import StoreUnavailable, StoreUnusable
from trichat.embedded import EmbeddedUnusable, open_where_not_given
from trichat.settings import Settings
from trichat.supervisor.crew import Crew
from trichat.supervisor.ports import Ports
from trichat.supervisor.process import WorkerProcess, start_worker
from trichat.supervisor.slot import Slot, WorkersUnusable

log = logging.getLogger("trichat.supervisor")

_NAME_CHARS: Final = 64  # of a node's name, as the settings have it
_LAST_PORT: Final = 65_535


def run(settings: Settings) -> int:
    """Run `settings.workers` nodes until told to stop by SIGTERM or SIGINT. Returns the exit code of the process.

    0: all nodes stopped in order; 1: one did not, or could not be run.
    """
    try:
        return trio.run(supervise, settings)
    except* (WorkersUnusable, EmbeddedUnusable, StoreUnavailable, StoreUnusable, OSError) as group:
        for error in _leaves(group):
            print(f"trichat: {error}", file=sys.stderr)
    return 1


async def supervise(settings: Settings) -> int:
    """The supervisor, inside Trio."""
    _check_operators_ports(settings)
    with (
        contextlib.closing(Ports(settings)) as ports,
        trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals,
    ):
        crew = Crew(settings.limits(), close_ports=ports.close)
        async with trio.open_nursery() as life:
            life.start_soon(_obey, signals, crew, life.cancel_scope)
            async with open_where_not_given(settings.data_dir, settings.database_url, settings.redis_url) as urls:
                if settings.database_url is None:
                    await _upgrade(urls[0], settings)
                given = structs.replace(settings, database_url=urls[0], redis_url=urls[1])
                await crew.run(_slots(given, crew, ports, upgrades=settings.database_url is None))
            life.cancel_scope.cancel(reason="all workers have ended")
    return 1 if crew.cut_off else 0


async def _upgrade(database_url: str, settings: Settings) -> None:
    from trichat.store.upkeep import upgrade_by_itself  # noqa: PLC0415  the supervisor stays small without it

    await upgrade_by_itself(database_url, settings.limits())


async def _obey(signals: AsyncIterator[int], crew: Crew, everything: trio.CancelScope) -> None:
    """Do what the signals say. Lives until cancelled."""
    async for number in signals:
        log.info("told by %s", signal.Signals(number).name)
        if number == signal.SIGHUP:
            crew.roll()
        elif crew.slots:
            crew.stop()
        else:
            everything.cancel(reason="told to stop before there were workers")


def _slots(settings: Settings, crew: Crew, ports: Ports, *, upgrades: bool) -> list[Slot]:
    names = [_name(settings.node_id, number) for number in range(1, settings.workers + 1)]
    who = f"nodes {names[0]} to {names[-1]}"

    def slot(number: int) -> Slot:
        def renew() -> None:
            # where no node lives the sockets stay: the last ones keep the port ours
            if (living := crew.serving()) is not None:
                ports.renew(number, beside=living)

        def start() -> WorkerProcess:
            own = structs.replace(settings, node_id=names[number])
            listeners, operators = ports.public(number), ports.operators(number)
            return start_worker(own, who, upgrades=upgrades, listeners=listeners, operators=operators)

        return Slot(names[number], settings.limits(), start=start, renew=renew)

    return [slot(number) for number in range(settings.workers)]


def _name(node_id: str, number: int) -> str:
    ending = f"-{number}"
    return node_id[: _NAME_CHARS - len(ending)] + ending


def _check_operators_ports(settings: Settings) -> None:
    if settings.admin_port is not None and settings.admin_port + settings.workers - 1 > _LAST_PORT:
        raise WorkersUnusable(
            f"--admin-port {settings.admin_port} is too high for {settings.workers} workers, of which each takes a port"
        )


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
