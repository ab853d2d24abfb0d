"""`search`."""

from __future__ import annotations

from trichat.chat.session import Session
from trichat.core.commands_conversation import Search


async def search(session: Session, command: Search) -> None:
    raise NotImplementedError
