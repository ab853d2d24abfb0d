"""`trichat doctor`: what it prints, how it exits, and where it finds the database."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio

from tests.cli.operators import Operator, Ran, on_store
from tests.store.acting import put
from tests.store.examining import Mixed, mentioning, mixed_room
from tests.store.governed import BOB, made
from trichat.cli import build_parser
from trichat.cli.admin import run_at
from trichat.cli.admin.console import Console
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.store import open_postgres_store

BOUND_S = 60


def doctor(database_url: str, *words: str, as_json: bool = False) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    console = Console(io.StringIO(), out, err, str, as_json)
    code = run_at(console, build_parser().parse_args(["doctor", *words, "--database-url", database_url]))
    return Ran(code, out.getvalue(), err.getvalue())


def write(database_url: str, *statements: str) -> None:
    with psycopg.connect(database_url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def mixed(op: Operator) -> Mixed:
    return on_store(op, mixed_room)


def test_where_nothing_differs_it_says_so_and_exits_with_0(database_url: str, mixed: Mixed) -> None:
    ran = doctor(database_url)
    with psycopg.connect(database_url) as connection:
        ((events,),) = connection.execute("SELECT count(*) FROM trichat.events").fetchall()
    assert ran == Ran(0, f"nothing differs: 1 room, {events} events\n", "")


def test_without_a_room_there_is_nothing_to_differ(op: Operator) -> None:
    op.run("users", "list")  # makes the tables
    assert doctor(op.database_url).out == "nothing differs: 0 rooms, 0 events\n"


def test_what_differs_is_one_line_each_that_says_what_to_do_and_it_exits_with_1(
    database_url: str, mixed: Mixed
) -> None:
    room, plain = mixed.room, mixed.plain
    write(
        database_url,
        f"UPDATE trichat.events SET rev = 1 WHERE seq = {plain}",
        "UPDATE trichat.rooms SET last_no = last_no + 2",
        "DELETE FROM trichat.pins",
        "INSERT INTO trichat.reactions SELECT id, 1, '👍', 'u_o''hara', 'o' FROM trichat.rooms",
    )
    ran = doctor(database_url)
    assert (ran.code, ran.err) == (1, "trichat: 4 differences in 1 room\n")
    lines = ran.out.splitlines()
    assert len(lines) == 4
    assert any(line.startswith(f"lobby: rev {plain} is 1, by the log ") for line in lines)
    assert any(
        line.endswith(f"; UPDATE trichat.rooms SET last_no = last_no - 2 WHERE id = {room.id}") for line in lines
    )
    assert any(line.startswith(f"lobby: pins {mixed.edited} is missing: ") for line in lines)
    assert any(line.startswith("lobby: reactions 1, 👍, u_o'hara should not be there; DELETE ") for line in lines)
    for line in lines:
        write(database_url, line.partition("; ")[2])
    assert doctor(database_url).code == 0


def test_a_figure_that_is_wrong_everywhere_is_said_a_hundred_times_and_counted(op: Operator) -> None:
    on_store(op, made)
    write(
        op.database_url,
        "INSERT INTO trichat.pins SELECT id, n, n FROM trichat.rooms, generate_series(1, 130) n",
    )
    ran = doctor(op.database_url)
    lines = ran.out.splitlines()
    assert (len(lines), lines[-1]) == (101, "lobby: 30 more of pins")
    assert ran.err == "trichat: 130 differences in 1 room\n"


def test_for_programs_it_prints_json(database_url: str, mixed: Mixed) -> None:
    clean = doctor(database_url, as_json=True)
    told: dict[str, Any] = json.loads(clean.out)
    assert (clean.code, told["rooms"], told["differences"], told["findings"]) == (0, 1, 0, [])
    write(database_url, "DELETE FROM trichat.pins")
    ran = doctor(database_url, as_json=True)
    told = json.loads(ran.out)
    (finding,) = told["findings"]
    assert ran.code == 1
    assert (finding["room"], finding["what"], finding["key"], finding["stored"]) == (
        "lobby",
        "pins",
        [mixed.edited],
        None,
    )
    assert finding["remedy"].startswith("INSERT INTO trichat.pins ")


def test_one_room_alone_may_be_asked_for(database_url: str, op: Operator, mixed: Mixed) -> None:
    on_store(op, lambda store: mixed_room(store, "other"))
    write(database_url, "DELETE FROM trichat.pins USING trichat.rooms WHERE id = room_id AND name = 'other'")
    assert doctor(database_url, "--room", "Lobby").code == 0
    assert doctor(database_url, "--room", "other").code == 1
    assert doctor(database_url).err == "trichat: 1 difference in 2 rooms\n"
    assert doctor(database_url, "--room", "none") == Ran(1, "", "trichat: there is no room none\n")


async def test_it_works_beside_a_server(database_url: str) -> None:
    async with open_postgres_store(database_url, Limits(), chance=Chance()) as store:
        mixed = await mixed_room(store)
        ran = await run_process("--database-url", database_url)
        await put(store, mentioning(mixed.room, BOB))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("nothing differs: 1 room, ")


async def test_a_database_that_is_not_there_exits_with_1(database_url: str) -> None:
    ran = await run_process("--database-url", "postgresql://127.0.0.1:1/none")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("trichat: ")


async def test_where_no_server_ever_was_none_is_made(tmp_path: Path) -> None:
    ran = await run_process("--data-dir", str(tmp_path / "no-data"))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"trichat: there is no database in {tmp_path / 'no-data'}; say --data-dir or --database-url\n"
    assert not await trio.Path(tmp_path / "no-data").exists()


async def run_process(*words: str) -> subprocess.CompletedProcess[str]:
    return await trio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-m", "trichat", "doctor", *words],
            capture_output=True, text=True, timeout=BOUND_S, check=False,
        )
    )  # fmt: skip
