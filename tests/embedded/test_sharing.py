"""Two processes on one data directory, and what becomes of the services when one of them ends."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.embedded.conftest import RecordProperty, StartHolder
from tests.embedded.holders import LIVELY_S, answers, only, processes_of, said, say, within
from trichat.core.limits import Limits

#: Seconds from the death of the owner to answering services: promised by the design.
TAKEOVER_S = 5.0


def test_second_process_uses_the_servers_of_the_first(start_holder: StartHolder, data_dir: Path) -> None:
    first = start_holder(data_dir).ready()
    say(first.database_url, "from the first")
    second = start_holder(data_dir).ready()
    assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)
    say(second.database_url, "from the second")
    assert said(first.database_url) == ["from the first", "from the second"]
    only(processes_of(data_dir), "bin/postgres")
    only(processes_of(data_dir), "valkey-server")


def test_two_processes_that_start_at_the_same_time_share(start_holder: StartHolder, data_dir: Path) -> None:
    one, other = start_holder(data_dir), start_holder(data_dir)
    say(one.ready().database_url, "hi")
    assert said(other.ready().database_url) == ["hi"]
    only(processes_of(data_dir), "bin/postgres")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_owner_ends_and_the_other_takes_over(
    start_holder: StartHolder, data_dir: Path, record_property: RecordProperty, number: signal.Signals
) -> None:
    owner = start_holder(data_dir).ready()
    say(owner.database_url, "kept")
    other = start_holder(data_dir).ready()
    began = time.monotonic()
    owner.process.send_signal(number)
    within(LIVELY_S, lambda: "PostgreSQL started" in other.log and "Valkey started" in other.log)
    took = time.monotonic() - began
    record_property("takeover_s", took)
    assert took < TAKEOVER_S  # typically 0.3 s
    assert said(other.database_url) == ["kept"]
    assert answers(other.redis_url)


@pytest.mark.slow
def test_takeover_from_an_owner_whose_postgresql_hangs(start_holder: StartHolder, data_dir: Path) -> None:
    """It cannot follow the signal that it gets at its owner's death, and is killed after a while."""
    owner = start_holder(data_dir).ready()
    say(owner.database_url, "kept")
    other = start_holder(data_dir).ready()
    os.kill(only(processes_of(data_dir), "bin/postgres"), signal.SIGSTOP)
    owner.end(signal.SIGKILL)
    took = within(LIVELY_S, lambda: "PostgreSQL started" in other.log)
    assert Limits().embedded_stop_s < took < TAKEOVER_S
    assert said(other.database_url) == ["kept"]


def test_joiner_that_leaves_changes_nothing(start_holder: StartHolder, data_dir: Path) -> None:
    owner = start_holder(data_dir).ready()
    before = only(processes_of(data_dir), "bin/postgres")
    assert start_holder(data_dir).ready().end(signal.SIGTERM) == 0
    assert only(processes_of(data_dir), "bin/postgres") == before
    assert answers(owner.redis_url)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_last_process(start_holder: StartHolder, data_dir: Path, number: signal.Signals) -> None:
    holder = start_holder(data_dir).ready()
    assert list((data_dir / "run").iterdir())
    code = holder.end(number)
    if number == signal.SIGKILL:
        within(LIVELY_S, lambda: not processes_of(data_dir))
    else:
        assert code == 0
        assert processes_of(data_dir) == {}
    assert list((data_dir / "run").iterdir()) == []
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_interrupt_from_a_terminal_stops_the_servers_in_order(start_holder: StartHolder, data_dir: Path) -> None:
    """Ctrl-C goes to a whole process group: the servers are in another one, or they would end before the node."""
    holder = start_holder(data_dir).ready()
    groups = {os.getpgid(only(processes_of(data_dir), server)) for server in ("bin/postgres", "valkey-server")}
    assert holder.process.pid not in groups
    os.killpg(holder.process.pid, signal.SIGINT)
    assert holder.process.wait(LIVELY_S) == 0
    assert "PostgreSQL stopped" in holder.log
    assert "WARNING" not in holder.log


@pytest.mark.slow
def test_servers_live_on_beside_an_idle_owner_and_die_with_it(start_holder: StartHolder, data_dir: Path) -> None:
    """The kernel's death signal follows a thread: started from a worker, they would die with it after 10 s."""
    holder = start_holder(data_dir).ready()
    before = set(processes_of(data_dir))
    until = time.monotonic() + 15
    within(20, lambda: time.monotonic() > until or "WARNING" in holder.log)
    assert set(processes_of(data_dir)) >= before
    assert "WARNING" not in holder.log
    holder.end(signal.SIGKILL)
    within(LIVELY_S, lambda: not processes_of(data_dir))
