"""The commands about people: accounts, profiles, logins, blocks."""

from __future__ import annotations

from trichat.chat.session import Session, Waiting
from trichat.core.commands import PeopleCommand


def people(session: Session, command: PeopleCommand) -> Waiting | None:
    """Do what `command` says, or return what must wait. Raises Refusal."""
    raise NotImplementedError
