"""What the tests of the edge share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.nodes import Node, make_twins, open_twin_node


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A node over the twins, on a real port."""
    async with open_twin_node(make_twins(), listening=True) as node:
        yield node


@pytest.fixture
def no_bugs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The server never says that a bug ended a connection."""
    yield
    errors = [
        record for when in ("setup", "call") for record in caplog.get_records(when) if record.levelname == "ERROR"
    ]
    assert not errors, errors[0].getMessage()
