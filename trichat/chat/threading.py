"""`threads`, `follow` and `unfollow`."""

from __future__ import annotations

from trichat.chat.session import Session
from trichat.core.commands_conversation import Follow, Threads, Unfollow


async def threads(session: Session, command: Threads) -> None:
    raise NotImplementedError


async def follow(session: Session, command: Follow) -> None:
    raise NotImplementedError


async def unfollow(session: Session, command: Unfollow) -> None:
    raise NotImplementedError
