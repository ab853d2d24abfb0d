"""Starting the embedded services, and finding again what was kept."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import unquote

import psycopg
import pytest

from tests.embedded.conftest import RecordProperty, StartHolder
from tests.embedded.holders import SIGTERM, answers, processes_of, said, say


def test_first_start_is_quick_and_the_directory_private(
    start_holder: StartHolder, data_dir: Path, record_property: RecordProperty
) -> None:
    holder = start_holder(data_dir).ready()
    took = time.monotonic() - holder.began
    record_property("first_start_s", took)
    assert took < 10  # typically 0.9 s, Python's own start included
    assert answers(holder.redis_url)
    assert data_dir.stat().st_mode & 0o777 == 0o700


def test_what_is_acknowledged_is_on_disk_and_sorted_by_code_point(start_holder: StartHolder, data_dir: Path) -> None:
    holder = start_holder(data_dir, ["postgres"]).ready()
    with psycopg.connect(holder.database_url) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}".encode()).fetchone() == ("on",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SELECT 'Z' < 'a', 'z' < 'é', upper('é')").fetchone() == (True, True, "É")


def test_later_start_is_quicker_and_finds_the_data(
    start_holder: StartHolder, data_dir: Path, record_property: RecordProperty
) -> None:
    first = start_holder(data_dir).ready()
    say(first.database_url, "kept")
    assert first.end(SIGTERM) == 0
    later = start_holder(data_dir).ready()
    took = time.monotonic() - later.began
    record_property("later_start_s", took)
    assert took < 5  # typically 0.45 s, Python's own start included
    assert later.database_url == first.database_url
    assert said(later.database_url) == ["kept"]


@pytest.mark.parametrize("name", ["x" * 60 + "/" + "y" * 60, "comma, and 'blank'"])
def test_directory_whose_name_does_not_do_for_sockets(start_holder: StartHolder, open_folder: Path, name: str) -> None:
    data_dir = open_folder / name
    holder = start_holder(data_dir).ready()
    say(holder.database_url, "hi")
    assert answers(holder.redis_url)
    assert said(start_holder(data_dir).ready().database_url) == ["hi"]


def test_sockets_elsewhere_are_private_and_go_at_the_end(start_holder: StartHolder, open_folder: Path) -> None:
    data_dir = open_folder / ("x" * 100)
    holder = start_holder(data_dir).ready()
    folder = Path(unquote(holder.redis_url.removeprefix("unix://"))).parent
    assert not folder.is_relative_to(data_dir)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert holder.end(SIGTERM) == 0
    assert not folder.exists()


def test_only_what_is_wanted_is_started_and_the_rest_when_another_wants_it(
    start_holder: StartHolder, data_dir: Path
) -> None:
    start_holder(data_dir, ["redis"]).ready()
    assert not any(
        "postgres" in arguments for arguments in processes_of(data_dir).values() if "holder" not in arguments
    )
    both = start_holder(data_dir).ready()
    say(both.database_url, "hi")
    assert answers(both.redis_url)
