"""Recomputes what follows from a room's log, by a fold of its own, and compares it with what is stored.

Nothing here is shared with the code that keeps these figures: an error would be in both. In memory stay the numbers of
the messages (16 bytes for each), and a state for each message that was changed or mentions somebody.
"""

from __future__ import annotations

from array import array
from typing import Final, assert_never

import msgspec

from trichat.core.doctor.examined import (
    Difference,
    Figure,
    Finding,
    IndexPage,
    Key,
    LogEntry,
    LogPage,
    Part,
    RoomFigures,
    TablePage,
    Value,
)
from trichat.core.doctor.messages import MessageState, Said
from trichat.core.doctor.numbers import Numbers
from trichat.core.doctor.tables import Tables
from trichat.core.events import EVERYBODY
from trichat.core.names import UserId
from trichat.core.present import TOMBSTONE

_decode: Final = msgspec.json.Decoder(Said).decode
_COME: Final = frozenset({"joined", "role"})
_GONE: Final = frozenset({"left", "kicked", "banned"})
_MENTIONS: Final = b'"mentions":'  # of a text of its own it says nothing: there quotes are escaped


class Diagnosis:
    """Takes the parts of one examination in their order; each `take` and `end` gives what was found meanwhile."""

    def __init__(self, figures: RoomFigures) -> None:
        self._figures = figures
        self._found: list[Finding] = []
        self._last_seq = figures.first_seq - 1
        self._numbers = Numbers(figures)
        self._states: dict[int, MessageState] = {}
        self._replies: dict[int, array[int]] = {}  # by root
        self._members: set[UserId] = set()  # who surely are members, by the events so far
        self._tables: Tables | None = None

    def take(self, part: Part) -> list[Finding]:
        match part:
            case RoomFigures():
                raise AssertionError("the figures come first, and once")
            case LogPage(entries):
                for entry in entries:
                    self._event(entry)
            case TablePage(rows):
                tables = self._ended()
                for row in rows:
                    self._all(tables.compare(row))
            case IndexPage(seqs):
                self._all(self._ended().compare_index(seqs))
            case _:
                assert_never(part)
        return self._flush()

    def end(self) -> list[Finding]:
        """All parts have come."""
        self._all(self._ended().missing())
        return self._flush()

    # the log

    def _event(self, entry: LogEntry) -> None:
        if entry.seq <= self._last_seq:
            self._differ("kept", (entry.seq,), (), None)
            return
        if entry.seq > self._last_seq + 1:
            self._differ("seq", (self._last_seq + 1, entry.seq - 1), None, ())
        self._last_seq = entry.seq
        main = entry.kind == "message" and entry.thread is None
        self._all(self._numbers.take(entry, main=main))
        if entry.kind == "message":
            self._message(entry)
        elif entry.kind == "member":
            self._member(_decode(entry.body))
        elif entry.target is not None:
            self._about(entry, entry.target)

    def _member(self, said: Said) -> None:
        if said.change in _COME:
            self._members.add(said.user_id)
        elif said.change in _GONE:
            self._members.discard(said.user_id)

    def _message(self, entry: LogEntry) -> None:
        if entry.thread is not None:
            self._reply(entry, entry.thread)
        changed = entry.rev or entry.deleted or entry.edited is not None or entry.body.startswith(TOMBSTONE[:-1])
        if not changed and _MENTIONS not in entry.body:
            return  # nearly all: no state is kept
        self._states[entry.seq] = state = MessageState.of(entry, _decode(entry.body))
        self._hear(state)

    def _hear(self, state: MessageState) -> None:
        """Somebody says what the message says, now: whom it mentions hears of it, if they are in the room."""
        state.heard = tuple(
            user_id
            for user_id in state.mentions
            if user_id != state.author and (user_id == EVERYBODY or user_id in self._members)
        )

    def _reply(self, entry: LogEntry, root: int) -> None:
        if root < self._figures.first_seq:
            return  # how many came before is not known any more
        replies = self._replies.setdefault(root, array("q"))
        replies.append(entry.seq)
        if entry.thread_no != len(replies):
            stored = None if entry.thread_no is None else (entry.thread_no,)
            self._differ("thread_no", (entry.seq,), stored, (len(replies),))
        self._touch(root, entry.seq)

    def _about(self, entry: LogEntry, target: int) -> None:
        if (state := self._touch(target, entry.seq)) is None:
            return
        said = _decode(entry.body)
        match entry.kind:
            case "edited":
                if (forgotten := state.edit(entry, said)) is not None:
                    self._differ("superseded", (forgotten,), (0,), (1,))
                self._hear(state)
            case "deleted":
                state.removed = True
                if said.thread is not None:
                    self._touch(said.thread, entry.seq)
            case "reacted":
                state.reactions[said.emoji, entry.user_id] = entry.seq
            case "unreacted":
                state.reactions.pop((said.emoji, entry.user_id), None)
            case "pinned":
                state.pin = entry.seq
            case "unpinned":
                state.pin = 0

    def _touch(self, seq: int, rev: int) -> MessageState | None:
        """The state of the message `seq`, changed by the event `rev`; None when it is kept no more."""
        if seq < self._figures.first_seq:
            return None
        state = self._states.setdefault(seq, MessageState())
        state.told_rev = rev
        return state

    # its end

    def _ended(self) -> Tables:
        if self._tables is None:
            self._tables = Tables(self._figures, self._numbers, self._states, self._replies, self._last_seq)
            self._compare_heads()
            for seq, state in self._states.items():
                self._all(state.differences(seq))
        return self._tables

    def _compare_heads(self) -> None:
        figures = self._figures
        numbers = self._numbers
        self._all(numbers.end())
        pairs: list[tuple[Figure, int, int]] = [
            ("last_seq", figures.last_seq, self._last_seq),
            ("last_no", figures.last_no, numbers.no),
            ("last_message", figures.last_message, numbers.last_message),
        ]
        for what, stored, computed in pairs:
            if stored != computed:
                self._differ(what, (), (stored,), (computed,))

    # what was found

    def _differ(self, what: Figure, key: Key, stored: Value | None, computed: Value | None) -> None:
        self._found.append(Finding(self._figures.room, self._figures.id, what, key, stored, computed))

    def _all(self, differences: list[Difference]) -> None:
        for difference in differences:
            self._differ(*difference)

    def _flush(self) -> list[Finding]:
        found, self._found = self._found, []
        return found
