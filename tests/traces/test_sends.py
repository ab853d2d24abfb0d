"""A send is one trace, over all nodes that hand it out, and names nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from tests.chat.guests import Guest
from tests.chat.rooms import batch, make_room
from tests.nodes import LOOSE, Node, Twins, make_twins, open_node, open_node_over
from tests.traces.spans import Traced, attributes, is_below, trace_id
from tests.wire import WireClient, open_wire
from trichat.chat.ports import Whisper

CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WORDS = ("whereabouts", "gossip", "tattle")


@asynccontextmanager
async def twin_node(twins: Twins, name: str, traced: Traced | None) -> AsyncIterator[Node]:
    incarnation = twins.chance.incarnation()
    async with (
        twins.bus.open_bridge(incarnation=incarnation, node=name, limits=twins.limits) as bridge,
        open_node_over(
            twins.store, bridge, twins.vault, name=name, chance=twins.chance, incarnation=incarnation,
            limits=twins.limits, listening=False, tracer=None if traced is None else traced.tracer,
        ) as node,
    ):  # fmt: skip
        yield node


@asynccontextmanager
async def guest_at(node: Node, room: str) -> AsyncIterator[Guest]:
    guest = Guest(await WireClient(await node.connect()).shake_hands())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(guest.run)
        await guest.join(room)
        yield guest
        nursery.cancel_scope.cancel()


async def test_a_send_is_one_trace_over_two_nodes_and_redis(database_url: str, redis_url: str) -> None:
    with Traced("n1") as one, Traced("n2") as two:
        async with (
            open_node(database_url, redis_url, name="n1", prefix="traces", tracer=one.tracer) as first,
            open_node(database_url, redis_url, name="n2", prefix="traces", tracer=two.tracer) as second,
            open_wire(first.port or 0) as ann,
            open_wire(second.port or 0) as bob,
        ):
            for client in (ann, bob):
                await client.send_json({"type": "hello", "name": "tattle" if client is ann else "bob"})
                await client.send_json({"type": "join", "room": "whereabouts"})
                await client.receive_until("joined")
            with trio.fail_after(20):
                while not two.spans:  # until the nodes know of each other, they hear by the store
                    await ann.send_json({"type": "send", "room": "whereabouts", "text": "gossip"})
                    await ann.receive_until("ack")
                    await bob.receive_until("message")
        (there, *_) = two.spans
        (send,) = [span for span in one.named("send") if trace_id(span) == trace_id(there)]
        (commit,) = [span for span in one.named("commit") if is_below(span, send)]
        (publish,) = [span for span in one.named("publish") if is_below(span, commit)]
        (here,) = [span for span in one.named("deliver") if is_below(span, commit)]
        assert there.name == "deliver"
        assert is_below(there, publish)
        assert send.parent is None
        assert attributes(send)["trichat.outcome"] == "committed"
        assert attributes(send)["trichat.seq"] == attributes(here)["trichat.first_seq"]
        assert attributes(here) == attributes(there) == attributes(publish)
        assert {span.resource.attributes["service.instance.id"] for span in one.spans} == {"n1"}
        assert there.resource.attributes["service.instance.id"] == "n2"
        said = str([span.to_json() for span in (*one.spans, *two.spans)])
        assert [word for word in WORDS if word in said] == []


async def test_a_delivery_lasts_until_it_is_handed_out() -> None:
    with Traced("n1") as traced:
        room = make_room()
        for context in (CONTEXT, CONTEXT.replace("b7", "c8")):
            span = traced.tracer.begin_delivery(context, room.id, 2)
            assert span is not None
            room.trace(2, span)
        room.take(batch(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.run_broadcaster)
            await trio.testing.wait_all_tasks_blocked()
            assert not traced.spans
            room.take(batch(2))
            await trio.testing.wait_all_tasks_blocked()
            assert len(traced.spans) == 2
            late = traced.tracer.begin_delivery(CONTEXT, room.id, 2)
            assert late is not None
            room.trace(2, late)  # at once: it was handed out
            assert len(traced.spans) == 3
            nursery.cancel_scope.cancel()


async def test_one_of_so_many_sends_is_traced(autojump_clock: trio.abc.Clock) -> None:
    with Traced("n1", one_in=3) as traced:
        async with twin_node(make_twins(), "n1", traced) as node, guest_at(node, "hall") as ann:
            for n in range(7):
                await ann.say("hall", f"{n}")
            await ann.hears("hall", "6")
        assert [attributes(span)["trichat.seq"] for span in traced.named("send")] == [1, 4, 7]
        assert len(traced.named("commit")) == len(traced.named("deliver")) == 3


async def test_a_commit_of_several_is_part_of_the_first_and_linked_to_the_others(
    autojump_clock: trio.abc.Clock,
) -> None:
    twins = make_twins()
    with Traced("n1") as traced:
        async with twin_node(twins, "n1", traced) as node, guest_at(node, "hall") as ann:
            twins.store.delay_s = 0.1  # the first goes alone; the others wait for it, and go together
            for n in range(4):
                await ann.tell("send", room="hall", text=f"{n}")
            await ann.hears("hall", "3")
        _, second, *others = sorted(traced.named("send"), key=lambda span: str(attributes(span)["trichat.seq"]))
        _, commit = traced.named("commit")
        assert is_below(commit, second)
        assert [link.context.trace_id for link in commit.links] == [trace_id(span) for span in others]
        assert attributes(commit)["trichat.drafts"] == 3


async def test_a_send_that_the_store_does_not_answer_says_so(autojump_clock: trio.abc.Clock) -> None:
    twins = make_twins()
    with Traced("n1") as traced:
        async with twin_node(twins, "n1", traced) as node, guest_at(node, "hall") as ann:
            twins.store.down = True
            assert (await ann.ask("send", room="hall", text="a"))["code"] == "unavailable"
        outcomes = {span.name: attributes(span).get("trichat.outcome") for span in traced.spans}
        assert outcomes == {"send": "unavailable", "commit": "unavailable"}


async def test_a_node_without_traces_hears_and_a_context_that_is_none_is_passed_over(
    autojump_clock: trio.abc.Clock,
) -> None:
    twins = make_twins()
    with Traced("n1") as one, Traced("n3") as three:
        async with (
            twin_node(twins, "n1", one) as first, twin_node(twins, "n2", None) as second,
            twin_node(twins, "n3", three) as third,
            guest_at(first, "hall") as ann, guest_at(second, "hall") as bob, guest_at(third, "hall") as cat,
        ):  # fmt: skip
            await trio.sleep(2 * LOOSE.heads_slow_s)  # all hear each other
            room = third.hub.room("hall")
            assert room is not None
            forged = b'{"w":"trace","first":1,"context":"00-%s-%s-01"}' % (b"0" * 32, b"0" * 16)
            for said in (forged, b'{"w":"trace","first":1,"context":"gossip"}', b'{"w":"trace","first":"x"}'):
                third.hub.whispers.hear(Whisper(room.id, said))
            await ann.say("hall", "a")
            for guest in (bob, cat):
                await guest.hears("hall", "a")
        (publish,) = one.named("publish")
        (there,) = three.spans
        assert is_below(there, publish)
