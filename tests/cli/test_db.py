"""`trichat db`: what it prints, how it exits, and what it does to the database."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio

from tests.cli.operators import Operator, Ran, on_store
from tests.store.conftest import open_room, said
from tests.store.governed import made
from trichat.chat.ports import Store
from trichat.cli import build_parser
from trichat.cli.admin import run_at
from trichat.cli.admin.console import Console
from trichat.store.migrations import migrations
from trichat.store.schema import SCHEMA_VERSION

OLD = Path(__file__).parents[1] / "store" / "schemas" / "0003.sql"
TITLES = [one.title for one in migrations()]


def db(database_url: str, *words: str, inp: str = "", as_json: bool = False) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    console = Console(io.StringIO(inp), out, err, str, as_json)
    code = run_at(console, build_parser().parse_args(["db", *words, "--database-url", database_url]))
    return Ran(code, out.getvalue(), err.getvalue())


def execute(database_url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def old_url(database_url: str) -> str:
    """A database of version 3."""
    execute(database_url, OLD.read_text("utf-8"))
    return database_url


def test_an_older_database_is_upgraded_and_says_so(old_url: str) -> None:
    needs = f"trichat: the database has version 3 of the schema, this trichat needs version {SCHEMA_VERSION}"
    assert db(old_url, "status") == Ran(
        1, "".join(f"pending: {title}\n" for title in TITLES), f"{needs}: type trichat db upgrade\n"
    )
    has = f"the database has version {SCHEMA_VERSION} of the schema"
    assert db(old_url, "upgrade") == Ran(0, "".join(f"applied: {title}\n" for title in TITLES) + f"{has}\n", "")
    assert db(old_url, "status") == Ran(0, f"{has}\n", "")
    assert db(old_url, "upgrade") == Ran(0, f"{has}: there was nothing to do\n", "")


def test_other_commands_on_an_older_database_say_what_to_type(old_url: str) -> None:
    assert Operator(old_url).fails("users", "list").endswith(": type trichat db upgrade")
    assert db(old_url, "new-epoch", "--yes").err.endswith(": type trichat db upgrade\n")


def test_for_programs_it_prints_json(old_url: str) -> None:
    status = db(old_url, "status", as_json=True)
    assert (status.code, json.loads(status.out)) == (
        1, {"version": 3, "compatible_from": 3, "needed": SCHEMA_VERSION, "pending": TITLES, "fits": False}
    )  # fmt: skip
    upgraded = db(old_url, "upgrade", as_json=True)
    assert (upgraded.code, json.loads(upgraded.out)) == (
        0, {"version": SCHEMA_VERSION, "applied": TITLES, "made": False}
    )  # fmt: skip
    status = db(old_url, "status", as_json=True)
    told = json.loads(status.out)
    assert (status.code, told["version"], told["pending"], told["fits"]) == (0, SCHEMA_VERSION, [], True)


def test_an_empty_database_gets_the_tables(database_url: str) -> None:
    status = db(database_url, "status")
    assert (status.code, status.out) == (1, "")
    assert status.err.startswith("trichat: the database has no tables of trichat yet: type ")
    assert json.loads(db(database_url, "status", as_json=True).out)["version"] is None
    assert db(database_url, "new-epoch", "--yes").err == "trichat: the database has no tables of trichat\n"
    assert db(database_url, "upgrade") == Ran(0, f"the database has version {SCHEMA_VERSION} of the schema\n", "")
    assert db(database_url, "status").code == 0


def test_a_newer_database_is_left_alone(database_url: str) -> None:
    db(database_url, "upgrade")
    execute(database_url, f"UPDATE trichat.meta SET version = 77, compatible_from = {SCHEMA_VERSION}")
    status = db(database_url, "status")
    assert (status.code, status.out) == (
        0, "the database has version 77 of the schema, newer than this trichat, which may run on it\n"
    )  # fmt: skip
    assert db(database_url, "upgrade").out == "the database has version 77 of the schema: there was nothing to do\n"
    execute(database_url, f"UPDATE trichat.meta SET compatible_from = {SCHEMA_VERSION + 1}")
    refused = f"needs version {SCHEMA_VERSION}: run a trichat that knows version {SCHEMA_VERSION + 1}"
    for verb in ("status", "upgrade"):
        ran = db(database_url, verb)
        assert (ran.code, ran.out) == (1, "")
        assert refused in ran.err
    assert execute(database_url, "SELECT version FROM trichat.meta") == [(77,)]


def test_a_database_before_the_oldest_is_refused(old_url: str) -> None:
    execute(old_url, "UPDATE trichat.meta SET version = 2")
    for verb in ("status", "upgrade"):
        ran = db(old_url, verb)
        assert (ran.code, ran.out) == (1, "")
        assert "version 2 was never released; begin with an empty database" in ran.err


def test_a_new_epoch_is_asked_for_and_is_another_one_for_each_room(op: Operator) -> None:
    async def talk(store: Store) -> None:
        for name in ("attic", "cellar"):
            await store.append([said(await open_room(store, name))])
        await made(store, "shed", kind="direct")

    on_store(op, talk)
    heads = "SELECT name, last_seq FROM trichat.rooms ORDER BY id"
    epochs = "SELECT epoch FROM trichat.rooms ORDER BY id"
    before = (execute(op.database_url, heads), execute(op.database_url, epochs))
    changes = "SELECT changes FROM trichat.meta"
    ((counted,),) = execute(op.database_url, changes)

    refused = db(op.database_url, "new-epoch", inp="no\n")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.endswith("trichat: not confirmed: nothing was done\n")
    assert execute(op.database_url, epochs) == before[1]

    done = db(op.database_url, "new-epoch", inp="yes\n")
    assert (done.code, done.out) == (0, "3 rooms have a new epoch: clients that come back with an old one are told\n")
    after = execute(op.database_url, epochs)
    assert len({*before[1], *after}) == 6
    assert execute(op.database_url, heads) == before[0]
    assert execute(op.database_url, changes)[0][0] > counted + 1_000_000  # no node has counted so far
    assert op.acts()[-1] == "new_epoch"
    assert json.loads(db(op.database_url, "new-epoch", "--yes", as_json=True).out) == {"rooms": 3}
    assert execute(op.database_url, epochs) != after


async def test_where_no_server_ever_was_none_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "no-data"
    ran = await trio.run_process(
        [sys.executable, "-m", "trichat", "db", "upgrade", "--data-dir", str(folder)],
        capture_stdout=True, capture_stderr=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert b"there is no database in" in ran.stderr
    assert not folder.exists()
