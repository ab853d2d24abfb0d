from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ConfigFile = Callable[[str], Path]


@pytest.fixture
def config_file(tmp_path: Path) -> ConfigFile:
    """Writes a configuration file with the given text."""

    def write(content: str) -> Path:
        path = tmp_path / "trichat.toml"
        path.write_text(content, "utf-8")
        return path

    return write
