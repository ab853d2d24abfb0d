"""Who is online, away or gone, for those who want to know it."""

from __future__ import annotations

from trichat.chat.session import Session
from trichat.core.commands_conversation import Presence, SetPresence


async def presence(session: Session, command: Presence) -> None:
    raise NotImplementedError


async def set_presence(session: Session, command: SetPresence) -> None:
    raise NotImplementedError
