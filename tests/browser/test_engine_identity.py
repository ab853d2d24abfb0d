"""Who is here, and what stays in the browser of who was: nobody speaks for another, and tabs do not undo each other."""

from __future__ import annotations

from typing import Any

from tests.browser.browsers import BrowserThread
from tests.browser.conftest import OpenPage
from tests.browser.engines import EnginePage, account, guest, open_engine
from tests.browser.serving import Server

PASSWORD = "a long sentence is best"


def kept(engine: EnginePage) -> Any:
    """All that the browser's storage holds, as text."""
    return engine.run("""
        const { openStorage } = await import("/page/engine/storage.js");
        const storage = await openStorage();
        const entries = await Promise.all((await storage.keys()).map(async (key) => [key, await storage.get(key)]));
        return JSON.stringify(entries);
    """)


def test_what_one_has_typed_is_never_said_by_the_next(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    owner, ann = account(open_page, server, "own.id", "slow.id"), account(open_page, server, "ann.id", "slow.id")
    owner.act("set", "slow.id", {"slow_s": 3})
    ann.wait("room('slow.id').rules.slow_s === 3")
    ann.act("send", "slow.id", "one")
    ann.act("send", "slow.id", "two")
    ann.wait("room('slow.id').entries.at(-1).waitsUntilMs !== undefined")
    ann.run("window.tooSoonUntil = room('slow.id').entries.at(-1).waitsUntilMs")
    ann.act("logout")
    assert ann.act("register", "bob.id", PASSWORD) is None
    ann.act("open", "slow.id")
    ann.wait("Date.now() > tooSoonUntil")
    ann.act("send", "slow.id", "I am bob")
    owner.wait("room('slow.id').entries.at(-1).text === 'I am bob'")
    assert owner.texts("slow.id") == ["one", "I am bob"]


def test_signing_out_leaves_nothing_in_the_browser(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann = account(open_page, server, "ann.out", "quiet.out")
    ann.act("draft", "quiet.out", "half a thou")
    ann.act("send", "quiet.out", "x" * 5_000)
    ann.wait("room('quiet.out').entries.at(-1).state === 'failed'")
    assert "half a thou" in kept(ann)
    ann.act("logout")
    assert kept(ann) == "[]"


def test_a_tab_that_was_somebody_does_not_sign_out_who_came_in_by_another(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    old, elsewhere = account(open_page, server, "ann.tab", "den"), open_engine(open_page, server)
    new = open_engine(open_page, server, old.page.context)
    new.wait("state.connection.status === 'online' && state.me?.user === 'ann.tab'")
    old.cut()
    assert elsewhere.act("login", "ann.tab", PASSWORD) is None
    assert new.act("login", "ann.tab", "that is wrong") == {"refused": "unauthenticated"}
    assert new.act("register", "bob.tab", PASSWORD) is None
    elsewhere.act("endOtherSessions")
    old.mend()  # by a token that counts for nothing now
    old.wait("state.me === null")
    new.load()
    new.wait("state.connection.status === 'online'")
    assert new.see("state.me?.user") == "bob.tab"


def test_a_tab_that_comes_back_does_not_overwrite_who_came_in_by_another(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    old = guest(open_page, server, "eve.tab")
    new = open_engine(open_page, server, old.page.context)
    old.cut()
    assert new.act("register", "cyd.tab", PASSWORD) is None
    old.mend()
    old.wait("state.me?.user === 'eve.tab'")
    new.load()
    new.wait("state.connection.status === 'online'")
    assert new.see("state.me?.user") == "cyd.tab"


def test_what_was_read_without_a_connection_is_told_later(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann, bob = (account(open_page, server, name, "mail") for name in ("ann.mail", "bob.mail"))
    ann.act("send", "mail", "hello")
    bob.wait("room('mail').unread === 1")
    bob.page.clock.install()
    bob.cut()
    bob.act("read", "mail", bob.see("room('mail').seq"))
    assert bob.see("room('mail').unread") == 0
    bob.page.clock.fast_forward(1_000)  # now it is told
    bob.page.clock.fast_forward(6_000)  # and longer than that a command does not wait for a connection
    bob.mend()
    second = open_engine(open_page, server, bob.page.context)
    second.wait("state.connection.status === 'online' && room('mail')?.unread === 0")
