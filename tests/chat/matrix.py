"""The machinery of the matrix: everything is asked as somebody who stands so to a room, at every node."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import Any, Final

import trio
from msgspec import Struct

from tests.chat.guests import Guest
from tests.chat.matrix_law import LABELS, Who, event_of, hidden, listens, outcome, shows, type_of
from tests.chat.matrix_stage import TEXT, Cast, Picture, Somebody, Stage, look, make_cast, set_stage, somebody
from tests.chat.persons import SOON_S, quiet
from tests.people import make_bot
from trichat.chat.ports import Store
from trichat.core.events import Person
from trichat.core.names import RoomName, UserId
from trichat.core.standing import Role, RoomRules

#: The nodes, by number.
NODES: Final = (0, 1)
#: Names of rooms that never were.
NEVER: Final = {"public": "never", "private": "~" + "n" * 12, "direct": "@" + "n" * 26}
#: What leaves the subject a listener, or no more one, or the room gone: a new stage comes after it.
_USING_UP: Final = frozenset({"join", "resume", "leave", "delete_room", "direct"})

#: Virtual seconds in which the other node hears of an event that is announced, whole: before it looks by itself.
AT_ONCE_S: Final = 0.01
#: What is announced without the event: the other node reads the store, in SOON_S.
_BY_LOOKING: Final = frozenset({"direct", "delete_room"})

_numbers: Final = count(1)


class Heard(Struct, frozen=True):
    """What came of a command: `ok` or a code; and all that was said of it, without `id`, with `ROOM` for the name."""

    outcome: str
    said: str


class Play:
    """One subject and the rooms of one kind, over nodes that share `store`; `connect` gives a client at a node.

    `mark` is the end of all names, so that other plays may have the same store; `within_s` is in what time the other
    node is to hear of something.
    """

    def __init__(
        self,
        store: Store,
        connect: Callable[[int], Awaitable[Guest]],
        who: Who,
        rules: RoomRules,
        *,
        mark: str = "",
        within_s: float = AT_ONCE_S,
    ) -> None:
        self.store = store
        self.who = who
        self.rules = rules
        self.rank = Role.MEMBER  # of whom commands are about
        self.rooms: list[RoomName] = []  # all that were made
        self._mark = mark
        self._within_s = within_s
        self._connect = connect
        self._clients: dict[tuple[UserId, int], Guest] = {}
        self._refusals: dict[str, Heard] = {}

    async def begin(self) -> None:
        self.cast: Cast = await make_cast(self.store, self._mark)
        self.subject: Somebody = await self._make_subject()

    async def wrong(self, labels: Iterable[str] = LABELS) -> list[str]:
        """Ask all of it at each node; where it is not as the law says, in words."""
        stage: Stage | None = None
        wrong: list[str] = []
        self._refusals.clear()
        for label in labels:
            for node in NODES:
                if stage is None or (label in ("join", "resume") and node in stage.subject_at):
                    stage = await self.stage()
                problems, used_up = await self._cell(stage, label, node)
                wrong += [f"{label} at node {node}: {problem}" for problem in problems]
                stage = None if used_up else stage
        return wrong

    async def stage(self) -> Stage:
        stage = await set_stage(self.store, self.cast, self.subject, self.who, self.rules, rank=self.rank)
        self.rooms.append(stage.name)
        return stage

    # one question

    async def _cell(self, stage: Stage, label: str, node: int) -> tuple[list[str], bool]:
        listeners = [await self.client(stage.host, at, stage) for at in NODES]
        subject = await self.subject_at(node, stage, label)
        if label in _BY_LOOKING:
            await quiet()
        before = stage.picture or await self._look(stage)
        heard = await ask(subject, label, stage, stage.name)
        after = stage.picture = await self._look(stage)
        expected = outcome(label, self.who, self.rules, self.rank)
        if heard.outcome != expected:
            return [f"expected {expected}, heard {heard.said}"], True
        if expected != "ok":
            problems = [] if before == after else [f"refused, and yet {before} became {after}"]
            if (elsewhere := self._refusals.setdefault(label, heard)) != heard:
                problems.append(f"heard {heard.said}, at the other node {elsewhere.said}")
            if hidden(self.who, self.rules):
                problems += await self._as_of_no_room(subject, label, stage, heard)
            return problems, bool(problems)
        problems = self._amiss(label, heard) + await self._effect(stage, label, before, after, listeners[1 - node])
        return problems, before != after or label in _USING_UP

    def _amiss(self, label: str, heard: Heard) -> list[str]:
        """What is shown to somebody who is not to see it, or not shown to somebody who is."""
        expected = shows(label, self.who, self.rules)
        shown = (TEXT if label in ("history", "events") else '"ROOM"') in heard.said
        return [] if expected in (None, shown) else [f"expected {expected}, heard {heard.said}"]

    async def _as_of_no_room(self, subject: Guest, label: str, stage: Stage, heard: Heard) -> list[str]:
        never = await ask(subject, label, stage, NEVER[self.rules.kind])
        return [] if never == heard else [f"of a room that never was is said {never.said}, here {heard.said}"]

    async def _effect(
        self, stage: Stage, label: str, before: Picture | None, after: Picture | None, listener: Guest
    ) -> list[str]:
        """What is wrong with what an allowed command did, in the log and at the other node."""
        assert before is not None
        if label == "delete_room":
            with trio.move_on_after(SOON_S):
                await listener.until(lambda: listener.closed is not None)
            self._clients.clear()
            return [] if after is None and listener.closed == 4202 else [f"{after}, closed with {listener.closed}"]
        assert after is not None
        event = event_of(label, self.who, self.rules)
        if after.head != before.head + (event is not None):
            return [f"the head went from {before.head} to {after.head}"]
        if event is None:
            return []
        within_s = SOON_S if label in _BY_LOOKING else self._within_s
        try:
            await listener.until(lambda: _event(listener, stage, after.head) is not None, within_s)
        except trio.TooSlowError:
            return [f"nothing is heard of it at the other node in {within_s} s"]
        frame = _event(listener, stage, after.head) or {}
        found = (frame["type"], frame.get("change", ""))
        return [] if found == event else [f"the other node hears {frame}"]

    async def _look(self, stage: Stage) -> Picture | None:
        people = {one.user_id: one for one in (*self.cast.everybody(), stage.host.person, self.subject.person)}
        return await look(self.store, stage, list(people.values()))

    # clients

    async def subject_at(self, node: int, stage: Stage, label: str = "") -> Guest:
        """The subject's connection to this node; it listens if they may, unless the question is whether they may."""
        joins = label not in ("join", "resume") and listens(self.who, self.rules)
        client = await self.client(self.subject, node, stage if joins else None)
        if joins:
            stage.subject_at.add(node)
        return client

    async def client(self, one: Somebody, node: int, stage: Stage | None = None) -> Guest:
        """Their connection to this node, which listens to the stage's room if there is one."""
        key = (one.person.user_id, node)
        client = self._clients.get(key)
        if client is None or client.closed is not None:
            client = self._clients[key] = await self._connect(node)
            assert (await client.ask("auth", token=one.token))["type"] == "ok"
        if stage is not None and stage.name not in _joined(client):
            await client.join(stage.name)
        return client

    async def _make_subject(self) -> Somebody:
        if self.who.guest:
            welcome = (await self._connect(0)).frames[0]
            return Somebody(Person(welcome["user"], welcome["user_id"]), welcome["token"])
        name = "subject" + self._mark
        if self.who.scopes is None:
            return await somebody(self.store, name, admin=self.who.admin)
        only = ["elsewhere"] if self.who.elsewhere else None
        key = await make_bot(self.store, name, list(self.who.scopes), only)
        person = await self.store.accounts.find_person(name)
        assert person is not None
        return Somebody(person, key)


async def ask(subject: Guest, label: str, stage: Stage, room: str) -> Heard:
    """Give the command of this label about `room`, as if it were that of `stage`."""
    start = len(subject.frames)
    reply = await subject.ask(type_of(label), **question(label, stage, room))
    pushed = [one for one in subject.frames[start:] if one["type"] == "error" and "id" not in one]
    errors = pushed + ([reply] if reply["type"] == "error" else [])
    said = [{name: value for name, value in one.items() if name != "id"} for one in [*pushed, reply]]
    return Heard(errors[0]["code"] if errors else "ok", json.dumps(said).replace(room, "ROOM"))


def question(label: str, stage: Stage, room: str) -> dict[str, Any]:
    """The fields of the command of this label, about `room`, as if it were that of `stage`."""
    there, whom = {"room": room}, {"user": stage.whom.get(label, "")}
    fields: dict[str, dict[str, Any]] = {
        "resume": {"rooms": {room: {"since": 0}}},
        "send": {**there, "text": "hello"},
        "events": {**there, "since": 0},
        "rooms": {"after": room[:-1]},
        "rooms-mine": {"mine": True},
        "create": {"room": f"made{next(_numbers)}"},
        "direct": whom,
        "accept": {"code": stage.code},
        "uninvite": {**there, "code": stage.code},
        **{kind: {**there, **whom} for kind in ("invite", "kick", "ban", "unban", "unmute", "transfer")},
        "mute": {**there, **whom, "reason": "again"},
        "role": {**there, **whom, "role": stage.given_role},
        "role-admin": {**there, **whom, "role": "admin"},
        "edit_room": {**there, "topic": "another-topic"},
        "archive": {**there, "archived": not stage.rules.archived},
        "report": {**there, "seq": stage.seq},
        "resolve": {**there, "report": stage.report},
    }
    return fields.get(label, there)


def _event(listener: Guest, stage: Stage, seq: int) -> dict[str, Any] | None:
    return next(
        (
            frame
            for frame in listener.frames
            if frame.get("seq") == seq and frame.get("room") == stage.name and "from" in frame
        ),
        None,
    )


def _joined(client: Guest) -> set[str]:
    """The rooms that this client listens to, as it was told."""
    joined: set[str] = set()
    for frame in client.frames:
        if frame["type"] == "joined":
            joined.add(frame["room"])
        elif frame["type"] == "left":
            joined.discard(frame["room"])
    return joined
