"""The index of searches, filled in the background by every node."""

from __future__ import annotations

from collections.abc import Callable

import trio

from trichat.chat.conversation_ports import Searching
from trichat.chat.ports import StoreUnavailable
from trichat.core.limits import Limits


async def run_indexing(searching: Searching, limits: Limits, busy: Callable[[], bool]) -> None:
    """Put what was said into the index, soon after. Lives until cancelled.

    Nothing depends on how soon, up to `search_tail`: a search looks through what is not there yet. So sends come first:
    while this node is `busy` with them, the index has a small share of the time.
    """
    while True:
        began = trio.current_time()
        try:
            done = await searching.index()
        except StoreUnavailable:
            done = False
        took = trio.current_time() - began
        await trio.sleep((took * (1 / limits.index_share - 1) if busy() else took) if done else limits.index_rest_s)
