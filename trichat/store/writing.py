"""Transactions whose end means that they are on disk, whatever the server's setting says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trichat.store.connection import Connection

# as in trichat.append: remote_apply is more than on, and stays
_COMMIT_TO_DISK: Final = """
    SELECT set_config('synchronous_commit', 'on', true)
    WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')
"""


@contextmanager
def durably(connection: Connection) -> Iterator[None]:
    """A transaction; after the block it is committed and on disk: what was ended stays ended after a crash."""
    with connection.transaction():
        connection.execute(_COMMIT_TO_DISK)
        yield
