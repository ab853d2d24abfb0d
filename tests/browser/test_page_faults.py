"""The page through reloads, cut lines and dying servers: nothing typed is lost or shown twice, bad news are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.browsers import BrowserThread
from tests.browser.conftest import OpenPage
from tests.browser.persons import Person, account, guest
from tests.browser.serving import Server, running_server
from tests.browser.test_engine_faults import FLOOD
from tests.servers import PostgresServer, ValkeyServer

#: Milliseconds in which a page comes back after its server has: the longest wait between its tries, and some more.
BACK_MS = 40_000


def all_sent(person: Person, texts: list[str]) -> None:
    """The room's whole main line, each acknowledged."""
    expect(person.texts).to_have_text(texts, timeout=BACK_MS)
    expect(person.page.locator("li.entry.sending")).to_have_count(0)


def test_a_reload_keeps_all(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann = account(open_page, server, "ann", "den")
    ann.say("said")
    ann.has_sent("said")
    ann.cut()
    ann.say("not sent yet")
    expect(ann.message("not sent yet")).to_contain_text("sending…")
    ann.type("half a thou")
    expect(ann.composer).to_have_value("half a thou")
    ann.reload()
    expect(ann.page.locator("header.top h1")).to_have_text("den")
    ann.has_sent("not sent yet")
    all_sent(ann, ["said", "not sent yet"])
    expect(ann.composer).to_have_value("half a thou")
    expect(ann.page.locator("button.own")).to_contain_text("@ann")


@pytest.mark.slow
def test_a_server_is_killed_while_people_type_and_is_replaced(
    browser: BrowserThread, own_server: Server, open_page: OpenPage
) -> None:
    ann, bob = guest(open_page, own_server, "ann", "port"), guest(open_page, own_server, "bob", "port")
    texts = [f"message {n}." for n in range(20)]
    for text in texts[:10]:
        ann.say(text)
    own_server.kill()
    for text in texts[10:]:
        ann.say(text)
    ann.type("and anoth")
    expect(ann.bar).to_contain_text("Offline")
    expect(ann.bar).to_contain_text("What you write is kept and sent later.")
    expect(ann.bar).to_contain_text(re.compile(r"next try in \d+ second"))
    own_server.start()
    for person in (ann, bob):
        all_sent(person, texts)
        expect(person.bar).to_be_hidden()
    expect(ann.composer).to_have_value("and anoth")
    own_server.stop()  # this one says goodbye
    bob.say("in between")
    own_server.start()
    all_sent(bob, [*texts, "in between"])
    all_sent(ann, [*texts, "in between"])
    expect(ann.composer).to_have_value("and anoth")


@pytest.mark.slow
def test_an_hour_offline_ends_at_the_truth(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann = account(open_page, server, "ann.far", "busy")
    ann.say("before")
    ann.has_sent("before")
    ann.cut()
    ann.say("typed in the dark")
    guest(open_page, server, "bob.busy", "elsewhere").page.evaluate(f"async () => {{ {FLOOD} }}")
    ann.mend()  # more than is replayed was missed: `gap`
    ann.has_sent("typed in the dark")
    expect(ann.texts.last).to_have_text("typed in the dark")
    shown = ann.texts.all_text_contents()  # also of what is out of sight
    assert len(shown) >= 50
    assert shown[:-1] == [f"f{n}" for n in range(1_101 - len(shown), 1_100)]
    ann.page.locator("main .timeline .scroll").evaluate("(box) => { box.scrollTop = 0 }")
    expect(ann.texts.nth(60)).to_be_attached()
    shown = ann.texts.all_text_contents()
    assert shown[:-1] == [f"f{n}" for n in range(1_101 - len(shown), 1_100)]


def test_what_is_too_long_is_not_sent(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann = guest(open_page, server, "ann.talks", "tower")
    ann.type("ü" * 2_001)
    expect(ann.page.locator(".counter.over")).to_have_text("4002 of 4000 bytes")
    expect(ann.page.get_by_role("button", name="Send")).to_be_disabled()
    ann.composer.press("Enter")
    expect(ann.composer).to_have_value("ü" * 2_001)
    ann.say("ü" * 2_000)
    ann.has_sent("ü" * 2_000)


@pytest.fixture
def own_valkey(postgres: PostgresServer, tmp_path: Path) -> Iterator[tuple[ValkeyServer, Server]]:
    """A node with a Valkey of its own, which the test may kill."""
    with ValkeyServer() as valkey, running_server(postgres, valkey, tmp_path) as server:
        yield valkey, server


@pytest.mark.slow
def test_without_redis_the_page_says_that_news_may_be_late(
    browser: BrowserThread, own_valkey: tuple[ValkeyServer, Server], open_page: OpenPage
) -> None:
    valkey, server = own_valkey
    ann, bob = guest(open_page, server, "ann", "hall"), guest(open_page, server, "bob", "hall")
    valkey.kill()
    expect(ann.bar).to_have_text("Some messages may come a little later than usual.")
    ann.say("still here")
    bob.sees("still here")
