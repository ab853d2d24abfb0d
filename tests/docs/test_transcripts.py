"""What README and the documents of the protocol and of operating show is what happens, line by line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.docs.console import set_scene, type_command
from tests.docs.transcripts import (
    PROTOCOL,
    SHELL,
    Names,
    Step,
    Transcript,
    match_all,
    match_output,
    matches,
    transcripts,
)
from tests.nodes import open_node
from tests.wire import Closed, WireClient, open_wire

TRANSCRIPTS = [transcript for document in PROTOCOL for transcript in transcripts(document, "transcript")]
README = transcripts("README.md", "websocat")
#: Where the server's command line is shown, and who has spoken in the lobby before.
OPERATED = {"README.md": "ann", "docs/operations.md": "eve"}

#: Seconds for one line of websocat's: about a thousand times the typical.
_LINE_S = 10.0


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 20
    assert len(README) >= 2
    assert all(transcripts(document, "console") for document in OPERATED)


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=str)
async def test_the_protocol_is_as_written(transcript: Transcript, database_url: str, redis_url: str) -> None:
    async with open_node(database_url, redis_url, prefix=f"doc{transcript.line}") as node, AsyncExitStack() as stack:
        clients: dict[str, WireClient] = {}
        names = Names()
        for step in transcript.steps:
            if step.who == SHELL:
                await _operate(step, database_url, names)
                continue
            if step.who not in clients:
                assert node.port is not None
                clients[step.who] = await stack.enter_async_context(open_wire(node.port))
            if await _play(step, clients[step.who], names) is not None:
                del clients[step.who]  # who is heard of again has come back


async def _play(step: Step, client: WireClient, names: Names) -> int | None:
    """The code that the server closed with, if it said goodbye."""
    if step.says is not None:
        await client.send_text(names.fill(step.says))
    heard = [await client.receive() for _ in step.hears]
    match_all(step.hears, heard, names)
    if not heard or heard[-1]["type"] != "goodbye":
        return None
    with pytest.raises(Closed) as closed:
        await client.receive()
    assert closed.value.code == heard[-1]["code"]
    return closed.value.code


async def _operate(step: Step, database_url: str, names: Names) -> None:
    assert step.says is not None
    command = names.fill(step.says)
    printed = await trio.to_thread.run_sync(type_command, command, database_url)
    match_output(step.hears, printed, names)


@pytest.mark.parametrize(("document", "guest"), OPERATED.items())
async def test_the_operator_sees_what_is_shown(document: str, guest: str, database_url: str) -> None:
    await set_scene(database_url, guest)
    names = Names()
    for block in transcripts(document, "console"):
        for step in block.steps:
            await _operate(step, database_url, names)


async def test_websocat_shows_what_the_readme_shows(database_url: str, redis_url: str) -> None:
    async with open_node(database_url, redis_url, prefix="readme") as node:
        for transcript in README:
            await _play_by_hand(transcript, node.url)


async def _play_by_hand(transcript: Transcript, url: str) -> None:
    async with _websocat(url) as process:
        assert process.stdin is not None
        lines = _Lines(process)
        for step in transcript.steps:
            if step.says is not None:
                await process.stdin.send_all(step.says.encode() + b"\n")
            match_all(step.hears, [await lines.next() for _ in step.hears])


@asynccontextmanager
async def _websocat(url: str) -> AsyncIterator[trio.Process]:
    beside = Path(sys.executable).with_name("websocat")
    command = str(beside) if beside.exists() else shutil.which("websocat")
    assert command, "websocat is in requirements-dev.lock"
    process = await trio.lowlevel.open_process(
        [command, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            await pipe.aclose()


class _Lines:
    def __init__(self, process: trio.Process) -> None:
        assert process.stdout is not None
        self._stdout = process.stdout
        self._buffer = b""

    async def next(self) -> dict[str, Any]:
        with trio.fail_after(_LINE_S):
            while b"\n" not in self._buffer:
                chunk = await self._stdout.receive_some()
                assert chunk, "websocat has ended"
                self._buffer += bytes(chunk)
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message


def test_what_has_a_name_is_said_again() -> None:
    names = Names()
    match_all(('{"a":"x «n»","b":1}',), [{"a": "x yz", "b": 1}], names)
    assert names.fill('{"c":"«n»"}') == '{"c":"yz"}'
    assert matches("«n»", "yz", names)
    assert not matches("«n»", "zz", names)


def test_a_pattern_is_strict_but_for_what_differs() -> None:
    assert matches({"a": 1, "…": "…"}, {"a": 1, "b": 2, "c": 3})
    assert not matches({"a": 1, "…": "…"}, {"b": 2, "a": 1})
    assert matches({"a": "x…", "b": "…"}, {"a": "xyz", "b": 3})
    assert not matches({"a": 1}, {"a": 1, "b": 2})
    assert not matches({"a": 1}, {"a": True})
    assert not matches({"a": "x…"}, {"a": "x"})
    assert not matches({"a": 1, "b": 2}, {"b": 2, "a": 1})
