"""The commands about messages that were said: from each to the function that does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from trichat.chat.acting import delete, edit, pin, pins, react, reactions, revisions, unpin, unreact
from trichat.chat.attendance import presence, set_presence
from trichat.chat.governed import account_needed
from trichat.chat.marking import inbox, mentions, notify, read, seen
from trichat.chat.searching import search
from trichat.chat.session import Session, Waiting
from trichat.chat.threading import follow, threads, unfollow
from trichat.chat.typing import typing
from trichat.core import commands_conversation as conversation
from trichat.core.command import Command
from trichat.core.commands import ConversationCommand

#: Each checks the command's fields, then finds the room, then asks the store; raises Refusal and StoreUnavailable.
ACTS: Final[dict[type[Command], Callable[[Session, Any], Awaitable[None]]]] = {
    conversation.EditMessage: edit,
    conversation.DeleteMessage: delete,
    conversation.React: react,
    conversation.Unreact: unreact,
    conversation.Pin: pin,
    conversation.Unpin: unpin,
    conversation.Revisions: revisions,
    conversation.Reactions: reactions,
    conversation.Pins: pins,
    conversation.Threads: threads,
    conversation.Follow: follow,
    conversation.Unfollow: unfollow,
    conversation.Read: read,
    conversation.Seen: seen,
    conversation.Inbox: inbox,
    conversation.Mentions: mentions,
    conversation.Notify: notify,
    conversation.Presence: presence,
    conversation.SetPresence: set_presence,
    conversation.Search: search,
}

#: What takes an account: what it is about is kept for members.
FOR_ACCOUNTS: Final = (
    conversation.Follow, conversation.Unfollow, conversation.Read, conversation.Seen, conversation.Inbox,
    conversation.Mentions, conversation.Notify,
)  # fmt: skip


def conversing(session: Session, command: ConversationCommand) -> Waiting | None:
    """Do what `command` says, or return what must wait. Raises Refusal."""
    if session.account is None and isinstance(command, FOR_ACCOUNTS):
        raise account_needed()  # before anything is looked up
    if isinstance(command, conversation.Typing):
        typing(session, command)  # many a second: done at once, without a task
        return None
    return partial(ACTS[type(command)], session, command)
