"""A data directory, and the processes that hold its services."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.embedded.holders import LIVELY_S, Holder, processes_of, within

StartHolder = Callable[..., Holder]
RecordProperty = Callable[[str, object], None]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that everybody may enter (pytest's own are closed to the lesser user)."""
    folder = Path(tempfile.mkdtemp(prefix="trichat-embedded-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(open_folder: Path) -> Path:
    """A data directory that is not there yet."""
    return open_folder / "data"


@pytest.fixture
def start_holder(open_folder: Path) -> Iterator[StartHolder]:
    """Starts holders; at the end of the test they are killed, and nothing of them may be left."""
    holders: list[Holder] = []

    def start(*args: object, **kwargs: object) -> Holder:
        holders.append(Holder(*args, **kwargs, temporary=open_folder))  # type: ignore[arg-type]  # as Holder's own
        return holders[-1]

    yield start
    for holder in holders:
        holder.close()
    within(LIVELY_S, lambda: not processes_of(open_folder))
