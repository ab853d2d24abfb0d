"""The log: stdlib's loggers, rendered by structlog, one line a record on stderr, as text or as JSON.

While a connection is served, every record carries its `connection`, and while an HTTP request is, its `request`: the
door binds them as context variables (structlog.contextvars), which tasks and threads of Trio take along.

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

from structlog.contextvars import merge_contextvars
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from trichat.core.codec import format_ts

#: What every record has; anything else in it is a field that the caller gave.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: What structlog adds of its own to what the context holds.
_OF_STRUCTLOG: Final = frozenset({"event", "_record", "_from_structlog", "exc_info", "stack_info"})
#: Controls, invisible and bidirectional characters, surrogates, line and paragraph separators.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PLAIN: Final = logging.Formatter()
_TRACE_MARGIN: Final = "    | "  # before each line of a traceback: none of them can pass for a record


def set_up_logging(level: Literal["debug", "info", "warning", "error"], format: Literal["text", "json"]) -> None:
    """Send all records from `level` on to stderr, Python's warnings too. Replaces what was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)


class _Formatter(ProcessorFormatter):
    """Renders records of stdlib's loggers, with what the context holds."""

    def __init__(self, renderer: Processor) -> None:
        super().__init__(processors=[renderer], foreign_pre_chain=[merge_contextvars])


class TextFormatter(_Formatter):
    """`2026-11-24T06:50:00.123Z INFO trichat.embedded message key=value`, a traceback in a margin below."""

    def __init__(self) -> None:
        super().__init__(_as_text)


class JsonFormatter(_Formatter):
    """One object a line: `ts`, `level`, `logger`, `message`, the caller's fields, `exception`. ASCII only."""

    def __init__(self) -> None:
        super().__init__(_as_json)


def _as_text(_: WrappedLogger, __: str, event: EventDict) -> str:
    record: logging.LogRecord = event["_record"]
    line = f"{_ts(record)} {record.levelname} {escape(record.name)} {escape(event['event'])}"
    line += "".join(f" {escape(key)}={_value(value)}" for key, value in _fields(event).items())
    return line + "".join(f"\n{_TRACE_MARGIN}{escape(row)}" for row in _trace(event).split("\n") if row)


def _as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    record: logging.LogRecord = event["_record"]
    whole: dict[str, object] = {
        "ts": _ts(record),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": event["event"],
    }
    if trace := _trace(event):
        whole["exception"] = trace
    for key, value in _fields(event).items():
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


def _fields(event: EventDict) -> dict[str, object]:
    """The caller's fields, and behind them those of the context."""
    said = {key: value for key, value in vars(event["_record"]).items() if key not in _STANDARD}
    return said | {key: value for key, value in event.items() if key not in _OF_STRUCTLOG and key not in said}


def _trace(event: EventDict) -> str:
    """The traceback and the stack of the record, if it has any."""
    exc_info = event.get("exc_info")
    trace = _PLAIN.formatException(exc_info) if exc_info and exc_info[0] else ""
    return "\n".join(part for part in (trace, event.get("stack_info")) if part)


def _ts(record: logging.LogRecord) -> str:
    return format_ts(int(record.created * 1000))
