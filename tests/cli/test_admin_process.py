"""`trichat admin` as a process: where it finds the database, its exit codes, and the embedded PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trio

from trichat.embedded import open_embedded

BOUND_S = 60  # ten times what a first start of PostgreSQL may take on a busy machine


def admin(*words: str, inp: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TRICHAT_")}
    return subprocess.run(
        [sys.executable, "-m", "trichat", "admin", *words],
        env=environ | variables, input=inp, capture_output=True, text=True, timeout=BOUND_S, check=False,
    )  # fmt: skip


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that the lesser user of the embedded servers can reach, which pytest's own is not under root."""
    directory = Path(tempfile.mkdtemp(prefix="trichat-test-"))
    yield directory
    shutil.rmtree(directory)


def test_the_database_may_be_named_by_a_variable_and_by_a_file(database_url: str, tmp_path: Path) -> None:
    added = admin("users", "add", "ann", "--password-stdin", inp="a good one\n", TRICHAT_DATABASE_URL=database_url)
    assert (added.returncode, added.stderr) == (0, "")
    config = tmp_path / "chat.toml"
    config.write_text(f"database_url = {json.dumps(database_url)}\nport = 1")
    for listed in (
        admin("--json", "--config", str(config), "users", "list"),
        admin("users", "list", "--json", TRICHAT_CONFIG=str(config)),
    ):
        assert (listed.returncode, listed.stderr) == (0, "")
        assert [user["name"] for user in json.loads(listed.stdout)] == ["ann"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: WHAT"),
        (["users"], "the following arguments are required: VERB"),
        (["users", "add"], "the following arguments are required: NAME"),
        (["users", "add", "ann", "--password", "secret"], "unrecognized arguments: --password secret"),
        (["users", "add", "ann", "--no-password", "--password-stdin"], "not allowed with argument"),
        (["sessions", "revoke", "ann"], "one of the arguments ID --all is required"),
        (["sessions", "revoke", "ann", "k_1", "--all"], "not allowed with argument"),
        (["keys", "add", "beep"], "the following arguments are required: --scope"),
        (["keys", "add", "beep", "--scope", "fly"], "invalid choice: 'fly'"),
        (["bans", "add", "lobby", "ann", "--for", "0"], "a number from 1 to"),
        (["secrets", "drop", "x"], "argument N: a number from 1 to"),
        (["users", "list", "--database-url", "mysql://x"], "--database-url: the URL does not begin with postgresql://"),
        (["users", "list", "--config", "none.toml"], "none.toml cannot be read"),
    ],
)
def test_a_wrong_command_line_exits_with_2_and_says_why(words: list[str], said: str) -> None:
    ran = admin(*words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr


def test_a_database_that_cannot_be_used_exits_with_1_and_says_what_to_do(database_url: str) -> None:
    assert admin("users", "list", "--database-url", database_url).returncode == 0
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE trichat.meta SET version = 999, compatible_from = 999")
    ran = admin("users", "list", "--database-url", database_url)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("trichat: the database has version 999 of the schema")
    assert ran.stderr.count("\n") == 1


def test_without_a_database_the_embedded_one_is_started_for_the_time_of_the_command(data_dir: Path) -> None:
    added = admin("users", "add", "ann", "--no-password", "--data-dir", str(data_dir))
    assert (added.returncode, added.stderr) == (0, "")
    listed = admin("users", "list", "--json", TRICHAT_DATA_DIR=str(data_dir))
    assert [user["name"] for user in json.loads(listed.stdout)] == ["ann"]


async def test_beside_a_running_server_its_database_is_used(data_dir: Path) -> None:
    async with open_embedded(data_dir, want_redis=False) as running:
        added = await trio.to_thread.run_sync(
            lambda: admin("users", "add", "ann", "--no-password", "--data-dir", str(data_dir))
        )
        assert (added.returncode, added.stderr) == (0, "")
        assert running.database_url is not None
        with psycopg.connect(running.database_url) as connection:  # which still runs
            assert connection.execute("SELECT name FROM trichat.users").fetchall() == [("ann",)]


def test_a_data_folder_that_cannot_be_used_exits_with_1(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    ran = admin("users", "list", "--data-dir", str(file))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("trichat: ")
    assert "Traceback" not in ran.stderr
