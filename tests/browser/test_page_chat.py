"""Two people chat on the page, and each sees what the other does."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.browsers import BrowserThread
from tests.browser.conftest import OpenPage
from tests.browser.persons import account, guest
from tests.browser.serving import Server


def test_a_guest_and_an_account_talk(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann", "hall"), guest(open_page, server, "bob", "hall")
    bob.composer.press_sequentially("hel")
    expect(ann.page.locator("p.typing")).to_have_text("bob is typing…")
    bob.say("hello ann")
    bob.has_sent("hello ann")
    ann.sees("hello ann")
    ann.say("hello bob")
    expect(bob.texts).to_have_text(["hello ann", "hello bob"])
    expect(bob.message("hello bob").locator(".who")).to_have_text("ann")


def test_messages_are_edited_and_deleted(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann.edits", "desk"), guest(open_page, server, "bob.edits", "desk")
    ann.say("teh first")
    ann.has_sent("teh first")
    ann.do("Edit", "teh first")
    ann.say("the first")
    expect(bob.message("the first")).to_contain_text("(edited)")
    bob.say("ooops")
    bob.has_sent("ooops")
    bob.do("Delete…", "ooops")
    bob.answer("Delete")
    expect(ann.texts.last).to_have_text("This message was deleted")
    ann.composer.press("ArrowUp")  # what I said last, again
    expect(ann.composer).to_have_value("the first")
    ann.composer.press("Escape")
    expect(ann.composer).to_have_value("")


def test_messages_are_answered_and_reacted_to(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = (guest(open_page, server, name, "table") for name in ("ann.eats", "bob.eats"))
    ann.say("what shall we eat?")
    bob.do("React", "what shall we eat?")
    bob.press("🎉")
    tally = ann.message("what shall we eat?").get_by_role("button", name="🎉, 1 person")
    tally.click()
    bob.message("what shall we eat?").get_by_role("button", name="🎉, 2 people").click()
    expect(tally).to_have_attribute("aria-pressed", "true")
    bob.do("Reply", "what shall we eat?")
    bob.say("soup")
    quote = ann.message("soup").get_by_role("button", name="In answer to ann.eats what shall we eat?")
    quote.click()
    expect(ann.page.locator("li.entry.flash")).to_contain_text("what shall we eat?")


def test_a_thread_is_beside_the_room(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = (guest(open_page, server, name, "porch") for name in ("ann.twig", "bob.twig"))
    ann.say("about the roof")
    bob.do("Thread", "about the roof")
    bob.answer_in_thread("it leaks")
    ann.message("about the roof").get_by_role("button", name="1 reply").click()
    expect(ann.panel).to_contain_text("it leaks")
    ann.answer_in_thread("only when it rains")
    expect(bob.panel).to_contain_text("only when it rains")
    expect(bob.texts).to_have_text(["about the roof"])
    ann.page.keyboard.press("Escape")
    expect(ann.panel).to_be_hidden()
    expect(ann.composer).to_be_focused()
    expect(ann.message("about the roof").get_by_role("button", name="2 replies")).to_be_visible()


def test_who_is_elsewhere_is_told_by_the_list(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann.calls", "den"), account(open_page, server, "bob.hears", "den")
    bob.enter("attic")
    ann.say("is anybody here?")
    expect(bob.in_list("den")).to_contain_text("1 unread")
    ann.say("hello @bob.hears")
    expect(bob.in_list("den")).to_contain_text("1 mention")
    expect(bob.page).to_have_title("(2) attic · trichat")
    bob.in_list("den").click()
    expect(bob.page.locator("li.separator.new")).to_be_visible()
    expect(bob.message("hello @bob.hears").locator(".at.me")).to_be_visible()
    expect(bob.in_list("den")).not_to_contain_text("mention")
    expect(bob.page).to_have_title("den · trichat")


def test_what_was_said_is_found_and_gone_to(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann = account(open_page, server, "ann.seeks", "archive")
    ann.say("the heron stands in the reeds")
    for n in range(60):
        ann.say(f"line {n}")
    ann.has_sent("line 59")
    ann.reload()
    expect(ann.texts.last).to_have_text("line 59")
    expect(ann.message("heron")).to_have_count(0)
    ann.press("Search in this room")
    ann.page.get_by_label("Search for").fill("reeds")
    ann.page.keyboard.press("Enter")
    expect(ann.panel.locator("mark")).to_have_text("reeds")
    ann.panel.locator(".found button").click()
    expect(ann.page.locator("li.entry.flash")).to_contain_text("the heron")
    ann.page.locator("button.latest").click()
    expect(ann.texts.last).to_be_in_viewport()
    expect(ann.texts.last).to_have_text("line 59")
