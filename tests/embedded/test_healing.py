"""Servers that die, and what crashes leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.embedded.conftest import RecordProperty, StartHolder
from tests.embedded.holders import LIVELY_S, ROOT, answers, only, processes_of, said, say, within
from trichat.embedded.processes import signal_all


def test_killed_postgresql_is_started_again(
    start_holder: StartHolder, data_dir: Path, record_property: RecordProperty
) -> None:
    holder = start_holder(data_dir).ready()
    say(holder.database_url, "kept")
    os.kill(only(processes_of(data_dir), "bin/postgres"), signal.SIGKILL)
    within(LIVELY_S, lambda: "PostgreSQL was ended by SIGKILL: starting it again" in holder.log)
    record_property("restart_s", within(LIVELY_S, lambda: said(holder.database_url) == ["kept"]))
    assert "ERROR" not in holder.log


def test_killed_valkey_is_started_again(start_holder: StartHolder, data_dir: Path) -> None:
    holder = start_holder(data_dir).ready()
    os.kill(only(processes_of(data_dir), "valkey-server"), signal.SIGKILL)
    within(LIVELY_S, lambda: "Valkey was ended by SIGKILL: starting it again" in holder.log)
    within(LIVELY_S, lambda: answers(holder.redis_url))


def test_killed_again_and_again(start_holder: StartHolder, data_dir: Path) -> None:
    holder = start_holder(data_dir, ["redis"]).ready()
    for _ in range(3):
        within(LIVELY_S, lambda: answers(holder.redis_url))
        os.kill(only(processes_of(data_dir), "valkey-server"), signal.SIGKILL)
    within(LIVELY_S, lambda: answers(holder.redis_url))


def test_failing_restart_is_told_and_tried_until_it_succeeds(start_holder: StartHolder, data_dir: Path) -> None:
    holder = start_holder(data_dir, ["postgres"]).ready()
    say(holder.database_url, "kept")
    control = data_dir / "postgres" / "global" / "pg_control"
    control.rename(data_dir / "pg_control")
    os.kill(only(processes_of(data_dir), "bin/postgres"), signal.SIGKILL)
    within(LIVELY_S, lambda: "could not find the database system" in holder.log)
    (data_dir / "pg_control").rename(control)
    within(LIVELY_S, lambda: said(holder.database_url) == ["kept"])


def test_everything_was_killed_and_its_pid_is_a_strangers_now(start_holder: StartHolder, data_dir: Path) -> None:
    holder = start_holder(data_dir).ready()
    say(holder.database_url, "kept")
    os.kill(holder.process.pid, signal.SIGSTOP)
    os.kill(only(processes_of(data_dir), "bin/postgres"), signal.SIGKILL)
    signal_all(processes_of(data_dir), signal.SIGKILL)
    within(LIVELY_S, lambda: not processes_of(data_dir))
    pid_file = data_dir / "postgres" / "postmaster.pid"
    owner = pid_file.stat().st_uid
    with subprocess.Popen(["sleep", "600"], user=owner if ROOT else None) as stranger:
        try:
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
            again = start_holder(data_dir).ready()
            assert said(again.database_url) == ["kept"]
            assert answers(again.redis_url)
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.parametrize("when", ["running bootstrap script", "syncing data"])
def test_killed_while_it_makes_the_cluster(start_holder: StartHolder, data_dir: Path, when: str) -> None:
    first = start_holder(data_dir, ["postgres"])
    log = data_dir / "postgres.log"
    within(LIVELY_S, lambda: log.exists() and when in log.read_text())
    first.end(signal.SIGKILL)
    again = start_holder(data_dir, ["postgres"]).ready()
    say(again.database_url, "hi")
    assert [path.name for path in data_dir.glob("postgres.new-*")] == []
