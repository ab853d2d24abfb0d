"""How far somebody has read, and what is new for them."""

from __future__ import annotations

from trichat.chat.session import Session
from trichat.core.commands_conversation import Inbox, Mentions, Notify, Read, Seen


async def read(session: Session, command: Read) -> None:
    raise NotImplementedError


async def seen(session: Session, command: Seen) -> None:
    raise NotImplementedError


async def inbox(session: Session, command: Inbox) -> None:
    raise NotImplementedError


async def mentions(session: Session, command: Mentions) -> None:
    raise NotImplementedError


async def notify(session: Session, command: Notify) -> None:
    raise NotImplementedError
