"""The log: stdlib logging, one line a record on stderr, as text or as JSON.

The rule of what is logged: no text of a message, no token, no password, ever; of people only their names
and identifiers. What comes from outside goes into a field (`extra={"reason": …}`), not into the message.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import unicodedata
from typing import Final, Literal

from trichat.core.codec import format_ts

#: What every record has; anything else in it is a field that the caller gave.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: Controls, invisible and bidirectional characters, surrogates, line and paragraph separators.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_TRACE_MARGIN: Final = "    | "  # before each line of a traceback: none of them can pass for a record


def set_up_logging(level: Literal["debug", "info", "warning", "error"], format: Literal["text", "json"]) -> None:
    """Send all records from `level` on to stderr, Python's warnings too. Replaces what was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)


class TextFormatter(logging.Formatter):
    """`2026-11-24T06:50:00.123Z INFO trichat.embedded message key=value`, a traceback in a margin below."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_ts(record)} {record.levelname} {escape(record.name)} {escape(record.getMessage())}"
        line += "".join(f" {escape(key)}={_value(value)}" for key, value in _fields(record).items())
        return line + "".join(f"\n{_TRACE_MARGIN}{escape(row)}" for row in _trace(self, record).split("\n") if row)


class JsonFormatter(logging.Formatter):
    """One object a line: `ts`, `level`, `logger`, `message`, the caller's fields, `exception`. ASCII only."""

    def format(self, record: logging.LogRecord) -> str:
        whole: dict[str, object] = {
            "ts": _ts(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := _trace(self, record):
            whole["exception"] = trace
        for key, value in _fields(record).items():
            whole[f"{key}_" if key in whole else key] = _plain(value)
        return json.dumps(whole, separators=(",", ":"))


def escape(text: str) -> str:
    """`text` on one line: whatever is not seen is written as an escape, so that nobody forges a record."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _UNSEEN else c for c in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _value(value: object) -> str:
    """A field's value; in quotes where it could be taken for something else."""
    text = str(value)
    if text and not any(c.isspace() or c in '"=\\' for c in text):
        return escape(text)
    return '"' + escape(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _plain(value: object) -> object:
    """A field's value as JSON has it; what JSON does not know is written as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int) else str(value)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback and the stack of the record, if it has any."""
    trace = formatter.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
    return "\n".join(part for part in (trace, record.stack_info) if part)


def _ts(record: logging.LogRecord) -> str:
    return format_ts(int(record.created * 1000))
