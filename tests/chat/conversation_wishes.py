"""What people in a conversation wish to do, what it comes to when a message is chosen, and how it is to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st
from msgspec import Struct

from tests.chat.conversation_model import Room
from tests.chat.conversation_people import Act, Device
from trichat.core.events import Person

EMOJIS: Final = ("👍", "🎉")
TEXTS: Final = ("hello", "hi @bob", "@ann and @bob", "all of you, @room")
MENTIONED: Final = {"@ann": "ann", "@bob": "bob"}

devices = st.integers(0, 6)
nodes = st.integers(0, 1)
#: After so many steps of what somebody does, their connection is lost; mostly it is not.
cuts = st.one_of(st.none(), st.none(), st.integers(0, 60))
#: Which message is meant, counted from the last one: mostly a late one.
backs = st.integers(0, 15)


class Wish(Struct, frozen=True):
    """What a device is to do, about a message that is still to be chosen."""

    device: int
    kind: str
    back: int
    detail: str = ""
    thread: int | None = None
    reply: int | None = None


says = st.builds(
    Wish, devices, st.just("message"), st.just(0), st.sampled_from(TEXTS), st.one_of(st.none(), backs, backs),
    st.one_of(st.none(), st.none(), backs),
)  # fmt: skip
edits = st.builds(Wish, devices, st.just("edited"), backs, st.sampled_from(TEXTS))
deletes = st.builds(Wish, devices, st.just("deleted"), backs)
reacts = st.builds(Wish, devices, st.sampled_from(["reacted", "reacted", "unreacted"]), backs, st.sampled_from(EMOJIS))
sticks = st.builds(Wish, st.sampled_from([0, 1, 2]), st.sampled_from(["pinned", "unpinned"]), backs)
wishes = st.one_of(says, says, edits, deletes, reacts, sticks)


class Wishes:
    """Wishes become acts about messages that there are. `people` are those who can be mentioned, by name."""

    def __init__(self, room: Room, people: Mapping[str, Person]) -> None:
        self.room = room
        self._people = people

    def root(self, back: int) -> int | None:
        """Half of the time a message that has a thread already."""
        roots = self.room.messages()
        begun = [root for root in roots if self.room.messages(thread=root)] if back % 2 else []
        choice = begun or roots
        return choice[-1 - back // 2 % len(choice)] if choice else None

    def act(self, device: Device, wish: Wish) -> Act | None:
        """What is wished, of a message that there is; None when there is none, or they are not in the room."""
        if not device.joined:
            return None
        said = [event.seq for event in self.room.log if event.kind == "message"]
        if wish.kind == "message":
            return Act("message", self._words(device, wish, said))
        if not said:
            return None
        sensible = [seq for seq in said if self._makes_sense(wish.kind, seq, device.person.user_id)]
        choice = sensible if sensible and wish.back % 4 else said
        body: dict[str, Any] = {"target": choice[-1 - wish.back // 2 % len(choice)]}
        thread = self.room.log[body["target"] - 1].body.get("thread")
        match wish.kind:
            case "edited":
                body |= {"text": wish.detail} | self._mentions(device, wish.detail)
            case "reacted" | "unreacted":
                body["emoji"] = wish.detail
            case "deleted" if thread is not None:
                body["thread"] = thread
        return Act(wish.kind, body)

    def _makes_sense(self, kind: str, seq: int, user_id: str) -> bool:
        """Whether it would probably come to something: most of what people do."""
        if self.room.is_deleted(seq):
            return False
        match kind:
            case "edited" | "deleted":
                return self.room.log[seq - 1].by.user_id == user_id
            case "unreacted":
                return any(who == user_id for _, who in self.room.reactions(seq))
            case "pinned" | "unpinned":
                return self.room.is_pinned(seq) == (kind == "unpinned")
            case _:
                return True

    def _words(self, device: Device, wish: Wish, said: list[int]) -> dict[str, Any]:
        body: dict[str, Any] = {"text": wish.detail}
        if wish.reply is not None and said:
            body["reply_to"] = said[-1 - wish.reply % len(said)]
        if wish.thread is not None and (root := self.root(wish.thread)) is not None:
            body["thread"] = root
        return body | self._mentions(device, wish.detail)

    def _mentions(self, device: Device, text: str) -> dict[str, Any]:
        """Whom a text mentions: those who are there for sure; the room, if its owner says so."""
        whom = [
            {"user": name, "user_id": self._people[name].user_id} for word, name in MENTIONED.items() if word in text
        ]  # fmt: skip
        if "@room" in text and device.person.user == "ann":
            whom.append({"user": "room", "user_id": "*"})
        return {"mentions": whom} if whom else {}

    def fate(self, device: Device, act: Act) -> bool | str:
        """Whether it becomes an event (else all is so already), or the code of the refusal."""
        who, owner = device.person, device.person.user == "ann"
        if act.kind == "message":
            return self._fate_of_place(act.body.get("reply_to"), act.body.get("thread")) or True
        mine = self.room.log[act.target - 1].by.user_id == who.user_id
        needs_owner = act.kind in ("pinned", "unpinned") or (act.kind == "deleted" and not mine)
        if (act.kind == "edited" and not mine) or (needs_owner and not owner):
            return "forbidden"
        if self.room.is_deleted(act.target):
            return False if act.kind == "deleted" else "bad_state"
        detail = act.body.get("text") or act.body.get("emoji") or ""
        return self.room.changes(act.kind, who, act.target, detail) is not None

    def _fate_of_place(self, reply_to: int | None, thread: int | None) -> str | None:
        hangs_on = [seq for seq in (reply_to, thread) if seq is not None]
        if any(self.room.is_deleted(seq) for seq in hangs_on):
            return "bad_field"
        if reply_to is None or thread is None or reply_to == thread:
            return None
        return None if self.room.log[reply_to - 1].body.get("thread") == thread else "bad_field"
