"""The index of searches, filled in the background by every node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from trichat.chat.conversation_ports import Searching
from trichat.chat.ports import StoreUnavailable
from trichat.core.limits import Limits

#: Of the time while a flood of sends waits: the index is made of it afterwards.
_SHARE_IN_A_FLOOD: Final = 0.01


async def run_indexing(searching: Searching, limits: Limits, waiting: Callable[[], int]) -> None:
    """Put what was said into the index, soon after. Lives until cancelled.

    Nothing depends on how soon, up to `search_tail`: a search looks through what is not there yet. So sends come first:
    while some are `waiting` to be committed at this node, the index has a small share of the time.
    """
    while True:
        began = trio.current_time()
        try:
            done = await searching.index()
        except StoreUnavailable:
            done = False
        took = trio.current_time() - began
        await trio.sleep(took * (1 / _share(limits, waiting()) - 1) if done else limits.index_rest_s)


def _share(limits: Limits, waiting: int) -> float:
    if waiting >= limits.index_flood:
        return _SHARE_IN_A_FLOOD
    return limits.index_share if waiting else 0.5
