"""One message in its present state, and what each event about it makes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from trichat.client.events import RoomEvent

Frame = Mapping[str, Any]


class ReactionTally(Struct):
    """How many have put an emoji to a message, and whether we have."""

    count: int = 0
    mine: bool = False


class CopiedMessage(Struct, kw_only=True):
    """A message as the log up to now leaves it. `rev` is the `seq` of the last event that changed it.

    `base` is the `rev` of the state that it was copied from; what is later came by events.
    """

    room: str
    seq: int
    user: str
    user_id: str
    ts: str
    cid: str | None
    rev: int
    base: int
    text: str = ""
    reply_to: int | None = None
    thread: int | None = None
    mentions: Sequence[Frame] = ()
    deleted: bool = False
    edited: str | None = None
    pinned: bool = False
    reactions: dict[str, ReactionTally] = {}
    replies: int = 0
    last_reply: int = 0

    def change(self, event: RoomEvent, me: str | None) -> None:
        """Take an event about this message, in the order of the log; one that is in its state already is ignored."""
        if event.seq <= self.rev:
            return
        self.rev = event.seq
        if event.data.get("target") != self.seq:
            self._count_reply(event)
        elif event.kind == "edited":
            self._edit(event)
        elif event.kind == "deleted":
            self._delete()
        elif event.kind in ("reacted", "unreacted"):
            self._react(event, mine=event.user_id == me)
        elif event.kind in ("pinned", "unpinned"):
            self.pinned = event.kind == "pinned"

    def _count_reply(self, event: RoomEvent) -> None:
        """A reply in the thread that hangs on this message, or the deletion of one."""
        if event.kind == "message":
            self.replies += 1
            self.last_reply = event.seq
        else:
            self.replies -= 1

    def _edit(self, event: RoomEvent) -> None:
        self.edited = event.ts
        if not event.data.get("superseded"):  # else a later event has the text, and the log's message the last one
            self.text = event.text
            self.mentions = event.data.get("mentions", ())

    def _delete(self) -> None:
        self.deleted, self.text, self.mentions, self.reply_to = True, "", (), None
        self.edited, self.pinned, self.reactions = None, False, {}

    def _react(self, event: RoomEvent, *, mine: bool) -> None:
        emoji, put = event.data["emoji"], event.kind == "reacted"
        tally = self.reactions.setdefault(emoji, ReactionTally())
        tally.count += 1 if put else -1
        if mine:
            tally.mine = put
        if tally.count <= 0:
            del self.reactions[emoji]

    def as_history(self) -> dict[str, Any]:
        """The message as a page of the server's history has it."""
        more = {
            "cid": self.cid,
            "text": None if self.deleted else self.text,
            "reply_to": self.reply_to,
            "thread": self.thread,
            "mentions": self.mentions,
            "deleted": self.deleted,
            "edited": self.edited,
            "pinned": self.pinned,
            "reactions": self._reactions(),
        }
        replies = {"replies": self.replies, "last_reply": self.last_reply} if self.last_reply else {}
        said = {name: value for name, value in more.items() if _is_said(value)}
        return {
            "type": "message", "room": self.room, "seq": self.seq, "from": self.user, "from_id": self.user_id,
            "ts": self.ts, "rev": self.rev, **said, **replies,
        }  # fmt: skip

    def _reactions(self) -> list[dict[str, Any]]:
        return [
            {"emoji": emoji, "count": tally.count, **({"mine": True} if tally.mine else {})}
            for emoji, tally in sorted(self.reactions.items())
        ]


def copied(frame: Frame) -> CopiedMessage:
    """The message in `frame`: an event of the log, or (with `rev`) an element of a page."""
    rev = frame.get("rev", frame["seq"])
    return CopiedMessage(
        room=frame["room"],
        seq=frame["seq"],
        user=frame.get("from", ""),
        user_id=frame.get("from_id", ""),
        ts=frame.get("ts", ""),
        cid=frame.get("cid"),
        rev=rev,
        base=rev,
        text=frame.get("text", ""),
        reply_to=frame.get("reply_to"),
        thread=frame.get("thread"),
        mentions=frame.get("mentions", ()),
        deleted=frame.get("deleted", False),
        edited=frame.get("edited"),
        pinned=frame.get("pinned", False),
        reactions={
            one["emoji"]: ReactionTally(one["count"], one.get("mine", False)) for one in frame.get("reactions", ())
        },
        replies=frame.get("replies", 0),
        last_reply=frame.get("last_reply", 0),
    )


def touched(event: RoomEvent) -> list[int]:
    """The messages (`seq`) that an event changes, without the one that it is itself."""
    target, thread = event.data.get("target"), event.data.get("thread")
    about = [] if target is None else [int(target)]
    if thread is not None and event.kind in ("message", "deleted"):
        about.append(int(thread))
    return about


def _is_said(value: object) -> bool:
    """Whether the server would write this member: it leaves out what is not so."""
    return value is not None and value is not False and value not in ((), [])
