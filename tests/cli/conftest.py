"""An operator with a new database on the newest PostgreSQL."""

from __future__ import annotations

import pytest

from tests.cli.operators import Operator


@pytest.fixture
def op(database_url: str) -> Operator:
    return Operator(database_url)
