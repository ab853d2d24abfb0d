"""What `help` says of the commands about messages that were said, and about what one has read."""

from __future__ import annotations

from typing import Final

from trichat.core.help_text import ID, HelpText

_ROOM = "the room"
_SEQ = "the message: its seq"
_CID = "optional: your own identifier of this change, so that a repeat counts once"
_EMOJI = "one emoji, or a name such as :party:"
_THREAD = "the message that the thread hangs on: its seq"
_LIMIT = "optional: how many, 1 to 100"

HELP_CONVERSATION: Final[dict[str, HelpText]] = {
    "edit": HelpText(
        "Gives your own message another text. The old ones can be read by you and by moderators.",
        {"room": _ROOM, "seq": _SEQ, "text": "1 to limits.text bytes of UTF-8", "cid": _CID, "id": ID},
        '{"type":"edit","room":"lobby","seq":1,"text":"hello, all"}',
    ),
    "delete": HelpText(
        "Takes a message back: your own, or as a moderator another's. A tombstone without a text stays.",
        {
            "room": _ROOM,
            "seq": _SEQ,
            "reason": "optional: why, one line; stands in the event",
            "cid": _CID,
            "id": ID,
        },
        '{"type":"delete","room":"lobby","seq":1}',
    ),
    "react": HelpText(
        "Puts an emoji to a message.",
        {"room": _ROOM, "seq": _SEQ, "emoji": _EMOJI, "cid": _CID, "id": ID},
        '{"type":"react","room":"lobby","seq":1,"emoji":"👍"}',
    ),
    "unreact": HelpText(
        "Takes your emoji back.",
        {"room": _ROOM, "seq": _SEQ, "emoji": _EMOJI, "cid": _CID, "id": ID},
        '{"type":"unreact","room":"lobby","seq":1,"emoji":"👍"}',
    ),
    "pin": HelpText(
        "Keeps a message in sight of everybody. For moderators and above.",
        {"room": _ROOM, "seq": _SEQ, "cid": _CID, "id": ID},
        '{"type":"pin","room":"lobby","seq":1}',
    ),
    "unpin": HelpText(
        "Pins a message no more. For moderators and above.",
        {"room": _ROOM, "seq": _SEQ, "cid": _CID, "id": ID},
        '{"type":"unpin","room":"lobby","seq":1}',
    ),
    "revisions": HelpText(
        "The old texts of a message that was edited: of your own, or as a moderator of any.",
        {"room": _ROOM, "seq": _SEQ, "id": ID},
        '{"type":"revisions","room":"lobby","seq":1}',
    ),
    "reactions": HelpText(
        "Who has reacted to a message, and how.",
        {"room": _ROOM, "seq": _SEQ, "after": "optional: the key of the page before", "limit": _LIMIT, "id": ID},
        '{"type":"reactions","room":"lobby","seq":1}',
    ),
    "pins": HelpText(
        "The pinned messages of a room, the last pinned first.",
        {"room": _ROOM, "before": "optional: the key of the page before", "id": ID},
        '{"type":"pins","room":"lobby"}',
    ),
    "threads": HelpText(
        "The threads of a room that you follow, the last replied to first.",
        {
            "room": _ROOM,
            "all": "optional: true for those that you do not follow too",
            "before": "optional: threads whose last reply is before this seq",
            "limit": _LIMIT,
            "id": ID,
        },
        '{"type":"threads","room":"lobby","all":true}',
    ),
    "follow": HelpText(
        "Has you told what is unread in a thread.",
        {"room": _ROOM, "thread": _THREAD, "id": ID},
        '{"type":"follow","room":"lobby","thread":1}',
    ),
    "unfollow": HelpText(
        "Has you told no more of a thread.",
        {"room": _ROOM, "thread": _THREAD, "id": ID},
        '{"type":"unfollow","room":"lobby","thread":1}',
    ),
    "read": HelpText(
        "Says up to where you have read; it never moves back.",
        {"room": _ROOM, "seq": "the last seq that you have read", "thread": f"optional: {_THREAD}", "id": ID},
        '{"type":"read","room":"lobby","seq":1}',
    ),
    "seen": HelpText(
        "Who has read how far, in a room of at most 100 members.",
        {"room": _ROOM, "id": ID},
        '{"type":"seen","room":"lobby"}',
    ),
    "inbox": HelpText(
        "All your rooms: what is unread, what mentions you, and the last message of each.",
        {"after": "optional: rooms after this name", "limit": _LIMIT, "id": ID},
        '{"type":"inbox"}',
    ),
    "mentions": HelpText(
        "The messages that mention you, in all your rooms, the last first.",
        {"before": "optional: the key of the page's last one", "limit": _LIMIT, "id": ID},
        '{"type":"mentions"}',
    ),
    "notify": HelpText(
        "What of a room you want to be told; with the room alone it says how it is.",
        {
            "room": _ROOM,
            "level": "optional: all, mentions or none",
            "quiet_s": "optional: for how many seconds nothing at all; 0 ends that",
            "id": ID,
        },
        '{"type":"notify","room":"lobby","level":"mentions"}',
    ),
    "typing": HelpText(
        "Says that you are writing something; it counts for 6 s.",
        {"room": "a joined room", "id": ID},
        '{"type":"typing","room":"lobby"}',
    ),
    "presence": HelpText(
        "Who of a joined room is online or away, and from then on who comes and goes.",
        {"room": "a joined room", "follow": "optional: false for this once alone", "id": ID},
        '{"type":"presence","room":"lobby"}',
    ),
    "set_presence": HelpText(
        "Says that you are away from this device, or back; or hides you altogether.",
        {
            "state": "optional: online or away, of this connection",
            "hidden": "optional: true, and nobody sees whether you are there",
            "id": ID,
        },
        '{"type":"set_presence","state":"away"}',
    ),
    "search": HelpText(
        "Finds messages, the newest first: in a room, or in all rooms that you are a member of.",
        {
            "text": 'words; also "a phrase", begin*, -not, from:ann, in:lobby, before:2026-11-24, after:…, has:link',
            "room": "optional: the room",
            "before": "optional: the key of the page's last one",
            "limit": "optional: how many, 1 to 50",
            "id": ID,
        },
        '{"type":"search","room":"lobby","text":"hello"}',
    ),
}
