"""What the tests of the edge share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.nodes import Node, make_twins, open_twin_node


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A node over the twins, on a real port."""
    async with open_twin_node(make_twins(), listening=True) as node:
        yield node
