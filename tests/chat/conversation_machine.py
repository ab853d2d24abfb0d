"""Whatever people do in a conversation, on several devices and nodes, with connections lost at any moment.

Each device's copy is what the server's history says, and what is unread is what a recount says.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
import pytest
import trio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec import structs

from tests.chat.conversation_model import Room, Said
from tests.chat.conversation_people import ROOM, Act, Device
from tests.chat.conversation_wishes import Wish, Wishes, backs, cuts, devices, nodes, wishes
from tests.conditions import until
from tests.nodes import LOOSE
from trichat.chat.ports import Store
from trichat.client import Changed, Refused, Sent
from trichat.core.codec import format_ts
from trichat.core.doctor.diagnosis import Diagnosis
from trichat.core.doctor.examined import Finding, RoomFigures
from trichat.core.events import Person
from trichat.core.limits import Limits
from trichat.core.names import RoomName

NAMES: Final = ("ann", "bob", "cat", "gus")  # an owner, two members of whom one comes and goes, and a guest
CALM_S: Final = 60.0  # in which everybody has heard everything

#: So small that what was missed is often more than one replay, one ring or one page.
LIMITS: Final[Limits] = structs.replace(LOOSE, replay=10, ring_events=4, page=6)


class Stage(Protocol):
    """Where it is played: two nodes over one store."""

    @property
    def store(self) -> Store: ...

    def call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any: ...

    async def open_device(self, name: str, node: int, *, fill_gaps: bool) -> Device: ...

    def lose_news(self, count: int) -> None: ...

    def close(self) -> None: ...


class Conversation(RuleBasedStateMachine):
    """The room of one run, on a stage of its own."""

    calm_s = CALM_S

    def __init__(self) -> None:
        super().__init__()
        self.stage: Stage | None = None
        self.sound = True  # nothing has failed yet
        self.room = Room(ROOM)
        self.cids = itertools.count()
        self.acts: dict[str, Act] = {}  # by cid

    @initialize(gappy=st.lists(st.booleans(), min_size=7, max_size=7))
    def begin(self, gappy: list[bool]) -> None:
        self.stage = self.new_stage()
        self.call(self._come_in, gappy)

    async def _come_in(self, gappy: list[bool]) -> None:
        assert self.stage is not None
        homes = [(name, node) for name in NAMES for node in (0, 1)][:7]
        self.devices = [
            await self.stage.open_device(name, node, fill_gaps=not gaps)
            for (name, node), gaps in zip(homes, gappy, strict=True)
        ]
        self.wishes = Wishes(self.room, {device.person.user: device.person for device in self.devices})
        await self.devices[0].client.create(ROOM)
        for device in self.devices:
            await device.join()
        await self._learn()
        for number, device in enumerate(self.devices):  # odd ones in a thread that hangs on the first
            thread = {"thread": self.room.messages()[0]} if number % 2 else {}
            act = Act("message", {"text": f"hello, says {number}"} | thread)
            await device.act(act, self._cid(act))
            await self._learn()

    def call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        assert self.stage is not None

        async def limited() -> Any:
            with trio.fail_after(5 * self.calm_s):
                return await function(*args)

        self.sound = False
        answer = self.stage.call(limited)
        self.sound = True
        return answer

    def teardown(self) -> None:
        if self.stage is None:
            return
        try:
            if self.sound:
                self.all_have_the_truth()
        finally:
            self.stage.close()

    def new_stage(self) -> Stage:
        raise NotImplementedError

    # what is done

    @rule(doings=st.lists(st.tuples(wishes, cuts, nodes), min_size=2, max_size=8))
    def do(self, doings: list[tuple[Wish, int | None, int]]) -> None:
        """One after the other does something, and it comes to what the model says."""
        for wish, cut, node in doings:
            act = self.wishes.act(self.devices[wish.device], wish)
            if act is not None:
                self.call(self._do, self.devices[wish.device], act, cut, node)

    async def _do(self, device: Device, act: Act, cut: int | None, node: int) -> None:
        expected = self.wishes.fate(device, act)
        device.here = True
        got = await device.attempt(act, self._cid(act), cut_after=cut, node=node)
        head = self.room.head
        await self._learn()
        if isinstance(expected, str) or isinstance(got, str):
            assert got == expected, act
        else:
            assert (self.room.head > head, got.seq) == (expected, self.room.head), act

    @rule(wished=st.lists(wishes, min_size=2, max_size=4), cut=cuts, node=nodes)
    def do_at_once(self, wished: list[Wish], cut: int | None, node: int) -> None:
        """Several do something at once: the log says in which order, and what is acknowledged is in it once."""
        acts = [
            (self.devices[wish.device], act)
            for wish in wished
            if (act := self.wishes.act(self.devices[wish.device], wish)) is not None
        ]
        self.call(self._do_at_once, acts, cut, node)

    async def _do_at_once(self, acts: Sequence[tuple[Device, Act]], cut: int | None, node: int) -> None:
        results: dict[str, Sent | Changed | str] = {}

        async def attempt(device: Device, act: Act) -> None:
            device.here = True
            cid = self._cid(act)
            results[cid] = await device.attempt(act, cid, cut_after=cut, node=node)

        async with trio.open_nursery() as nursery:
            for device, act in acts:
                nursery.start_soon(attempt, device, act)
        await self._learn()
        placed = {event.cid: event.seq for event in self.room.log if event.cid is not None}
        for cid, got in results.items():
            assert not isinstance(got, str) or cid not in placed
            assert isinstance(got, str) or got.seq == placed.get(cid, got.seq)

    @rule(device=st.integers(0, 5), back=st.integers(-1, 12), thread=st.one_of(st.none(), backs))
    def read(self, device: int, back: int, thread: int | None) -> None:
        """Somebody has read the room, or a thread, up to some event: or to one that is not there yet."""
        root = None if thread is None else self.wishes.root(thread)
        self.call(self._read, self.devices[device], max(0, self.room.head - back), root)

    async def _read(self, device: Device, seq: int, root: int | None) -> None:
        who = device.person.user_id
        if who not in self.room.since:
            return
        device.here = True
        if seq > self.room.head:
            with pytest.raises(Refused, match="bad_field"):
                await device.client.read(ROOM, seq, thread=root)
            return
        reply = await device.client.read(ROOM, seq, thread=root)
        if root is None:
            self.room.read_to(who, seq)
            now = self.room.read[who], self.room.unread(who), len(self.room.unread_mentions(who))
            assert (reply.read, reply.unread, reply.mentions) == now
        else:
            self.room.read_thread_to(who, root, seq)
            assert reply.unread == self.room.unread_replies(who, root)

    @rule(device=st.integers(0, 5), back=backs, on=st.booleans())
    def follow(self, device: int, back: int, on: bool) -> None:
        root = self.wishes.root(back)
        if root is not None and self.devices[device].person.user_id in self.room.since:
            self.call(self._follow, self.devices[device], root, on)

    async def _follow(self, device: Device, root: int, on: bool) -> None:
        device.here = True
        reply = await (device.client.follow if on else device.client.unfollow)(ROOM, root)
        self.room.follow(device.person.user_id, root, on)
        assert reply.following == on

    @rule(device=st.sampled_from([4, 5]))
    def leave_or_join(self, device: int) -> None:
        """Who comes and goes does it on one device; on the other one they hear of it."""
        self.call(self._leave_or_join, self.devices[device])

    async def _leave_or_join(self, device: Device) -> None:
        both = self.devices[4:6]
        for one in both:
            one.here = True
        if device.person.user_id in self.room.since:
            await device.leave()
            await until(lambda: not any(one.joined for one in both), self.calm_s)
        else:
            for one in both:
                await one.join()
        await self._learn()

    # what befalls them

    @rule(device=devices, node=nodes, stays_away=st.booleans())
    def lose_the_connection(self, device: int, node: int, stays_away: bool) -> None:
        """Until it comes back for something, or at once, here or there."""
        self.devices[device].here = not stays_away
        self.call(self._cut, self.devices[device], node)

    async def _cut(self, device: Device, node: int) -> None:
        await device.cut(node=node)

    @rule(count=st.integers(1, 4))
    def lose_news(self, count: int) -> None:
        """What nodes tell each other of the next events is lost, and nobody notices."""
        assert self.stage is not None
        self.stage.lose_news(count)

    # what holds

    @precondition(lambda self: self.stage is not None)
    @rule()
    def all_have_the_truth(self) -> None:
        self.call(self._settle)

    async def _settle(self) -> None:
        for device in self.devices:
            device.here = True
        await self._learn()
        for device in self.devices:
            if device.joined:
                await until(lambda device=device: device.copy.position == self.room.head, self.calm_s)  # type: ignore[misc]
                await device.client.complete(device.copy)
                await self._compare(device)
        for device in self.devices[0:6:2]:
            if device.joined:
                await self._recount(device)
        assert await self._findings() == []

    async def _compare(self, device: Device) -> None:
        """The copy that was made of events, the server's history, and the model: one truth."""
        who = device.person.user_id
        roots = {int(seq) for seq in self.room.messages() if self.room.messages(thread=seq)}
        for thread in (None, *sorted(roots)):
            history = await device.history(thread)
            assert device.copy.history(thread) == history
            assert history == self.room.history(who, thread)

    async def _recount(self, device: Device) -> None:
        who, room = device.person.user_id, self.room
        (mine,) = (await device.client.inbox()).rooms
        assert (mine.seq, mine.read) == (room.head, room.read[who])
        assert (mine.unread, mine.mentions) == (room.unread(who), len(room.unread_mentions(who)))
        mentions = (await device.client.mentions(limit=100)).mentions
        unread = set(room.unread_mentions(who))
        assert [(one.message["seq"], one.unread) for one in mentions] == [
            (seq, seq in unread) for seq in reversed(room.mentions(who))
        ]
        listed = (await device.client.threads(ROOM, all=True, limit=100)).threads
        last = {root: room.messages(thread=root)[-1] for root in room.messages() if room.messages(thread=root)}
        assert [one.message["seq"] for one in listed] == sorted(last, key=lambda root: last[root], reverse=True)
        for one in listed:
            following = room.follows.get((one.message["seq"], who))
            assert one.following == (following is not None and following.on)
            if one.following:
                assert one.unread == room.unread_replies(who, one.message["seq"])

    async def _findings(self) -> list[Finding]:
        """What the doctor finds."""
        assert self.stage is not None
        diagnosis: Diagnosis | None = None
        found: list[Finding] = []
        async for part in self.stage.store.administration.examine(RoomName(ROOM)):
            if isinstance(part, RoomFigures):
                diagnosis = Diagnosis(part)
            else:
                assert diagnosis is not None
                found += diagnosis.take(part)
        assert diagnosis is not None
        return found + diagnosis.end()

    # what the model is told

    async def _learn(self) -> None:
        """The model takes what is new in the log: the order from the store, what was said from who said it."""
        assert self.stage is not None
        for event in await self._new_events():
            assert event.seq == self.room.head + 1
            act = self.acts.get(event.cid or "")
            assert act is None or act.kind == event.kind
            body = event.body if act is None else act.body
            self.room.write(event.kind, event.by, body, ts=event.ts, cid=event.cid)

    async def _new_events(self) -> list[Said]:
        assert self.stage is not None
        rooms = await self.stage.store.open_rooms([RoomName(ROOM)], create=False)
        page = await self.stage.store.read_events(
            rooms[RoomName(ROOM)].id, after=self.room.head, limit=1_000, max_bytes=10_000_000
        )
        return [
            Said(
                event.seq, event.kind, Person(event.user, event.user_id), format_ts(event.ts), event.cid,
                msgspec.json.decode(event.body),
            )
            for event in page.events
        ]  # fmt: skip

    def _cid(self, act: Act) -> str:
        cid = f"c{next(self.cids)}"
        self.acts[cid] = act
        return cid
