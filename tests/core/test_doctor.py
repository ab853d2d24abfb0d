"""What a doctor finds in a room, from its figures, its log, its tables and its index alone."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trichat.core.accounts import ERASED
from trichat.core.codec import quote
from trichat.core.doctor import Diagnosis, Finding, IndexPage, LogEntry, LogPage, RoomFigures, TablePage, TableRow
from trichat.core.doctor.examined import Table, Value
from trichat.core.names import RoomId, RoomName, UserId


class Log:
    """A log that is made by hand; each method gives the event's `seq`."""

    def __init__(self, *, first: int = 1, first_no: int = 0) -> None:
        self.entries: list[LogEntry] = []
        self._first, self._no = first, first_no
        self._first_no = first_no

    def say(self, text: str = "hi", *, by: str = "u_ann", **fields: Any) -> int:
        body = {"text": text} | ({"mentions": fields.pop("mentions")} if "mentions" in fields else {})
        self._no += "thread" not in fields
        return self._add("message", by, body, **fields)

    def about(self, target: int, kind: str, *, by: str = "u_ann", **members: Any) -> int:
        return self._add(kind, by, {"target": target} | members, target=target)

    def member(self, user_id: str, change: str) -> int:
        return self._add("member", "u_ann", {"user": "x", "user_id": user_id, "change": change})

    def change(self, seq: int, **fields: Any) -> None:
        place = seq - self._first
        self.entries[place] = structs.replace(self.entries[place], **fields)

    def figures(self, **fields: Any) -> RoomFigures:
        mains = [entry.seq for entry in self.entries if entry.kind == "message" and entry.thread is None]
        figures = RoomFigures(
            RoomId(1), RoomName("lobby"), self._first + len(self.entries) - 1, self._no, mains[-1] if mains else 0,
            self._first, self._first_no,
        )  # fmt: skip
        return structs.replace(figures, **fields)

    def _add(self, kind: str, by: str, body: dict[str, Any], **fields: Any) -> int:
        seq = self._first + len(self.entries)
        entry = LogEntry(seq, kind, UserId(by), by, 1000 + seq, quote(body), self._no)
        self.entries.append(structs.replace(entry, **fields))
        return seq


def row(table: Table, *key: int | str, value: Value = ()) -> TableRow:
    return TableRow(table, key, value)


def found(
    log: Log, *rows: TableRow, indexed: list[int] | None = None, portion: int = 100, **figures: Any
) -> list[tuple[Any, ...]]:
    """What differs: the figure, where, what is stored and what is computed."""
    diagnosis = Diagnosis(log.figures(**figures))
    findings: list[Finding] = []
    for start in range(0, len(log.entries), portion):
        findings += diagnosis.take(LogPage(log.entries[start : start + portion]))
    for start in range(0, len(rows), portion):
        findings += diagnosis.take(TablePage(list(rows[start : start + portion])))
    for start in range(0, len(indexed or []), portion):
        findings += diagnosis.take(IndexPage((indexed or [])[start : start + portion]))
    findings += diagnosis.end()
    return [(one.what, one.key, one.stored, one.computed) for one in findings]


def test_in_an_empty_room_nothing_differs() -> None:
    assert found(Log()) == []


def test_a_page_that_is_empty_says_nothing() -> None:
    diagnosis = Diagnosis(Log().figures())
    assert diagnosis.take(LogPage([])) + diagnosis.take(TablePage([])) + diagnosis.end() == []


def test_a_hole_is_found_and_what_follows_counts_from_behind_it() -> None:
    log = Log()
    for _ in range(5):
        log.member("u_bob", "joined")
    del log.entries[1:3]
    assert found(log, last_seq=5) == [("seq", (2, 3), None, ())]


def test_one_wrong_number_is_one_difference() -> None:
    log = Log()
    for _ in range(5):
        log.say()
    log.change(3, no=9)
    assert found(log) == [("no", (3,), (9,), (3,))]


@given(st.integers(2, 6), st.integers(0, 50), st.integers(-5, 5).filter(bool))
def test_a_wrong_base_is_one_difference_and_so_is_a_wrong_first_event(events: int, base: int, wrong: int) -> None:
    """Where the beginning of a log is kept no more, only two events together tell which of the two is wrong."""
    log = Log(first=10, first_no=base)
    for _ in range(events):
        log.say()
    assert found(log) == []
    assert found(log, first_no=base + wrong) == [("first_no", (), (base + wrong,), (base,))]
    log.change(10, no=base + 1 + wrong)
    assert found(log) == [("no", (10,), (base + 1 + wrong,), (base + 1,))]


def test_replies_count_in_their_thread_and_not_in_the_room() -> None:
    log = Log()
    root = log.say()
    log.say(thread=root, thread_no=1)
    last = log.say(thread=root, thread_no=2)
    log.change(root, rev=last)
    threads = row("threads", root, value=(2, last))
    assert found(log, threads) == []
    assert found(log) == [("threads", (root,), None, (2, last))]
    assert found(log, threads, row("threads", 9, value=(1, 9))) == [("threads", (9,), (1, 9), None)]


def test_a_thread_whose_beginning_is_kept_no_more_is_left_alone() -> None:
    log = Log(first=10, first_no=3)
    log.say(thread=2, thread_no=7)
    assert found(log, row("follows", 2, "u_ann", value=(10, 7))) == []


def test_the_last_reaction_counts_and_so_does_who_put_it() -> None:
    log = Log()
    seq = log.say()
    for kind, by in (("reacted", "u_ann"), ("reacted", "u_bob"), ("unreacted", "u_ann"), ("reacted", "u_cat")):
        last = log.about(seq, kind, by=by, emoji="x")
    log.change(seq, rev=last)
    rows = row("reactions", seq, "x", "u_bob"), row("reactions", seq, "x", "u_cat")
    assert found(log, *rows) == []
    assert found(log, rows[0], row("reactions", seq, "x", "u_ann")) == [
        ("reactions", (seq, "x", "u_ann"), (), None),
        ("reactions", (seq, "x", "u_cat"), None, ()),
    ]


def test_of_the_edits_the_last_one_alone_has_a_text_and_the_message_has_the_same() -> None:
    log = Log()
    seq = log.say("two")
    first = log.about(seq, "edited", superseded=True)
    last = log.about(seq, "edited", text="two")
    log.change(seq, rev=last, edited=1000 + last)
    revisions = row("revisions", seq, seq), row("revisions", seq, first)
    assert found(log, *revisions) == []
    log.change(seq, body=b'{"text":"three"}')
    assert found(log, *revisions) == [("text", (seq,), (), (last,))]


def test_who_was_erased_has_tombstones_that_no_event_tells_of() -> None:
    log = Log()
    seq = log.say(by="u_bob")
    edit = log.about(seq, "edited", by="u_bob", superseded=True)
    log.change(seq, user=ERASED, body=b'{"deleted":true}', deleted=True, rev=edit)
    assert found(log) == []
    log.change(seq, user="u_bob")
    assert ("deleted", (seq,), (1,), (0,)) in found(log)


def test_a_mention_needs_a_row_when_its_person_was_surely_there() -> None:
    """Who else is mentioned may have one or not: whether they could read it then is not in the log."""
    log = Log()
    log.member("u_bob", "joined")
    log.member("u_cat", "joined")
    log.member("u_cat", "left")
    seq = log.say(mentions=[{"user_id": who} for who in ("u_ann", "u_bob", "u_cat", "g_gus", "*")])
    bob, room = row("mentions", seq, "u_bob"), row("mentions", seq, "*")
    assert found(log, bob, room) == []
    assert found(log, bob, room, row("mentions", seq, "g_gus")) == []
    assert found(log, room) == [("mentions", (seq, "u_bob"), None, ())]
    assert found(log, bob, room, row("mentions", seq, "u_dan")) == [("mentions", (seq, "u_dan"), (), None)]


def test_whom_an_edit_mentions_must_have_been_there_when_it_was_made() -> None:
    log = Log()
    mentions = [{"user_id": "u_bob"}]
    seq = log.say("two", mentions=mentions)
    log.member("u_bob", "joined")
    last = log.about(seq, "edited", text="two", mentions=mentions)
    log.change(seq, rev=last, edited=1000 + last)
    assert found(log, row("revisions", seq, seq)) == [("mentions", (seq, "u_bob"), None, ())]


def test_a_text_that_looks_like_mentions_is_a_text() -> None:
    log = Log()
    log.say('"mentions":[{"user_id":"u_bob"}]')
    assert found(log) == []


def test_a_marker_says_the_number_of_its_event() -> None:
    log = Log(first=4, first_no=2)
    log.say()
    log.member("u_bob", "joined")
    log.say()

    def marker(seq: int, no: int) -> list[tuple[Any, ...]]:
        return found(log, row("markers", "u_bob", value=(seq, no)))

    assert marker(0, 0) == marker(4, 3) == marker(5, 3) == marker(6, 4) == []
    assert marker(2, 1) == marker(3, 2) == []  # what it was read up to is kept no more
    assert marker(5, 4) == [("markers", ("u_bob",), (5, 4), (5, 3))]
    assert marker(3, 3) == [("markers", ("u_bob",), (3, 3), (3, 2))]
    assert marker(7, 4) == [("markers", ("u_bob",), (7, 4), (6, 4))]


def test_the_index_has_all_up_to_where_it_says_but_what_was_deleted() -> None:
    log = Log()
    first, second, third = log.say(), log.say(), log.say()
    last = log.about(second, "deleted")
    log.change(second, rev=last, deleted=True, body=b'{"deleted":true}')
    assert found(log, indexed=[first, third], indexed_seq=last) == []
    assert found(log, indexed=[first], indexed_seq=second) == []
    assert found(log, indexed=[], indexed_seq=0) == []
    assert found(log, indexed=[third], indexed_seq=0) == []  # it is being made anew
    assert found(log, indexed=[third], indexed_seq=last) == [("search", (first,), None, ())]
    assert found(log, indexed=[first], indexed_seq=last) == [("search", (third,), None, ())]
    assert found(log, indexed=[first, second, third], indexed_seq=last) == [("search", (second,), (), None)]
    assert found(log, indexed=[first, third, last], indexed_seq=last) == [("search", (last,), (), None)]


@given(st.integers(1, 9))
def test_how_it_comes_in_pages_does_not_matter(portion: int) -> None:
    log = Log()
    seqs = [log.say() for _ in range(6)]
    log.about(seqs[0], "pinned")
    last = log.about(seqs[3], "reacted", emoji="x")
    log.change(seqs[3], rev=last)
    rows = [row("markers", f"u_{n}", value=(n, n + 1)) for n in range(3)]
    assert found(log, *rows, indexed=seqs[1:], indexed_seq=last, portion=portion) == [
        ("rev", (1,), (0,), (7,)),
        ("markers", ("u_0",), (0, 1), (0, 0)),
        ("markers", ("u_1",), (1, 2), (1, 1)),
        ("markers", ("u_2",), (2, 3), (2, 2)),
        ("search", (1,), None, ()),
        ("reactions", (4, "x", "u_ann"), None, ()),
        ("pins", (1,), None, (7,)),
    ]
