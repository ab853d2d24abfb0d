"""The page's engine against a real node: people chat, and each sees what the others do."""

from __future__ import annotations

from tests.browser.browsers import BrowserThread
from tests.browser.conftest import OpenPage
from tests.browser.engines import account, guest, open_engine
from tests.browser.serving import Server


def test_two_people_chat(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = (guest(open_page, server, name, "lobby") for name in ("ann", "bob"))
    ann.act("send", "lobby", "hello")
    bob.wait("room('lobby').entries.length === 1")
    bob.act("send", "lobby", "hello ann")
    ann.wait("room('lobby').entries.at(-1).text === 'hello ann'")
    assert ann.entries("lobby", "from, text, state, mine") == [
        ["ann", "hello", "acked", True],
        ["bob", "hello ann", "acked", False],
    ]
    assert bob.texts("lobby") == ["hello", "hello ann"]


def test_what_is_typed_is_there_at_once_and_stays_the_same_entry(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann = guest(open_page, server, "anna", "once")
    first = ann.run("""
        engine.act.send("once", "hello");
        await Promise.resolve();
        window.entry = room("once").entries.at(-1);
        return [entry.text, entry.state, entry.seq, entry.key]
    """)
    assert first[:3] == ["hello", "sent", None]
    ann.wait("entry.state === 'acked' && room('once').copy.position === entry.seq")
    assert ann.run("return [room('once').entries.length, room('once').entries[0] === entry, entry.key]") == [
        1, True, first[3],
    ]  # fmt: skip


def test_what_others_do_to_messages_is_seen(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann.owner", "deeds"), guest(open_page, server, "bob2", "deeds")
    for text in ("one", "two", "three"):
        ann.act("send", "deeds", text)
    ann.wait("room('deeds').entries.filter((one) => one.kind === 'message' && one.state === 'acked').length === 3")
    one, two, three = ann.see("room('deeds').entries.filter((one) => one.kind === 'message').map((one) => one.seq)")
    assert "seq" in ann.act("edit", "deeds", one, "uno")
    assert "seq" in ann.act("remove", "deeds", two)
    assert "seq" in bob.act("react", "deeds", three, "🎉", True)
    assert "seq" in ann.act("pin", "deeds", three, True)
    bob.wait("room('deeds').entries.at(-1).pinned && room('deeds').pins.length === 1")
    ann.wait("room('deeds').entries.at(-1).reactions.length === 1")
    assert bob.entries("deeds", "text, edited, deleted, reactions") == [
        ["uno", True, False, []],
        ["", False, True, []],
        ["three", False, False, [{"emoji": "🎉", "count": 1, "mine": True}]],
    ]
    assert "seq" in bob.act("react", "deeds", three, "🎉", False)
    ann.wait("room('deeds').entries.at(-1).reactions.length === 0")


def test_replies_hang_on_their_message(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = (guest(open_page, server, name, "hall") for name in ("ann3", "bob3"))
    ann.act("send", "hall", "what shall we eat?")
    bob.wait("room('hall').entries.length === 1")
    (root,) = (seq for (seq,) in bob.entries("hall", "seq"))
    bob.act("thread", "hall", root)
    bob.act("send", "hall", "soup", {"thread": root})
    bob.act("send", "hall", "or bread", {"thread": root})
    ann.wait("room('hall').entries[0].replies === 2")
    ann.act("thread", "hall", root)
    assert ann.see(f"room('hall').threads.get({root}).entries.map((one) => one.text)") == ["soup", "or bread"]
    assert bob.see(f"room('hall').threads.get({root}).entries.map((one) => one.state)") == ["acked", "acked"]
    assert ann.texts("hall") == ["what shall we eat?"]
    bob.act("send", "hall", "agreed", {"replyTo": root})
    ann.wait("room('hall').entries.length === 2")
    assert ann.see("room('hall').entries[1].replyTo.text") == "what shall we eat?"


def test_pages_are_read_upwards_and_a_jump_comes_back(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann = guest(open_page, server, "ann4", "long")
    ann.run("for (let n = 1; n <= 180; n += 1) await engine.act.send('long', `m${n}`)")
    ann.wait("room('long').entries.every((one) => one.state === 'acked')")
    bob = guest(open_page, server, "bob4", "long")
    assert bob.texts("long") == [f"m{n}" for n in range(131, 181)]
    bob.act("older", "long")
    assert bob.texts("long") == [f"m{n}" for n in range(81, 181)]
    bob.act("around", "long", 20)
    assert "m20" in bob.texts("long")
    assert bob.see("room('long').jump !== null")
    ann.act("send", "long", "now")
    bob.wait("room('long').seq === 181")
    assert "now" not in bob.texts("long")
    while bob.see("room('long').jump !== null"):
        bob.act("newer", "long")
    while bob.see("room('long').more"):
        bob.act("older", "long")
    assert bob.texts("long") == [f"m{n}" for n in range(1, 181)] + ["now"]


def test_what_is_unread_is_told_to_every_tab(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = (account(open_page, server, name, "office") for name in ("ann5", "bob5"))
    ann.act("send", "office", "hello @bob5")
    bob.wait("room('office').unread === 1 && room('office').mentions === 1")
    assert bob.see("room('office').entries.at(-1).mentionsMe")
    second = open_engine(open_page, server, bob.page.context)
    second.wait("state.connection.status === 'online' && room('office').unread === 1 && room('office').mentions === 1")
    bob.act("read", "office", bob.see("room('office').seq"))
    second.wait("room('office').unread === 0 && room('office').mentions === 0")
    ann.wait("room('office').seenBy.size > 0")
    ann.act("typing", "office")
    bob.wait("room('office').typing[0] === 'ann5'")


def test_rooms_are_there_again_after_a_reload_and_gone_after_logging_out(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann, eve = account(open_page, server, "ann6", "den", "attic"), guest(open_page, server, "eve6", "den")
    ann.act("draft", "den", "half a thou")
    for engine in (ann, eve):
        engine.load()
        engine.wait("state.connection.status === 'online' && room('den')?.joined")
    assert ann.see("[state.me.user, state.order]") == ["ann6", ["attic", "den"]]
    ann.act("open", "den")
    assert ann.see("room('den').draft") == "half a thou"
    assert ann.act("logout") is None
    ann.wait("state.connection.status === 'online'")
    assert ann.see("[state.me, state.rooms.size]") == [None, 0]
    assert ann.act("login", "ann6", "not that one") == {"refused": "unauthenticated"}
    assert ann.act("login", "ann6", "a long sentence is best") is None
    assert ann.see("state.order") == ["attic", "den"]


def test_a_login_that_is_ended_elsewhere_ends_here(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, phone = account(open_page, server, "ann7", "home"), open_engine(open_page, server)
    assert phone.act("login", "ann7", "a long sentence is best") is None
    assert len(phone.act("sessions")) == 2
    phone.act("endOtherSessions")
    ann.wait("state.me === null && state.connection.status === 'online'")


def test_direct_and_private_rooms(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = (account(open_page, server, name) for name in ("ann8", "bob8"))
    two = ann.act("direct", "bob8")
    ann.act("send", two, "just us")
    bob.load()
    bob.wait("state.connection.status === 'online'")
    assert bob.see("[...state.rooms.values()].map((one) => [one.kind, one.with.user, one.unread])") == [
        ["direct", "ann8", 1]
    ]
    shed = ann.act("make", {"kind": "private", "title": "The shed"})
    code = ann.act("inviteCode", shed)["code"]
    assert bob.act("accept", code) == shed
    bob.act("open", shed)
    bob.wait(f"room('{shed}').title === 'The shed' && room('{shed}').role === 'member'")
    found = bob.act("search", "us")
    assert [one["message"]["text"] for one in found["found"]] == ["just us"]
