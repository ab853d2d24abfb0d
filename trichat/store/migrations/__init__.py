"""The way from one version of the schema to the next: NNNN_name.sql, in this folder, makes version NNNN.

Each file is one transaction, names everything in full, and ends by writing into `trichat.meta`:

- `version`: its own number;
- `compatible_from`: the oldest version whose trichat may run on the database from then on. While nodes of the version
  before may live, a migration only adds: columns that are nullable or have a default, tables, indexes, functions that
  take the old calls. What is needed no more is removed by a later one, which then says so here;
- `applied_at`: now().

It keeps locks until it ends, so it does nothing that takes long to a table that is large.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

_FOLDER: Final = Path(__file__).parent
_FILE_NAME: Final = re.compile(r"(?P<version>\d{4})_(?P<name>\w+)\.sql")


class Migration(Struct, frozen=True):
    """What makes `version` of the one before. `title` is the file's name without its ending."""

    version: int
    title: str
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """All of them, in the order of their versions."""
    return read_migrations(_FOLDER)


def read_migrations(folder: Path) -> tuple[Migration, ...]:
    """Those in `folder`, in the order of their versions, which follow each other."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        matched = _FILE_NAME.fullmatch(path.name)
        assert matched, f"{path.name} is not called NNNN_name.sql"
        found.append(Migration(int(matched["version"]), path.stem, path.read_text("utf-8")))
    versions = [one.version for one in found]
    assert versions == list(range(versions[0], versions[0] + len(versions))), f"there is a gap in {versions}"
    return tuple(found)
