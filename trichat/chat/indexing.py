"""The index of searches, filled in the background by every node."""

from __future__ import annotations

import trio

from trichat.chat.conversation_ports import Searching
from trichat.chat.ports import StoreUnavailable
from trichat.core.limits import Limits


async def run_indexing(searching: Searching, limits: Limits) -> None:
    """Put what was said into the index, soon after. Lives until cancelled.

    Nothing depends on how soon: a search looks through what is not there yet.
    """
    while True:
        began = trio.current_time()
        try:
            more = await searching.index()
        except StoreUnavailable:
            more = False
        # However much there is, half of the time is left to others: sends commit on the same server.
        await trio.sleep(trio.current_time() - began if more else limits.index_rest_s)
