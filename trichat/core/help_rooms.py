"""What `help` says of the commands that make and govern rooms."""

from __future__ import annotations

from typing import Final

from trichat.core.help_text import ID, HelpText

_ROOM = "the room"
_USER = "whom: a present name, or a user_id"
_CID = "optional: your own identifier of this change, so that a repeat counts once"
_REASON = "optional: why, one line; stands in the event and in the audit"
_FOR_S = "optional: for how many seconds; without it for ever"
_TITLE = "optional: a line, at most 128 bytes"
_TOPIC = "optional: a line, at most 1,024 bytes"
_MEMBER_LIMIT = "optional: accounts that may be members; 0: any number"
_SLOW_S = "optional: seconds between two messages of one person below moderator; 0: none"
_SEND = "optional: the least role that may send: guest, member, moderator, admin or owner"
_HISTORY = "optional: all, or joined: a member sees what came after they joined"
_GUESTS = "optional: whether guests may come in; public rooms only"
_LANGUAGE = "optional: of what is said, for searching: english, german, …; simple when it is none or several"
_RETENTION = "optional: days after which what was said is kept no more; 0: as the server says"
_AFTER_NAME = "optional: names after this one"
_LIMIT = "optional: 1 to 100"

HELP_ROOMS: Final[dict[str, HelpText]] = {
    "create": HelpText(
        "Makes a room and makes you its owner; join it then.",
        {
            "kind": "optional: public (as without it) or private; a private room does not exist for others",
            "room": "optional: the name of a public room, which it must have; a private one is named by the server",
            "title": _TITLE,
            "topic": _TOPIC,
            "member_limit": _MEMBER_LIMIT,
            "slow_s": _SLOW_S,
            "send": _SEND,
            "history": _HISTORY,
            "guests": _GUESTS,
            "language": _LANGUAGE,
            "retention_days": _RETENTION,
            "id": ID,
        },
        '{"type":"create","room":"garden","title":"The garden"}',
    ),
    "room": HelpText(
        "Says what a room is, and your role in it.", {"room": _ROOM, "id": ID}, '{"type":"room","room":"garden"}'
    ),
    "edit_room": HelpText(
        "Changes a room; what you do not name stays. For admins and owners.",
        {
            "room": _ROOM,
            "title": _TITLE,
            "topic": _TOPIC,
            "member_limit": _MEMBER_LIMIT,
            "slow_s": _SLOW_S,
            "send": _SEND,
            "history": _HISTORY,
            "guests": _GUESTS,
            "language": _LANGUAGE,
            "retention_days": _RETENTION,
            "cid": _CID,
            "id": ID,
        },
        '{"type":"edit_room","room":"garden","topic":"What grows?"}',
    ),
    "archive": HelpText(
        "Closes a room for writing, or opens it again. For owners.",
        {"room": _ROOM, "archived": "optional: false opens it again", "cid": _CID, "id": ID},
        '{"type":"archive","room":"garden"}',
    ),
    "delete_room": HelpText(
        "Deletes a room with its log, for ever. For owners.",
        {"room": _ROOM, "id": ID},
        '{"type":"delete_room","room":"garden"}',
    ),
    "direct": HelpText(
        "Opens the room of you and one other person; join it then.",
        {"user": _USER, "id": ID},
        '{"type":"direct","user":"bob"}',
    ),
    "invite": HelpText(
        "Invites an account, or makes a code that others can pass on. For moderators and above.",
        {
            "room": _ROOM,
            "user": "optional: whom, by present name or user_id; without it you get a code",
            "uses": "optional: how many may use the code, 1 when not said",
            "for_s": "optional: for how many seconds the code can be used, a week when not said",
            "cid": "optional, with user: your own identifier of this change, so that a repeat counts once",
            "id": ID,
        },
        '{"type":"invite","room":"garden","uses":10}',
    ),
    "invites": HelpText(
        "The codes of a room that can be used, by their first characters.",
        {"room": _ROOM, "id": ID},
        '{"type":"invites","room":"garden"}',
    ),
    "uninvite": HelpText(
        "Makes a code worthless.",
        {"room": _ROOM, "code": "the code, or its first 6 characters", "id": ID},
        '{"type":"uninvite","room":"garden","code":"abcdef"}',
    ),
    "accept": HelpText(
        "Makes you a member of the room that a code is for; join it then.",
        {"code": "the code", "id": ID},
        '{"type":"accept","code":"abcdefghijklmnopqrstuvwxyz"}',
    ),
    "kick": HelpText(
        "Removes somebody from a room; they may come back. For moderators and above.",
        {"room": _ROOM, "user": _USER, "reason": _REASON, "cid": _CID, "id": ID},
        '{"type":"kick","room":"garden","user":"bob"}',
    ),
    "ban": HelpText(
        "Removes somebody from a room and keeps them out. For moderators and above.",
        {"room": _ROOM, "user": _USER, "for_s": _FOR_S, "reason": _REASON, "cid": _CID, "id": ID},
        '{"type":"ban","room":"garden","user":"bob","for_s":3600}',
    ),
    "unban": HelpText(
        "Lets somebody come into a room again. For moderators and above.",
        {"room": _ROOM, "user": _USER, "cid": _CID, "id": ID},
        '{"type":"unban","room":"garden","user":"bob"}',
    ),
    "mute": HelpText(
        "Lets somebody read but not send. For moderators and above.",
        {"room": _ROOM, "user": _USER, "for_s": _FOR_S, "reason": _REASON, "cid": _CID, "id": ID},
        '{"type":"mute","room":"garden","user":"bob","for_s":600}',
    ),
    "unmute": HelpText(
        "Lets somebody send again. For moderators and above.",
        {"room": _ROOM, "user": _USER, "cid": _CID, "id": ID},
        '{"type":"unmute","room":"garden","user":"bob"}',
    ),
    "role": HelpText(
        "Gives a member another role, below your own. For admins and owners.",
        {"room": _ROOM, "user": _USER, "role": "member, moderator or admin", "cid": _CID, "id": ID},
        '{"type":"role","room":"garden","user":"bob","role":"moderator"}',
    ),
    "transfer": HelpText(
        "Makes a member the owner in your place; you are an admin then.",
        {"room": _ROOM, "user": _USER, "cid": _CID, "id": ID},
        '{"type":"transfer","room":"garden","user":"bob"}',
    ),
    "roster": HelpText(
        "The members of a room with their roles, whether or not they are connected.",
        {"room": _ROOM, "after": _AFTER_NAME, "limit": _LIMIT, "id": ID},
        '{"type":"roster","room":"garden"}',
    ),
    "bans": HelpText(
        "Who is banned from or muted in a room. For moderators and above.",
        {"room": _ROOM, "after": _AFTER_NAME, "limit": _LIMIT, "id": ID},
        '{"type":"bans","room":"garden"}',
    ),
    "report": HelpText(
        "Tells a room's moderators of a message.",
        {"room": _ROOM, "seq": "the message's seq", "reason": "optional: what is wrong with it, one line", "id": ID},
        '{"type":"report","room":"garden","seq":7,"reason":"spam"}',
    ),
    "reports": HelpText(
        "The open reports of a room, oldest first. For moderators and above.",
        {
            "room": _ROOM,
            "all": "optional: true shows those that are resolved too",
            "after": "optional: reports after this number",
            "limit": _LIMIT,
            "id": ID,
        },
        '{"type":"reports","room":"garden"}',
    ),
    "resolve": HelpText(
        "Closes a report. For moderators and above.",
        {"room": _ROOM, "report": "the report's number", "note": "optional: what was done, one line", "id": ID},
        '{"type":"resolve","room":"garden","report":1,"note":"deleted"}',
    ),
    "audit": HelpText(
        "Who did what in a room, newest first. For owners.",
        {"room": _ROOM, "before": "optional: entries before this number", "limit": _LIMIT, "id": ID},
        '{"type":"audit","room":"garden"}',
    ),
}
