"""What the views do with what they are given: texts, places in a long room, drafts, refusals, names, reports."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.browsers import BrowserThread
from tests.browser.conftest import OpenPage
from tests.browser.persons import Person, account, guest
from tests.browser.serving import Server

AT_THE_END = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 60"


def fill(person: Person, room: str, count: int) -> None:
    """Somebody else says `line 0`, `line 1` … in the room; returns when all of it is acknowledged."""
    person.page.evaluate(
        """async ([room, count]) => {
            const socket = new WebSocket(`ws://${location.host}/ws`);
            await new Promise((done) => { socket.onopen = done; });
            let left = count;
            const all = new Promise((done) => {
                socket.onmessage = ({ data }) => {
                    if (JSON.parse(data).type === "ack") left -= 1;
                    if (left === 0) done();
                };
            });
            socket.send(JSON.stringify({ type: "join", room }));
            for (let n = 0; n < count; n += 1) {
                const text = `line ${n}` + (n % 7 ? "" : " which is a long one".repeat(20));
                socket.send(JSON.stringify({ type: "send", room, text }));
            }
            await all;
            socket.close();
        }""",
        [room, count],
    )


def test_links_code_and_names_stand_out(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    shown = open_page(server.url).evaluate("""async () => {
        const { rich } = await import("/page/views/format.js");
        const box = document.createElement("div");
        return [
            "see (https://example.org/a), or http://example.org/b(c).", "`a<b` and ```\\nx\\n```",
            "@ann and bob@example.org, \\\\@ann", "ftp://example.org https:// javascript:alert(1)",
        ].map((text) => {
            box.replaceChildren(rich(text, "ann"));
            return [...box.children].map((it) => `${it.localName} ${it.className} ${it.textContent}`);
        });
    }""")
    assert shown == [
        ["a  https://example.org/a", "a  http://example.org/b(c)"],
        ["code  a<b", "pre  x"],
        ["span at me @ann"],
        [],
    ]


def test_found_places_are_marked_by_characters_not_by_units(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    shown = open_page(server.url).evaluate("""async () => {
        const { marked } = await import("/page/views/format.js");
        const box = document.createElement("p");
        box.append(marked("🎉🎉 a boat", [[5, 9]]));
        return [box.textContent, box.querySelector("mark").textContent];
    }""")
    assert shown == ["🎉🎉 a boat", "boat"]


def test_what_was_refused_says_why_and_can_be_tried_again_or_discarded(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann, bob = guest(open_page, server, "ann.no", "no"), guest(open_page, server, "bob.no", "no")
    ann.say("a question")
    bob.sees("a question")
    bob.do("Reply", "a question")
    ann.do("Delete…", "a question")
    ann.answer("Delete")
    bob.sees("This message was deleted")
    bob.say("an answer")
    expect(bob.message("an answer")).to_contain_text("was deleted; reply to another")
    bob.message("an answer").get_by_role("button", name="Retry").click()
    expect(bob.message("an answer")).to_contain_text("was deleted; reply to another")
    bob.message("an answer").get_by_role("button", name="Discard").click()
    expect(bob.message("an answer")).to_have_count(0)


def test_what_comes_too_early_says_when_it_is_sent(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann = account(open_page, server, "ann.slow", "slow")
    ann.room_menu("About this room")
    ann.answer("Save", slow_s="600")
    bob = guest(open_page, server, "bob.slow", "slow")
    bob.say("first")
    bob.has_sent("first")
    bob.say("second")
    expect(bob.message("second")).to_contain_text("Too early: it is sent at")
    bob.message("second").get_by_role("button", name="Discard").click()
    expect(bob.message("second")).to_have_count(0)


def test_a_draft_is_kept_for_its_room(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann = guest(open_page, server, "ann.draft", "draft")
    ann.type("half a thought")
    ann.enter("elsewhere")
    expect(ann.composer).to_have_value("")
    ann.reload()
    ann.in_list("draft").click()
    expect(ann.composer).to_have_value("half a thought")


def test_a_line_stands_before_what_is_new(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann.news", "news"), account(open_page, server, "bob.news", "news")
    ann.say("old")
    ann.has_sent("old")
    ann.enter("aside")
    bob.say("one")
    bob.say("two for @ann.news")
    expect(ann.page).to_have_title(re.compile(r"^\(2\)"))
    ann.in_list("news").click()
    line = ann.page.locator("main li.separator", has_text="New messages")
    expect(line.locator("xpath=following-sibling::li[1]")).to_contain_text("one")
    expect(ann.page).to_have_title(re.compile("^news"))


def test_scrolling_up_brings_older_messages_and_nothing_jumps(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann = guest(open_page, server, "ann.long", "long")
    fill(ann, "long", 300)
    ann.reload()
    ann.sees("line 299")
    box = ann.page.get_by_role("log")
    assert box.evaluate(AT_THE_END)
    moved = box.evaluate("""async (box) => {
        const frame = () => new Promise(requestAnimationFrame);
        const count = () => box.querySelectorAll("li.entry").length;
        const before = count();
        while (box.scrollTop > 700) { box.scrollTop -= 200; await frame(); await frame(); }
        const edge = box.getBoundingClientRect().top + 150;
        const mark = [...box.querySelectorAll("li.entry")].find((it) => it.getBoundingClientRect().top > edge);
        const was = mark.getBoundingClientRect().top;
        box.scrollTop -= 150;
        while (count() === before) await frame();
        await frame();
        return mark.getBoundingClientRect().top - was;
    }""")
    assert abs(moved - 150) < 3
    ann.press("Latest")
    expect(ann.page.locator("button.latest")).to_be_hidden()
    assert box.evaluate(AT_THE_END)


def test_a_link_to_a_message_shows_it_and_the_way_back(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann = guest(open_page, server, "ann.link", "linked")
    fill(ann, "linked", 300)
    ann.come("#/r/linked/40")
    expect(ann.page.locator('main [data-seq="40"]')).to_be_focused()
    expect(ann.message("line 299")).to_have_count(0)
    ann.press("Latest")
    ann.sees("line 299")


def test_names_are_completed_and_a_whole_name_is_sent(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann, bob = account(open_page, server, "ann.names", "names"), account(open_page, server, "bob.names", "names")
    bob.say("here")
    ann.sees("here")
    ann.composer.press_sequentially("hi @bo")
    expect(ann.page.get_by_role("option", name="bob.names")).to_be_visible()
    ann.composer.press("Enter")
    expect(ann.composer).to_have_value("hi @bob.names ")
    ann.say("hi @bob.names")
    bob.sees("hi @bob.names")


def test_reports_reach_the_moderators(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann = account(open_page, server, "ann.rep", "rep")
    ann.say("something wrong")
    eve = guest(open_page, server, "eve.rep", "rep")
    eve.do("Report…", "something wrong")
    eve.answer("Report", reason="spam")
    expect(eve.page.get_by_role("alert").filter(has_text="The moderators of the room will see it")).to_be_visible()
    ann.room_menu("Reports")
    expect(ann.panel).to_contain_text("spam")
    ann.press("Resolve…")
    ann.answer("Resolve", note="nothing to it")
    expect(ann.panel).to_contain_text("There are no open reports")


def test_who_is_banned_is_listed_and_may_come_again(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann, eve = account(open_page, server, "ann.bans", "bans"), account(open_page, server, "eve.bans", "bans")
    ann.card_of("eve.bans")
    ann.press("Ban…")
    ann.answer("Ban", reason="spam")
    expect(eve.composer).to_be_disabled()
    ann.room_menu("Banned and muted")
    expect(ann.panel).to_contain_text("eve.bans is banned for good")
    expect(ann.panel).to_contain_text("spam")
    ann.press("Unban")
    expect(ann.panel).to_contain_text("Nobody is banned or muted")
    eve.reload()
    expect(eve.composer).to_be_enabled()
