"""A naive model of a room: the log as it was first said, and everything else found by looking through all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from trichat.core.events import Person

Frame = Mapping[str, Any]

#: As `EVERYBODY`, in a message that mentions the room.
ROOM = "*"


class Said(Struct, frozen=True):
    """An event as it was when it was written."""

    seq: int
    kind: str
    by: Person
    ts: str
    cid: str | None
    body: dict[str, Any]

    def is_about(self, seq: int) -> bool:
        """Whether it changes the message `seq`: its text, what hangs on it, or the number of replies in its thread."""
        in_thread = self.kind in ("message", "deleted") and self.body.get("thread") == seq
        return self.body.get("target") == seq or in_thread


class Following(Struct, frozen=True):
    """Whether somebody follows a thread, and up to which event they have read it."""

    on: bool
    read: int


class Room:
    """What was said, who are members and since when, and how far they have read. Nothing is kept that can be counted.

    Whoever says something must be allowed to; whether a change changes anything is found out here.
    """

    def __init__(self, name: str = "lobby") -> None:
        self.name = name
        self.log: list[Said] = []
        self.since: dict[str, int] = {}  # by the user_id of members
        self.read: dict[str, int] = {}
        self.follows: dict[tuple[int, str], Following] = {}  # by root and user_id

    @property
    def head(self) -> int:
        return len(self.log)

    # what people do

    def write(self, kind: str, by: Person, body: dict[str, Any], *, ts: str = "", cid: str | None = None) -> int:
        """Whatever it is, the log's next event: its `seq`."""
        self.log.append(Said(self.head + 1, kind, by, ts, cid, body))
        if kind == "message" and "thread" in body:
            self._follow(by.user_id, body["thread"], {one["user_id"] for one in body.get("mentions", ())})
        elif kind == "message" and by.user_id in self.since:
            self.read[by.user_id] = self.head
        if kind == "member" and body["change"] == "joined":
            self.since[body["user_id"]] = self.read[body["user_id"]] = self.head
        if kind == "member" and body["change"] == "left":
            self.since.pop(body["user_id"], None)
        return self.head

    def changes(self, kind: str, by: Person, target: int, detail: str = "") -> dict[str, Any] | None:
        """The body of what somebody does to a message; None when that changes nothing."""
        body: dict[str, Any] = {"target": target}
        match kind:
            case "edited":
                return None if self.text(target) == detail else body | {"text": detail}
            case "deleted":
                thread = self.log[target - 1].body.get("thread")
                return body if thread is None else body | {"thread": thread}
            case "reacted" | "unreacted":
                put = (detail, by.user_id) in self.reactions(target)
                return None if put == (kind == "reacted") else body | {"emoji": detail}
            case _:
                return None if self.is_pinned(target) == (kind == "pinned") else body

    def _follow(self, user_id: str, root: int, mentioned: set[str]) -> None:
        """Who replies has read up to there; whose message it is and who is mentioned hear of it from then on."""
        if user_id in self.since:
            self.follows[root, user_id] = Following(True, self.head)
        for who in {self.log[root - 1].by.user_id, *mentioned}:
            if who in self.since:
                self.follows.setdefault((root, who), Following(True, self.head - 1))

    def read_to(self, user_id: str, seq: int) -> None:
        self.read[user_id] = max(self.read[user_id], seq)

    def read_thread_to(self, user_id: str, root: int, seq: int) -> None:
        before = self.follows.get((root, user_id), Following(False, 0))
        self.follows[root, user_id] = Following(True, max(before.read, seq))

    def follow(self, user_id: str, root: int, on: bool) -> None:
        """Who begins to follow, or ends, has read what there is."""
        before = self.follows.get((root, user_id), Following(not on, 0))
        if before.on != on:
            self.follows[root, user_id] = Following(on, max([root, before.read, *self.messages(thread=root)]))

    # what is so

    def about(self, seq: int, *kinds: str) -> Iterator[Said]:
        """The events about a message, in order."""
        return (event for event in self.log if event.is_about(seq) and (not kinds or event.kind in kinds))

    def of(self, seq: int, *kinds: str) -> list[Said]:
        """Those whose target it is."""
        return [event for event in self.about(seq, *kinds) if event.body.get("target") == seq]

    def messages(self, thread: int | None = None) -> list[int]:
        return [event.seq for event in self.log if event.kind == "message" and event.body.get("thread") == thread]

    def is_deleted(self, seq: int) -> bool:
        return bool(self.of(seq, "deleted"))

    def is_pinned(self, seq: int) -> bool:
        stuck = self.of(seq, "pinned", "unpinned")
        return bool(stuck) and stuck[-1].kind == "pinned"

    def text(self, seq: int) -> str:
        return str(self._words(seq)["text"])

    def mentioned(self, seq: int) -> set[str]:
        """The user_ids that a message mentions now; nobody mentions themselves."""
        if self.is_deleted(seq):
            return set()
        return {one["user_id"] for one in self._words(seq).get("mentions", ())} - {self.log[seq - 1].by.user_id}

    def reactions(self, seq: int) -> set[tuple[str, str]]:
        """Emoji and user_id of each."""
        there: set[tuple[str, str]] = set()
        for event in self.of(seq, "reacted", "unreacted"):
            one = (event.body["emoji"], event.by.user_id)
            there = there | {one} if event.kind == "reacted" else there - {one}
        return there

    def unread(self, user_id: str) -> int:
        return sum(seq > self.read[user_id] and not self.is_deleted(seq) for seq in self.messages())

    def unread_replies(self, user_id: str, root: int) -> int:
        read = self.follows[root, user_id].read
        return sum(seq > read and not self.is_deleted(seq) for seq in self.messages(thread=root))

    def mentions(self, user_id: str) -> list[int]:
        """Messages, also in threads, that mention them."""
        said = [event.seq for event in self.log if event.kind == "message"]
        return [seq for seq in said if self.mentioned(seq) & {user_id, ROOM}]

    def unread_mentions(self, user_id: str) -> list[int]:
        return [seq for seq in self.mentions(user_id) if seq > self.read[user_id]]

    # as the server tells it

    def history(self, viewer: str | None, thread: int | None = None) -> list[dict[str, Any]]:
        return [self.present(seq, viewer) for seq in self.messages(thread)]

    def present(self, seq: int, viewer: str | None) -> dict[str, Any]:
        """A message as a page of history has it."""
        changed, edits = list(self.about(seq)), self.of(seq, "edited")
        frame = self.row(seq) | {"rev": changed[-1].seq if changed else seq}
        replies = self.messages(thread=seq)
        if replies:
            alive = sum(not self.is_deleted(reply) for reply in replies)
            frame |= {"replies": alive, "last_reply": replies[-1]}
        if self.is_deleted(seq):
            return frame
        if edits:
            frame["edited"] = edits[-1].ts
        if self.is_pinned(seq):
            frame["pinned"] = True
        there = self.reactions(seq)
        if there:
            emojis = [emoji for emoji, _ in there]
            frame["reactions"] = [
                {"emoji": emoji, "count": emojis.count(emoji)} | ({"mine": True} if (emoji, viewer) in there else {})
                for emoji in sorted(set(emojis))
            ]
        return frame

    def row(self, seq: int) -> dict[str, Any]:
        """An event as it is told to who was away: a message in its present words, an edit if it is the last."""
        event = self.log[seq - 1]
        body = dict(event.body)
        if event.kind == "message" and self.is_deleted(seq):
            body = {"deleted": True} | ({"thread": body["thread"]} if "thread" in body else {})
        elif event.kind == "message":
            body = {name: value for name, value in body.items() if name != "mentions"} | self._words(seq)
        elif event.kind == "edited" and any(e.seq > seq for e in self.of(body["target"], "edited", "deleted")):
            body = {"target": body["target"], "superseded": True}
        return self._frame(event, body)

    def live(self, seq: int) -> dict[str, Any]:
        """An event as it is told to who is there."""
        return self._frame(self.log[seq - 1], self.log[seq - 1].body)

    def compact(self, since: int, limit: int, viewer: str | None) -> tuple[list[Frame], int, bool]:
        """What became of the events after `since`: that of `limit` places, up to which event, and whether more did.

        Two entries may have one place: a reply, and the message that its thread hangs on.
        """
        entries: list[Frame] = [self.present(event.seq, viewer) for event in self.log if event.kind == "message"]
        entries += [self.live(event.seq) for event in self.log if event.kind in ("member", "room")]
        places = sorted({_place(entry) for entry in entries if _place(entry) > since})
        to = places[limit - 1] if len(places) > limit else self.head
        page = [entry for entry in sorted(entries, key=_place) if since < _place(entry) <= to]
        return page, to, len(places) > limit

    def _words(self, seq: int) -> dict[str, Any]:
        """The text and the mentions of the message or of its last edit."""
        last = (self.of(seq, "edited") or [self.log[seq - 1]])[-1].body
        return {name: last[name] for name in ("text", "mentions") if name in last}

    def _frame(self, event: Said, body: dict[str, Any]) -> dict[str, Any]:
        cid = {} if event.cid is None else {"cid": event.cid}
        return {
            "type": event.kind, "room": self.name, "seq": event.seq, "from": event.by.user, "from_id": event.by.user_id,
            "ts": event.ts, **cid, **body,
        }  # fmt: skip


def _place(entry: Frame) -> int:
    """Of a message its last change, of another event itself."""
    return int(entry.get("rev", entry["seq"]))
