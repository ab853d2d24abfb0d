"""By hand: `python -m tests.edge.bench_frames`. Microseconds a message of FrameReader and of wsproto's Connection.

Text messages of 110 bytes, four in a segment, as a busy client's `send`s come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from wsproto.connection import Connection, ConnectionType

from tests.client_bytes import TEXT, frame
from trichat.core.limits import Limits
from trichat.edge.frames import FrameReader

_TOGETHER: Final = 4
_SEGMENTS: Final = 20_000
_ROUNDS: Final = 5
_SEGMENT: Final = frame(TEXT, b"x" * 110) * _TOGETHER


def by_frame_reader() -> int:
    reader = FrameReader(Limits())
    return sum(len(reader.feed(_SEGMENT)) for _ in range(_SEGMENTS))


def by_wsproto() -> int:
    connection, messages = Connection(ConnectionType.SERVER), 0
    for _ in range(_SEGMENTS):
        connection.receive_data(_SEGMENT)
        messages += len(list(connection.events()))
    return messages


def best_us_of(run: Callable[[], int]) -> float:
    """The best round: the others were disturbed."""
    rounds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        messages = run()
        rounds.append((time.perf_counter() - began) / messages * 1e6)
        assert messages == _SEGMENTS * _TOGETHER
    return min(rounds)


if __name__ == "__main__":
    ours, theirs = best_us_of(by_frame_reader), best_us_of(by_wsproto)
    print(f"FrameReader {ours:.2f} us a message, wsproto {theirs:.2f} us: {theirs / ours:.1f} times")
