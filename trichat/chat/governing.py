"""The commands that make and govern rooms."""

from __future__ import annotations

from trichat.chat.session import Session, Waiting
from trichat.core.commands import RoomCommand


def governing(session: Session, command: RoomCommand) -> Waiting | None:
    """Do what `command` says, or return what must wait. Raises Refusal."""
    raise NotImplementedError
