"""Holds the embedded services of a directory, as a node does: python -m tests.embedded.holder DIR [postgres] [redis].

Says in a line of JSON where they are when they answer. Ends in order by SIGTERM, SIGINT, or the end of its
standard input (so that it does not outlive the test run). Exit code 2: they cannot be used.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from pathlib import Path

import trio

from trichat.embedded import EmbeddedUnusable, open_embedded


async def hold(data_dir: Path, wanted: list[str]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with open_embedded(
            data_dir, want_postgres="postgres" in wanted, want_redis="redis" in wanted
        ) as services:
            print(json.dumps([services.database_url, services.redis_url]), flush=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(until_input_ends, nursery.cancel_scope)
                async for _ in signals:
                    nursery.cancel_scope.cancel(reason="asked to stop")


async def until_input_ends(scope: trio.CancelScope) -> None:
    async with trio.lowlevel.FdStream(0) as stdin:
        async for _ in stdin:
            pass
    scope.cancel(reason="the test run is over")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        trio.run(hold, Path(sys.argv[1]), sys.argv[2:] or ["postgres", "redis"])
    except EmbeddedUnusable as error:
        print(error, file=sys.stderr)
        sys.exit(2)
