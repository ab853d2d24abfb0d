"""The answers to `help`: for each command its fields, and a line that can be pasted."""

from __future__ import annotations

from typing import Final

from trichat.core.help_conversation import HELP_CONVERSATION
from trichat.core.help_people import HELP_PEOPLE
from trichat.core.help_rooms import HELP_ROOMS
from trichat.core.help_text import ID as _ID
from trichat.core.help_text import HelpText

HELP: Final[dict[str, HelpText]] = {
    "ping": HelpText("Answers pong.", {"id": _ID}, '{"type":"ping"}'),
    "help": HelpText("Explains a command.", {"of": "optional: a command", "id": _ID}, '{"type":"help","of":"send"}'),
    "hello": HelpText(
        "Takes a free name; before the first join.",
        {"name": "the name, 1 to 64 bytes, no blanks", "id": _ID},
        '{"type":"hello","name":"ann"}',
    ),
    "auth": HelpText(
        "Makes you again who the token says; before the first join.",
        {"token": "of an earlier welcome or ok, a bot's key, or a token of the site that this chat trusts", "id": _ID},
        '{"type":"auth","token":"g.1.…"}',
    ),
    "join": HelpText(
        "Lets you hear a room, and makes it if there is none.",
        {
            "room": "the room's name, lower case",
            "since": "optional: the last seq you have; what followed is sent",
            "epoch": "optional, with since: the epoch of that seq",
            "id": _ID,
        },
        '{"type":"join","room":"lobby"}',
    ),
    "resume": HelpText(
        "Joins many rooms, each from your position.",
        {"rooms": "an object: room to {since, epoch}", "id": _ID},
        '{"type":"resume","rooms":{"lobby":{"since":0}}}',
    ),
    "leave": HelpText("Ends hearing a room.", {"room": "a joined room", "id": _ID}, '{"type":"leave","room":"lobby"}'),
    "send": HelpText(
        "Says something in a joined room; acknowledged when it is committed.",
        {
            "room": "a joined room",
            "text": "1 to limits.text bytes of UTF-8; @name mentions somebody",
            "reply_to": "optional: the seq of a message that it answers",
            "thread": "optional: the seq of the message in whose thread it belongs",
            "cid": "optional: your own identifier of this message, so that a repeat counts once",
            "id": _ID,
        },
        '{"type":"send","room":"lobby","text":"hello"}',
    ),
    "history": HelpText(
        "A page of messages, oldest first; the latest when no place is given.",
        {
            "room": "the room",
            "thread": "optional: the seq of a message, for the replies in its thread",
            "before": "optional: messages before this seq",
            "after": "optional: messages after this seq",
            "around": "optional: messages on both sides of this seq",
            "limit": "optional: how many, 1 to limits.page",
            "id": _ID,
        },
        '{"type":"history","room":"lobby","limit":10}',
    ),
    "events": HelpText(
        "A page of the room's log.",
        {
            "room": "the room",
            "since": "events after this seq",
            "compact": "optional: true for the last state of each message that they touch",
            "limit": "optional: 1 to limits.page",
            "id": _ID,
        },
        '{"type":"events","room":"lobby","since":0}',
    ),
    "rooms": HelpText(
        "The rooms there are, by name.",
        {
            "mine": "optional: true for the rooms that you are a member of",
            "after": "optional: names after this one",
            "limit": "optional: 1 to 100",
            "id": _ID,
        },
        '{"type":"rooms"}',
    ),
    "members": HelpText(
        "Who is connected to a room.",
        {"room": "the room", "after": "optional: names after this one", "limit": "optional: 1 to 100", "id": _ID},
        '{"type":"members","room":"lobby"}',
    ),
    **HELP_PEOPLE,
    **HELP_ROOMS,
    **HELP_CONVERSATION,
}
