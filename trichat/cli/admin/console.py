"""What `trichat admin` reads and prints: tables and sentences for people, JSON for programs, and passwords."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from msgspec import Struct

from trichat.cli.screen import visible

Row = Mapping[str, object]


class Failed(Exception):
    """What was asked for cannot be done, in words for the operator."""


class Console(Struct, frozen=True):
    """Where the operator sits. Nothing that others wrote reaches a terminal as it is: controls become escapes.

    JSON is ASCII alone, for the same reason. `ask_hidden` asks without showing what is typed (getpass).
    """

    inp: TextIO
    out: TextIO
    err: TextIO
    ask_hidden: Callable[[str], str]
    as_json: bool = False

    def rows(self, columns: Sequence[str], rows: Sequence[Row], nothing: str) -> None:
        """A table of these columns, or `nothing` when it is empty; as JSON an array with all that the rows hold."""
        if self.as_json:
            self.write(_json(rows))
        elif not rows:
            self.say(nothing)
        else:
            self._table(columns, rows)

    def done(self, said: str, **row: object) -> None:
        """What was done, as a sentence; as JSON an object."""
        if self.as_json:
            self.write(_json(row))
        else:
            self.write(said)

    def say(self, text: str) -> None:
        """Beside the output: what is not what was asked for."""
        print(visible(text), file=self.err, flush=True)

    def write(self, text: str) -> None:
        """One line of the output, or several that are ours."""
        print("\n".join(map(visible, text.split("\n"))), file=self.out, flush=True)

    def confirm(self, question: str, answer: str) -> None:
        """Returns when `answer` was typed. Raises Failed."""
        print(visible(question), end=" ", file=self.err, flush=True)
        if self.inp.readline().strip() != answer:
            raise Failed("not confirmed: nothing was done")

    def new_password(self, *, from_input: bool) -> str:
        """A password typed twice, or the first line of the input. Raises Failed."""
        if from_input:
            line = self.inp.readline()
            if not line:
                raise Failed("no password came on standard input")
            return line.rstrip("\r\n")
        password = self.ask_hidden("New password: ")
        if self.ask_hidden("The same again: ") != password:
            raise Failed("the two are not the same: nothing was done")
        return password

    def _table(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        cells = [list(columns), *([_cell(row[column]) for column in columns] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for line in cells:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print("  ".join(padded).rstrip(), file=self.out)
        self.out.flush()


def _json(value: object) -> str:
    return json.dumps(value, indent=2)


def _cell(value: object) -> str:
    match value:
        case None | False:
            return ""
        case True:
            return "yes"
        case list():
            return ", ".join(visible(str(each)) for each in value)
    return visible(str(value))
