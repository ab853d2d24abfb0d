"""Servers die, pages are closed, hours pass: nothing that is typed is lost or doubled, and copies end at the truth."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.browsers import BrowserThread
from tests.browser.conftest import OpenPage
from tests.browser.engines import EnginePage, account, guest, open_engine
from tests.browser.serving import Server

#: 1,100 messages in one go, more than `limits.replay`, on a connection of their own.
FLOOD = """
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
    const say = (frame) => socket.send(JSON.stringify(frame));
    await new Promise((done) => {
        socket.onmessage = ({ data }) => {
            const frame = JSON.parse(data);
            if (frame.type === "welcome") {
                say({ type: "join", room: "busy" });
                for (let n = 0; n < 1100; n += 1) say({ type: "send", room: "busy", text: `f${n}`, id: n });
            }
            if (frame.type === "ack" && frame.id === 1099) done();
        };
    });
    socket.close();
"""
#: Random deeds of one person, in the room "square"; what is refused (deleted meanwhile, no connection) is no matter.
DEEDS = """
    const say = (name, ...given) => engine.act[name]("square", ...given).catch(() => {});
    const pick = (all) => all[Math.floor(Math.random() * all.length)];
    const one = async (n) => {
        const stored = room("square").entries.filter((entry) => entry.kind === "message" && entry.seq);
        const some = pick(stored), mine = pick(stored.filter((entry) => entry.mine));
        const deeds = [() => say("send", `${state.me.user} ${n}`), () => say("typing")];
        if (some) deeds.push(
            () => say("send", `re ${n}`, { replyTo: some.seq }),
            () => say("send", `in thread ${n}`, { thread: some.seq }),
            () => say("react", some.seq, pick(["👍", "🎉"]), Math.random() < 0.7),
            () => say("pin", some.seq, Math.random() < 0.5),
            () => say("thread", some.seq),
        );
        if (mine) deeds.push(() => say("edit", mine.seq, `edited ${n}`), () => say("remove", mine.seq));
        await pick(deeds)();
    };
    window.deeds = (async () => { for (let n = 0; n < 40; n += 1) await one(n); })();
"""
#: What was refused for good stays with who typed it.
DONE = "room('square').typed(null).every((one) => one.state === 'failed')"


def truth(engine: EnginePage, room: str) -> list[Any]:
    """What the server's history says of the room's main line, asked for anew by somebody who has no copy."""
    engine.act("open", room)
    while engine.see(f"room({room!r}).more"):
        engine.act("older", room)
    return shown(engine, room)


def shown(engine: EnginePage, room: str) -> list[Any]:
    """All that is the same for everybody, of the messages and of the replies in each thread."""
    fields = "seq, from, text, edited, deleted, replyTo, replies, lastReply, pinned, rev"
    tallies = "one.reactions.map((tally) => [tally.emoji, tally.count])"
    counts = f"room({room!r}).entries.filter((one) => one.kind === 'message').map((one) => {tallies})"
    return list(zip(engine.entries(room, fields), engine.see(counts), strict=True))


@pytest.mark.slow
def test_a_server_that_is_killed_while_many_are_sent_gets_each_once(
    browser: BrowserThread, own_server: Server, open_page: OpenPage
) -> None:
    ann = guest(open_page, own_server, "ann", "port")
    bob = guest(open_page, own_server, "bob", "port")
    ann.run(
        "window.typing = (async () => { for (let n = 0; n < 300; n += 1) await engine.act.send('port', `m${n}`) })()"
    )
    bob.wait("room('port').entries.length > 20")
    own_server.kill()
    ann.wait("state.connection.status === 'offline'")
    ann.run("await typing")
    assert len(ann.texts("port")) == 300
    own_server.start()
    for engine in (ann, bob):
        engine.wait("room('port').seq === 300 && room('port').entries.every((one) => one.state === 'acked')")
        assert engine.texts("port")[-300:] == [f"m{n}" for n in range(300)]
    assert ann.see("new Set(room('port').entries.map((one) => one.key)).size") == 300


@pytest.mark.slow
def test_what_was_typed_offline_is_sent_by_the_page_that_comes_later(
    browser: BrowserThread, own_server: Server, open_page: OpenPage
) -> None:
    ann = guest(open_page, own_server, "ann", "quay")
    ann.act("send", "quay", "before")
    ann.wait("room('quay').entries[0].state === 'acked'")
    own_server.kill()
    ann.wait("state.connection.status === 'offline'")
    ann.act("send", "quay", "typed in the dark")
    ann.act("send", "quay", "and once more")
    assert ann.entries("quay")[1:] == [["typed in the dark", "sent"], ["and once more", "sent"]]
    ann.page.goto("about:blank")
    own_server.start()
    ann.load()
    second = open_engine(open_page, own_server, ann.page.context)  # another tab finds the same, and doubles nothing
    ann.wait("state.connection.status === 'online'")
    everything = ["before", "typed in the dark", "and once more"]
    for engine in (ann, second, guest(open_page, own_server, "bob")):
        engine.act("open", "quay")
        engine.wait("room('quay').entries.length === 3 && room('quay').entries.every((one) => one.state === 'acked')")
        assert engine.texts("quay") == everything
    ann.load()  # and nothing is left of it
    ann.act("open", "quay")
    assert ann.entries("quay") == [[text, "acked"] for text in everything]


@pytest.mark.slow
def test_a_node_that_stops_is_come_back_to(browser: BrowserThread, own_server: Server, open_page: OpenPage) -> None:
    ann = account(open_page, own_server, "ann", "inn")
    ann.act("send", "inn", "one")
    own_server.stop()
    ann.wait("state.connection.status !== 'online'")
    own_server.start()
    ann.act("send", "inn", "two")
    ann.wait("room('inn').entries.filter((one) => one.kind === 'message' && one.state === 'acked').length === 2")


def test_what_is_refused_says_why_and_can_be_tried_again(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann, bob = account(open_page, server, "ann.law", "court"), guest(open_page, server, "bob.law", "court")
    bob.act("send", "court", "x" * 5_000)
    bob.wait("room('court').entries.at(-1).state === 'failed'")
    assert bob.see("room('court').entries.at(-1).refusal.code") == "too_long"
    bob.act("discard", "court", bob.see("room('court').entries.at(-1).key"))
    ann.act("mute", "court", "bob.law")
    bob.wait("room('court').muted === true")
    bob.act("send", "court", "why?")
    bob.wait("room('court').entries.at(-1).state === 'failed'")
    bob.load()
    bob.act("open", "court")
    assert bob.see("room('court').entries.at(-1).refusal.code") == "forbidden"
    ann.act("unmute", "court", "bob.law")
    bob.act("retry", "court", bob.see("room('court').entries.at(-1).key"))
    ann.wait("room('court').entries.at(-1).text === 'why?'")
    ann.act("ban", "court", "bob.law", {"reason": "spam"})
    bob.wait("room('court').joined === false && room('court').lost !== null")
    assert bob.act("open", "court") == {"refused": "forbidden"}


@pytest.mark.slow
def test_after_a_long_absence_the_copy_is_read_again(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann, bob = (account(open_page, server, f"{name}.busy", "busy") for name in ("ann", "bob"))
    ann.act("send", "busy", "early")
    bob.wait("room('busy').entries.at(-1).text === 'early'")
    bob.cut()
    bob.act("send", "busy", "from afar")
    ann.act("edit", "busy", bob.see("room('busy').entries.at(-2).seq"), "early, edited")
    ann.run(FLOOD)
    bob.mend()  # more than is replayed was missed: the server says `gap`
    bob.wait("room('busy').entries.at(-1).text === 'from afar' && room('busy').entries.at(-1).state === 'acked'")
    assert bob.texts("busy")[-50:] == [f"f{n}" for n in range(1_051, 1_100)] + ["from afar"]
    ann.act("send", "busy", "late")
    bob.wait("room('busy').entries.at(-1).text === 'late'")
    while bob.see("room('busy').more"):
        bob.act("older", "busy")
    assert "early, edited" in bob.texts("busy")
    assert bob.see("room('busy').entries.filter((one) => one.kind === 'message').length") == 1_103


@pytest.mark.slow
def test_copies_of_a_busy_room_end_at_the_truth(
    browser: BrowserThread, own_server: Server, open_page: OpenPage
) -> None:
    people = [account(open_page, own_server, name, "square") for name in ("ann", "bob", "cyd")]
    people[0].act("role", "square", "bob", "moderator")
    for goes_down in (False, True, False):
        for person in people:
            person.run(DEEDS)
        if goes_down:
            own_server.kill()
            own_server.start()
        for person in people:
            person.run("await deeds")
            person.wait(f"state.connection.status === 'online' && {DONE}")
    reader = guest(open_page, own_server, "reader")
    real, head = truth(reader, "square"), reader.see("room('square').seq")
    assert len(real) > 40
    for person in people:
        person.wait(f"room('square').copy.position === {head}")
        person.run("for (const one of room('square').typed(null)) await engine.act.discard('square', one.key)")
        assert truth(person, "square") == real
        for (root,) in reader.see("room('square').entries.filter((one) => one.replies).map((one) => [one.seq])"):
            for engine in (reader, person):
                engine.act("thread", "square", root)
            stored = "entries.filter((one) => one.seq).map((one) => [one.seq, one.text, one.rev])"
            replies = f"room('square').threads.get({root}).{stored}"
            assert person.see(replies) == reader.see(replies)
