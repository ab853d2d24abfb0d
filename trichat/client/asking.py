"""The ways in which the client gives a command: repeated until it is answered, once, or as a change with a `cid`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from trichat.client.link import Link
from trichat.client.replies import Changed
from trichat.client.state import ClientState

T = TypeVar("T")

_CID_CHARS: Final = 20  # 100 random bits


class Asking:
    """What the parts of a client's surface share. All raise Refused when the final answer is no, and the ending."""

    def __init__(self, state: ClientState, link: Link) -> None:
        self._state = state
        self._link = link

    async def _ask(self, kind: str, /, **fields: object) -> Mapping[str, Any]:
        """For what does no harm when it is done twice."""
        return await self._state.ask(_command(kind, fields), repeatable=True)

    async def _ask_once(self, kind: str, /, **fields: object) -> Mapping[str, Any]:
        """For the rest. Raises ConnectionLost when the connection goes before the reply."""
        return await self._state.ask(_command(kind, fields), repeatable=False)

    async def _get(self, reply: type[T], kind: str, /, **fields: object) -> T:
        """As `_ask`; the reply as this type."""
        return msgspec.convert(await self._ask(kind, **fields), reply)

    async def _change(self, kind: str, room: str, cid: str | None, /, **fields: object) -> Changed:
        """For what becomes an event of the room's log: by its `cid` it counts once, however often it is repeated."""
        cid = cid or self._new_cid()
        reply = await self._ask(kind, room=room, cid=cid, **fields)
        return Changed(reply["seq"], cid, reply.get("dup", False))

    def _new_cid(self) -> str:
        return self._state.chance.label(_CID_CHARS)


def _command(kind: str, fields: Mapping[str, object]) -> dict[str, object]:
    return {"type": kind, **{name: value for name, value in fields.items() if value is not None}}
