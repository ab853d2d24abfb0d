"""/metrics says what was done, and names nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import trio
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from tests.chat.guests import Chat, open_chat
from tests.chat.persons import bot, make_private, person
from tests.nodes import LOOSE, open_node
from tests.wire import open_wire
from trichat.chat.figures import Figures
from trichat.chat.hub import Hub
from trichat.chat.ports import StoreUnavailable
from trichat.core.closing import CLOSE_REASONS
from trichat.store.cluster import ping
from trichat.store.pool import ConnectionPool, Connector
from trichat.store.watchdog import Watchdog
from trichat.web.metrics import metrics_routes
from trichat.web.metrics_survey import survey


async def fetch(hub: Hub, accept: str = "text/plain") -> httpx.Response:
    transport = httpx.ASGITransport(Starlette(routes=metrics_routes(hub)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/metrics", headers={"accept": accept})


class Metrics:
    """What one scrape said."""

    def __init__(self, text: str) -> None:
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        """The one sample of this name that has these labels."""
        (value,) = [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]  # fmt: skip
        return value


async def scrape(hub: Hub) -> Metrics:
    return Metrics((await fetch(hub)).text)


async def until(hub: Hub, condition: Callable[[Metrics], bool]) -> Metrics:
    """The first scrape that says so; within 30 virtual seconds."""
    with trio.fail_after(30):
        while True:
            metrics = await scrape(hub)
            if condition(metrics):
                return metrics
            await trio.sleep(0.05)


async def test_what_was_said_to_whom_is_counted(autojump_clock: trio.abc.Clock) -> None:
    async with open_chat() as chat:
        ann, *others = await chat.guests_in("hall", 4)
        for n in range(5):
            await ann.say("hall", f"{n}", cid=f"c{n}")
        assert (await ann.ask("send", room="hall", text="4", cid="c4"))["dup"]
        assert (await ann.ask("send", room="hall", text="other", cid="c4"))["code"] == "cid_reused"
        for one in (ann, *others):
            await one.hears("hall", "4")
        metrics = await scrape(chat.node.hub)
    assert metrics("trichat_sends_total", outcome="committed") == 5
    assert metrics("trichat_sends_total", outcome="repeated") == 1
    assert metrics("trichat_sends_total", outcome="refused") == 1
    assert metrics("trichat_events_committed_total") == 5
    assert metrics("trichat_deliveries_total") == 20
    assert metrics("trichat_commit_batch_drafts_sum") == 7
    assert metrics("trichat_commit_batch_drafts_bucket", le="1.0") == 7
    assert metrics("trichat_commit_seconds_count") == 7
    assert (metrics("trichat_rooms"), metrics("trichat_listeners"), metrics("trichat_sends_waiting")) == (1, 4, 0)


async def test_what_is_handed_out_at_once_counts_for_each_event(autojump_clock: trio.abc.Clock) -> None:
    async with open_chat() as chat:
        ann, bob = await chat.guests_in("hall", 2)
        chat.store.delay_s = 0.1  # the first goes alone; the others wait for it, and go together
        for n in range(10):
            await ann.tell("send", room="hall", text=f"{n}")
        await bob.hears("hall", "9")
        metrics = await scrape(chat.node.hub)
    assert metrics("trichat_deliveries_total") == 20
    assert metrics("trichat_commit_batch_drafts_bucket", le="1.0") == 1
    assert metrics("trichat_commit_batch_drafts_bucket", le="10.0") == 2
    assert metrics("trichat_commit_seconds_sum") == pytest.approx(0.2)


async def test_sends_that_the_store_does_not_answer_are_counted(autojump_clock: trio.abc.Clock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("hall")
        chat.store.down = True
        assert (await ann.ask("send", room="hall", text="a"))["code"] == "unavailable"
        metrics = await until(
            chat.node.hub, lambda metrics: metrics("trichat_relay_looks_total", outcome="unavailable") > 0
        )
    assert metrics("trichat_sends_total", outcome="unavailable") == 1


async def test_calls_that_find_no_server_are_counted_apart() -> None:
    seconds = Figures().store_s["queries"]
    connector = Connector("postgresql://127.0.0.1:1/chat", LOOSE, application_name="test", pooler=False)
    pool = ConnectionPool(connector, Watchdog(), size=1, call_s=LOOSE.store_call_s, seconds=seconds)
    with pytest.raises(StoreUnavailable):
        await pool.call(ping)
    assert (seconds["ok"].count, seconds["unavailable"].count) == (0, 1)


async def test_connections_are_counted_by_whose_they_are_and_how_they_ended(autojump_clock: trio.abc.Clock) -> None:
    async with open_chat() as chat:
        hub = chat.node.hub
        guest = await chat.guest_in("hall")
        await person(chat, "ann")
        await bot(chat, "crow", ["read"])
        await chat.guest()
        metrics = await scrape(hub)
        kinds = {kind: metrics("trichat_sessions", kind=kind) for kind in ("nobody", "guest", "account", "bot")}
        assert kinds == {"nobody": 0, "guest": 2, "account": 1, "bot": 1}
        assert (metrics("trichat_connections"), metrics("trichat_connections_opened_total")) == (4, 4)
        await guest.drop()
        metrics = await until(hub, lambda metrics: metrics("trichat_connections") == 3)
        assert metrics("trichat_connections_opened_total") == 4
        assert metrics("trichat_connections_closed_total", code="1006") == 1
    codes = {sample.labels["code"] for sample in metrics.samples if "code" in sample.labels}
    assert codes == {str(code) for code in CLOSE_REASONS}


async def test_a_slow_client_shows_in_the_outboxes_and_then_among_the_closed(autojump_clock: trio.abc.Clock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("hall")
        await chat.deaf_guest_in("hall")
        for _ in range(50):
            await ann.say("hall", "x" * 4_000)
        metrics = await scrape(chat.node.hub)
        assert metrics("trichat_outbox_largest_bytes") > 150_000
        assert metrics("trichat_outbox_bytes") >= metrics("trichat_outbox_largest_bytes")
        for _ in range(250):
            await ann.say("hall", "x" * 4_000)
        await until(chat.node.hub, lambda metrics: metrics("trichat_connections_closed_total", code="4101") == 1)


async def test_without_redis_a_node_is_degraded_and_heals_its_gaps_from_the_store(
    autojump_clock: trio.abc.Clock,
) -> None:
    async with open_chat(nodes=2) as chat:
        one, two = chat.nodes
        ann, bob = await chat.guest_in("hall", one), await chat.guest_in("hall", two)
        linked = await until(two.hub, lambda metrics: metrics("trichat_degraded") == 0)
        assert linked("trichat_redis_linked") == 1
        chat.bus.stop()
        await ann.say("hall", "by the store")
        await bob.hears("hall", "by the store")
        metrics = await until(two.hub, lambda metrics: metrics("trichat_degraded") == 1)
    assert metrics("trichat_redis_linked") == 0
    assert metrics("trichat_gaps_healed_total") == linked("trichat_gaps_healed_total") + 1
    assert metrics("trichat_events_healed_total") == linked("trichat_events_healed_total") + 1
    assert metrics("trichat_relay_looks_total", outcome="ok") > 0
    assert metrics("trichat_loop_late_seconds_count") > 0


async def test_replays_are_counted_apart(autojump_clock: trio.abc.Clock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("hall")
        for n in range(3):
            await ann.say("hall", f"{n}")
        late = await chat.guest()
        await late.join("hall", since=0)
        await late.hears("hall", "2")
        metrics = await scrape(chat.node.hub)
    assert metrics("trichat_replayed_events_total") == 3
    assert metrics("trichat_deliveries_total") == 3


TELL_TALES = ("tattle", "secretroom", "gossip", "192.0.2.1", "whereabouts")


async def tell(chat: Chat) -> list[str]:
    """All sorts of things, with names that must not come out; those that the server gave."""
    ann = await person(chat, "tattle")
    await ann.join("secretroom")
    await ann.say("secretroom", "gossip")
    private = await make_private(ann, title="whereabouts")
    await ann.join(private)
    await ann.say(private, "gossip")
    bob = await person(chat, "tattler")
    direct = (await ann.ask("direct", user="tattler"))["room"]
    await bob.drop()
    ids = [frame["user_id"] for frame in ann.frames if "user_id" in frame]
    return [private, direct, *ids]


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text; version=1.0.0"])
async def test_nobody_and_nothing_is_named(autojump_clock: trio.abc.Clock, accept: str) -> None:
    async with open_chat() as chat:
        given = await tell(chat)
        text = (await fetch(chat.node.hub, accept)).text
    assert given
    assert [word for word in (*TELL_TALES, *given) if word in text] == []


async def test_every_sample_is_of_this_node_and_labels_are_bounded(autojump_clock: trio.abc.Clock) -> None:
    bounded = {"node", "le", "code", "kind", "outcome", "pool", "route", "method", "status", "version", "python"}
    async with open_chat(nodes=2) as chat:
        await tell(chat)
        first, second = [await scrape(node.hub) for node in chat.nodes]
    assert {sample.labels["node"] for sample in first.samples} == {"n1"}
    assert {sample.labels["node"] for sample in second.samples} == {"n2"}
    assert {name for sample in first.samples for name in sample.labels} <= bounded
    assert first("process_open_fds") > 0


async def test_openmetrics_comes_to_who_asks_for_it(autojump_clock: trio.abc.Clock) -> None:
    async with open_chat() as chat:
        response = await fetch(chat.node.hub, "application/openmetrics-text; version=1.0.0")
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    families = {family.name: family for family in parse_openmetrics(response.text)}  # type: ignore[no-untyped-call]  # the library's
    assert families["trichat_sends"].type == "counter"


async def test_calls_of_the_store_are_timed(database_url: str, redis_url: str) -> None:
    async with open_node(database_url, redis_url, prefix="metrics") as node, open_wire(node.port or 0) as ann:
        await ann.send_json({"type": "join", "room": "hall"})
        await ann.receive_until("joined")
        await ann.send_json({"type": "send", "room": "hall", "text": "a"})
        await ann.receive_until("ack")
        metrics = await scrape(node.hub)
    assert metrics("trichat_store_call_seconds_count", pool="commits", outcome="ok") == 1
    assert metrics("trichat_store_call_seconds_count", pool="queries", outcome="ok") > 1
    assert metrics("trichat_store_call_seconds_count", pool="commits", outcome="unavailable") == 0


async def test_the_walk_through_the_sessions_lets_others_have_their_turns(autojump_clock: trio.abc.Clock) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with open_chat() as chat:
        await chat.guest()
        hub = chat.node.hub
        (session,) = hub.sessions
        many: Any = [session] * 5_000
        hub.sessions = many  # the walk asks nothing of it but its order
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            seen = await survey(hub)
            nursery.cancel_scope.cancel()
        hub.sessions = {session: None}
    assert seen.kinds["guest"] == 5_000
    assert turns >= 4
