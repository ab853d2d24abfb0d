"""What the tests of whole systems share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.embedded.holders import processes_of, within

#: Seconds until the embedded servers of a test are gone: ten times the typical.
_GONE_S: Final = 20.0


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory that is not there yet, where everybody may enter (pytest's own are closed to servers)."""
    folder = Path(tempfile.mkdtemp(prefix="trichat-system-"))
    folder.chmod(0o755)
    yield folder / "data"
    within(_GONE_S, lambda: not processes_of(folder / "data"))
    shutil.rmtree(folder)
