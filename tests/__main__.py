"""`python -m tests`: format, lint, types, import walls, tests; stops at the first that fails.

`--fast` leaves out the tests marked slow; all other arguments go to pytest.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_LINT_IMPORTS = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


def main(arguments: list[str]) -> int:
    for heading, command in checks(arguments):
        print(f"== {heading}", flush=True)
        code = subprocess.run([sys.executable, *command], cwd=ROOT, check=False).returncode
        if code != 0:
            return code if code > 0 else 128 - code  # ended by a signal: as shells say it
    return 0


def checks(arguments: list[str]) -> list[tuple[str, list[str]]]:
    """Each check's heading and what this interpreter is to run; the tests come last, with the closing line."""
    chosen = [argument for argument in arguments if argument != "--fast"]
    if "--fast" in arguments:
        chosen += ["-m", "not slow"]
    return [
        ("format", ["-m", "ruff", "format", "--check"]),
        ("lint", ["-m", "ruff", "check"]),
        ("types", ["-m", "mypy"]),
        ("import walls", ["-c", _LINT_IMPORTS]),
        ("tests", ["-m", "pytest", *chosen]),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
