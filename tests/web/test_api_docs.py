"""docs/http-api.md says what there is, and what its lines show is what happens, at a real port."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from typing import Final

import httpx
import trio

from tests.docs.transcripts import ROOT, Names, match_all, transcripts
from tests.nodes import make_twins, open_twin_node
from trichat.core.commands import Auth
from trichat.core.costs import COSTS
from trichat.core.errors import ERROR_CODES
from trichat.core.limits import Limits
from trichat.web.api.answering import STATUS
from trichat.web.api.operations import OPERATIONS

DOCUMENT: Final = "docs/http-api.md"
TEXT: Final = (ROOT / DOCUMENT).read_text("utf-8")
#: Where the document's node is.
_THERE: Final = "http://localhost:8080/"


def curl(command: str, tokens: Names, here: str) -> httpx.Request:
    """What curl would ask of the node at `here`; `$name` in the line is the token of this name."""
    line = re.sub(r"\$(\w+)", lambda found: tokens[found[1]], command)
    options = argparse.ArgumentParser()
    options.add_argument("-X", dest="method")
    options.add_argument("-H", dest="headers", action="append", default=[])
    options.add_argument("--json")
    options.add_argument("url")
    program, *words = shlex.split(line)
    said = options.parse_args(words)
    assert program == "curl"
    assert said.url.startswith(_THERE)
    headers = dict(header.split(": ", 1) for header in said.headers)
    if said.json is not None:
        headers["Content-Type"] = headers["Accept"] = "application/json"
    method = said.method or ("GET" if said.json is None else "POST")
    return httpx.Request(method, here + said.url.removeprefix(_THERE), headers=headers, content=said.json)


async def test_the_lines_show_what_happens() -> None:
    shown = transcripts(DOCUMENT, "curl")
    assert len(shown) >= 4
    tokens = Names()
    async with open_twin_node(make_twins(), listening=True) as node, httpx.AsyncClient() as client:
        for step in (step for transcript in shown for step in transcript.steps):
            assert step.says is not None
            with trio.fail_after(10):
                answer = await client.send(curl(step.says, tokens, f"http://127.0.0.1:{node.port}/"))
            match_all(step.hears, [json.loads(answer.content)], tokens)
            assert answer.is_error == (answer.json()["type"] == "error")


def test_the_limits_that_it_names_are_the_nodes() -> None:
    limits = Limits()
    assert f"`wait_s` (up to {limits.long_poll_s})" in TEXT
    assert (
        f"{limits.long_polls:,} requests of a node may wait, and {limits.long_polls_per_person} of one person" in TEXT
    )
    assert f"did not come in {limits.api_call_s:.0f} s" in TEXT
    assert f"at most {limits.frame // 1024} KiB" in TEXT
    assert f"as `auth`, {COSTS[Auth]:.0f} tokens" in TEXT


def test_every_request_has_a_row_and_no_other_is_there() -> None:
    rows = set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", TEXT, re.MULTILINE))
    assert rows == {f"{one.method} {one.path}" for one in OPERATIONS}


def test_every_code_stands_in_the_row_of_its_status() -> None:
    rows = dict(re.findall(r"^\| (\d{3}) \| (.*) \|$", TEXT, re.MULTILINE))
    missing = [code for code in ERROR_CODES if f"`{code}`" not in rows[str(STATUS[code])]]
    assert not missing
