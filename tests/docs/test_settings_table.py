"""README.md shows the settings as they are declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from trichat.settings import DECLARED, TABLE_BEGIN, TABLE_END, settings_table

README = Path(__file__).resolve().parents[2] / "README.md"
HOW = f"put what `python -m trichat.settings` prints between {TABLE_BEGIN} and {TABLE_END}"


def test_the_table_has_a_row_for_each_setting() -> None:
    rows = settings_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(DECLARED)
    assert {row.count(" | ") for row in rows} == {4}


def test_the_readme_has_the_table() -> None:
    text = README.read_text("utf-8")
    if text.count(TABLE_BEGIN) != 1 or text.count(TABLE_END) != 1:
        pytest.fail(f"README.md has no place for the table of settings: {HOW}")
    shown = text.partition(TABLE_BEGIN)[2].partition(TABLE_END)[0]
    assert shown.strip() == settings_table().strip(), f"README.md has an old table of settings: {HOW}"
