"""From a command to the function that does it. What returns a Waiting needs the store: the session runs it in turn."""

from __future__ import annotations

from functools import partial

from trichat.chat.conversing import conversing
from trichat.chat.governing import governing
from trichat.chat.identity import auth, hello, unidentified
from trichat.chat.joining import join, join_at_once, leave, resume
from trichat.chat.people import people
from trichat.chat.reading import events, history, members, rooms
from trichat.chat.sending import send
from trichat.chat.session import Session, Waiting
from trichat.core.commands import (
    AnyCommand,
    Auth,
    ConversationCommand,
    Events,
    Hello,
    Help,
    History,
    Join,
    Leave,
    Members,
    PeopleCommand,
    Ping,
    Resume,
    RoomCommand,
    Rooms,
    Send,
)
from trichat.core.errors import Refusal
from trichat.core.help import HELP
from trichat.core.replies import HelpReply, Pong


def dispatch(session: Session, command: AnyCommand) -> Waiting | None:  # noqa: PLR0912  # an arm for each command
    """Do what `command` says, or return what must wait. Raises Refusal."""
    if session.user_id is None and not command.anonymous:
        raise unidentified()
    match command:
        case Send():
            return send(session, command)
        case Ping():
            session.reply(Pong(id=command.id))
        case Help():
            help_(session, command)
        case Leave():
            return leave(session, command)
        case Hello():
            return partial(hello, session, command)
        case Auth():
            return partial(auth, session, command)
        case Join():
            return None if join_at_once(session, command) else partial(join, session, command)
        case Resume():
            return partial(resume, session, command)
        case History():
            return partial(history, session, command)
        case Events():
            return partial(events, session, command)
        case Rooms():
            return partial(rooms, session, command)
        case Members():
            return partial(members, session, command)
        case _:
            return _others(session, command)
    return None


def _others(session: Session, command: PeopleCommand | RoomCommand | ConversationCommand) -> Waiting | None:
    if isinstance(command, ConversationCommand):
        return conversing(session, command)
    if isinstance(command, PeopleCommand):
        return people(session, command)
    return governing(session, command)


def help_(session: Session, command: Help) -> None:
    """Explain one command, or name them all."""
    if command.of is None:
        said = "say help of one of these; a first line to paste is the example"
        first = HELP["join"].example
        return session.reply(HelpReply(id=command.id, commands=list(HELP), example=first, message=said))
    text = HELP.get(command.of)
    if text is None:
        raise Refusal("bad_field", f"of is one of {', '.join(HELP)}", field="of")
    return session.reply(
        HelpReply(id=command.id, of=command.of, fields=text.fields, example=text.example, message=text.message)
    )
