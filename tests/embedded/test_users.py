"""As root and as an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

import pytest

from tests.embedded.conftest import StartHolder
from tests.embedded.holders import LIVELY_S, ROOT, SIGTERM, answers, only, processes_of, said, say
from trichat.core.limits import Limits
from trichat.embedded import Account, PostgresServer, find_postgres, finish, open_home
from trichat.embedded.home import account_of, first_unreachable
from trichat.embedded.programs import PostgresPrograms

pytestmark = pytest.mark.skipif(not ROOT, reason="only root becomes somebody else; the other tests run as you")

ANN = account_of(pwd.getpwnam("daemon").pw_uid)
NAMELESS = Account(4_711, 4_711, None)


@pytest.fixture
def anns_dir(data_dir: Path) -> Path:
    shut = first_unreachable(find_postgres().root, ANN)
    if shut is not None:
        pytest.skip(f"an ordinary user cannot run what is installed below {shut}")
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, ANN.uid, ANN.gid)
    return data_dir


def test_user_without_a_name_is_told_that_initdb_needs_one(start_holder: StartHolder, data_dir: Path) -> None:
    data_dir.mkdir()
    os.chown(data_dir, NAMELESS.uid, NAMELESS.gid)
    holder = start_holder(data_dir, user=NAMELESS)
    assert holder.process.wait(LIVELY_S) == 2
    assert "uid 4711 has no entry in /etc/passwd" in holder.log


def test_ordinary_user_runs_the_servers_as_themselves(start_holder: StartHolder, anns_dir: Path) -> None:
    holder = start_holder(anns_dir, user=ANN).ready()
    say(holder.database_url, "hi")
    assert answers(holder.redis_url)
    servers = processes_of(anns_dir)
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in servers} == {ANN.uid}
    assert holder.end(SIGTERM) == 0
    assert processes_of(anns_dir) == {}


def test_root_runs_the_servers_as_a_lesser_user(start_holder: StartHolder, data_dir: Path) -> None:
    holder = start_holder(data_dir).ready()
    say(holder.database_url, "hi")
    for server in ("bin/postgres", "valkey-server"):
        status = Path(f"/proc/{only(processes_of(data_dir), server)}/status").read_text()
        uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
        assert uids == [str(data_dir.stat().st_uid)] * 4
        assert uids[0] != "0"
        assert "Groups:\t \n" in status


def test_programs_that_the_lesser_user_cannot_reach_are_copied(open_folder: Path, data_dir: Path) -> None:
    """As with a virtual environment below /root."""
    shut = open_folder / "shut"
    shut.mkdir(mode=0o700)
    found = find_postgres()
    site = found.root.parent.parent
    for part in (found.root, found.libraries):
        assert part is not None
        shutil.copytree(part, shut / part.relative_to(site))
    libraries = shut / found.libraries.relative_to(site) if found.libraries else None
    server = PostgresServer(
        open_home(data_dir), PostgresPrograms(shut / found.root.relative_to(site), found.major, libraries), Limits()
    )
    for _ in range(2):
        finish(server.starting())
        program = Path(f"/proc/{min(server.pids())}/exe").resolve()
        finish(server.stopping())
        assert program.is_relative_to(data_dir / "programs")


def test_root_keeps_to_the_user_whose_data_it_is(start_holder: StartHolder, anns_dir: Path) -> None:
    anns = start_holder(anns_dir, user=ANN).ready()
    say(anns.database_url, "from ann")
    assert anns.end(SIGTERM) == 0
    roots = start_holder(anns_dir).ready()
    assert said(roots.database_url) == ["from ann"]
    say(roots.database_url, "from root")
    assert roots.end(SIGTERM) == 0
    assert said(start_holder(anns_dir, user=ANN).ready().database_url) == ["from ann", "from root"]
