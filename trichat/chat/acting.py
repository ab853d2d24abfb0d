"""Editing, deleting, reacting to and pinning messages."""

from __future__ import annotations

from trichat.chat.session import Session
from trichat.core.commands_conversation import (
    DeleteMessage,
    EditMessage,
    Pin,
    Pins,
    React,
    Reactions,
    Revisions,
    Unpin,
    Unreact,
)


async def edit(session: Session, command: EditMessage) -> None:
    raise NotImplementedError


async def delete(session: Session, command: DeleteMessage) -> None:
    raise NotImplementedError


async def react(session: Session, command: React) -> None:
    raise NotImplementedError


async def unreact(session: Session, command: Unreact) -> None:
    raise NotImplementedError


async def pin(session: Session, command: Pin) -> None:
    raise NotImplementedError


async def unpin(session: Session, command: Unpin) -> None:
    raise NotImplementedError


async def revisions(session: Session, command: Revisions) -> None:
    raise NotImplementedError


async def reactions(session: Session, command: Reactions) -> None:
    raise NotImplementedError


async def pins(session: Session, command: Pins) -> None:
    raise NotImplementedError
