"""The log: one line a record, and nobody can forge one."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import NoReturn

import pytest

from trichat.logs import JsonFormatter, TextFormatter

FORGERY = "ann\r\n2026-11-24T06:50:00.123Z ERROR trichat.store all is lost\x1b[2K\u2028\u202ex\x00\x85"


class Boom(Exception):
    pass


def record(message: str, *args: object, **fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"msg": message, "args": args, "name": "trichat.embedded", "levelname": "INFO"} | fields
    )
    made.created = 1_795_503_000.123
    return made


def fail(text: str) -> NoReturn:
    raise Boom(text)


def failed(text: str) -> logging.LogRecord:
    try:
        fail(text)
    except Boom:
        return record("it failed", exc_info=sys.exc_info())


def test_text_is_one_line_with_the_fields_behind_the_message() -> None:
    line = TextFormatter().format(record("ready after %.1f s", 1.5, port=8080, why="a b", who='"ann"', empty=""))
    assert line == (
        "2026-11-24T06:50:00.123Z INFO trichat.embedded ready after 1.5 s "
        'port=8080 why="a b" who="\\"ann\\"" empty=""'
    )  # fmt: skip


def test_json_is_one_object_with_the_fields_beside_the_message() -> None:
    line = JsonFormatter().format(record("ready", port=8080, share=float("nan"), level="x", path=b"p", ok=True))
    assert json.loads(line) == {
        "ts": "2026-11-24T06:50:00.123Z", "level": "info", "logger": "trichat.embedded", "message": "ready",
        "port": 8080, "share": "nan", "level_": "x", "path": "b'p'", "ok": True,
    }  # fmt: skip


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_nothing_that_is_logged_can_begin_a_line(formatter: logging.Formatter) -> None:
    line = formatter.format(record(FORGERY, who=FORGERY))
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    assert "\u202e" not in line


def test_a_value_cannot_pass_for_another_field() -> None:
    line = TextFormatter().format(record("left", who='ann admin=true" admin="true'))
    assert line.endswith('left who="ann admin=true\\" admin=\\"true"')


def test_a_traceback_stands_in_a_margin_which_a_forged_line_cannot_leave() -> None:
    first, *trace = TextFormatter().format(failed(FORGERY)).split("\n")
    assert first == "2026-11-24T06:50:00.123Z INFO trichat.embedded it failed"
    assert any("Traceback" in row for row in trace)
    assert any("all is lost" in row for row in trace)
    assert all(row.startswith("    | ") and row.isprintable() for row in trace)


def test_json_keeps_a_traceback_in_its_line() -> None:
    line = JsonFormatter().format(failed("why"))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["exception"].endswith("Boom: why")


def test_what_is_set_up_goes_to_stderr_from_its_level_on_with_warnings_and_once() -> None:
    program = (
        "import logging, warnings; from trichat.logs import set_up_logging as up\n"
        "up('debug', 'text'); up('warning', 'json')\n"
        "logging.getLogger('trichat.x').info('quiet'); logging.getLogger('trichat.x').warning('loud')\n"
        "warnings.warn('old')"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "always", "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    loud, old = map(json.loads, ran.stderr.splitlines())
    assert (loud["level"], loud["logger"], loud["message"]) == ("warning", "trichat.x", "loud")
    assert (old["logger"], ran.stdout) == ("py.warnings", "")
