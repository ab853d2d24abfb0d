"""Who is writing something just now."""

from __future__ import annotations

from trichat.chat.session import Session
from trichat.core.commands_conversation import Typing


async def typing(session: Session, command: Typing) -> None:
    raise NotImplementedError
