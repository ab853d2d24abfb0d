"""What the tests of the terminal chat share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.client.terminal import Open, Terminal


@pytest.fixture
def terminal() -> Iterator[Open]:
    opened: list[Terminal] = []

    def make(*arguments: str, token_file: Path | None = None, environ: Mapping[str, str] | None = None) -> Terminal:
        opened.append(Terminal(*arguments, token_file=token_file, environ=environ))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
