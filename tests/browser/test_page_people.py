"""People on the page: who is there, who they are, and what moderators do; seen by both sides."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.browsers import BrowserThread
from tests.browser.conftest import OpenPage
from tests.browser.persons import PASSWORD, Person, account, guest, somebody
from tests.browser.serving import Server


def test_the_people_of_a_room_and_who_is_away(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann", "club"), account(open_page, server, "bob", "club")
    ann.page.locator("header.top button[aria-label^=People]").click()
    people = ann.page.locator("ul.people li")
    expect(people).to_have_count(2)
    expect(people.filter(has_text="ann")).to_contain_text("owner")
    expect(people.filter(has_text="bob")).to_contain_text("online")
    bob.own_menu("I am away")
    expect(people.filter(has_text="bob")).to_contain_text("away")


@pytest.mark.slow
def test_two_write_to_each_other_alone(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann.two", "bar"), account(open_page, server, "bob.two", "bar")
    ann.card_of("bob.two")
    ann.press("Write to them")
    expect(ann.page.locator("header.top h1")).to_have_text("bob.two")
    ann.say("just us")
    direct = bob.page.get_by_role("list", name="Direct messages")
    expect(direct.locator("a")).to_contain_text("ann.two", timeout=40_000)  # the page looks for it each 15 s
    expect(direct.locator("a")).to_contain_text("1 unread")
    direct.locator("a").click()
    bob.sees("just us")
    bob.say("indeed")
    ann.sees("indeed")
    expect(bob.page.locator("main p.seen")).to_have_text("Seen")


def test_what_somebody_says_of_themselves_is_on_their_card(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann, bob = account(open_page, server, "ann.new", "stage"), account(open_page, server, "bob.new", "stage")
    ann.say("good evening")
    bob.sees("good evening")
    ann.own_menu("Profile…")
    expect(ann.dialog.locator("[name=displayName]")).to_be_visible()
    ann.answer("Save", displayName="Ann of the Lake", about="sings on Fridays")
    expect(ann.page.locator("button.own")).to_contain_text("Ann of the Lake")
    bob.card_of("ann.new")
    expect(bob.dialog).to_contain_text("Ann of the Lake")
    expect(bob.dialog).to_contain_text("sings on Fridays")


def test_a_login_elsewhere_is_ended(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, phone = account(open_page, server, "ann.far", "home"), somebody(open_page, server)
    phone.sign_in("ann.far")
    ann.own_menu("Where you are signed in…")
    expect(ann.dialog.locator("li")).to_have_count(2)
    ann.dialog.get_by_role("button", name="End", exact=True).click()
    expect(ann.dialog.locator("li")).to_have_count(1)
    expect(phone.page.get_by_role("button", name="Chat as guest")).to_be_visible()


def test_a_password_is_changed_and_the_old_one_is_refused(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    ann = account(open_page, server, "ann.key", "vault")
    ann.own_menu("Password…")
    ann.answer("Change", old=PASSWORD, new="another long sentence")
    ann.own_menu("Sign out")
    ann.press("Sign in")
    ann.dialog.get_by_label("Name").fill("ann.key")
    ann.dialog.get_by_label("Password").fill(PASSWORD)
    ann.dialog.get_by_role("button", name="Sign in").click()
    expect(ann.dialog.get_by_role("alert")).not_to_be_empty()
    ann.answer("Sign in", name="ann.key", password="another long sentence")
    expect(ann.page.locator("nav.rooms")).to_be_visible()


def test_a_room_is_ruled(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann.rules", "court"), account(open_page, server, "bob.obeys", "court")
    ann.room_menu("About this room")
    ann.answer("Save", title="The Court", topic="order, order", slow_s="600")
    expect(bob.page.locator("header.top .topic")).to_have_text("order, order")
    expect(bob.page.locator("header.top h1")).to_have_text("The Court")
    bob.reads_note("set slow mode to 600 s")
    bob.say("one")
    bob.has_sent("one")
    bob.say("two")  # too soon
    expect(bob.message("two").locator(".failure")).to_contain_text("Too early: it is sent at")
    bob.message("two").get_by_role("button", name="Discard").click()
    expect(bob.texts).to_have_text(["one"])
    ann.card_of("bob.obeys")
    ann.page.get_by_label("Role of bob.obeys").select_option("moderator")
    bob.reads_note("ann.rules made bob.obeys moderator")
    bob.do("Pin", "one")
    expect(ann.message("one")).to_contain_text("pinned")


def test_who_is_muted_or_put_out_is_told(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann.calm", "yard"), account(open_page, server, "bob.loud", "yard")
    bob.say("LOUD")
    ann.do("Report…", "LOUD")
    ann.answer("Report", reason="too loud")
    ann.room_menu("Reports")
    expect(ann.panel).to_contain_text("too loud")
    ann.press("Resolve…")
    ann.answer("Resolve", note="told him")
    expect(ann.panel).to_contain_text("There are no open reports")
    _to_bob(ann, "Mute…", "Mute", "loud")
    expect(bob.page.locator("p.why")).to_have_text("You are muted in this room: you can read, not send.")
    expect(bob.composer).to_be_disabled()
    ann.card_of("bob.loud")
    ann.press("Unmute")
    expect(bob.composer).to_be_enabled()
    _to_bob(ann, "Remove…", "Remove", "go home")
    expect(bob.page.locator("main")).to_contain_text("you were removed")
    bob.reload()
    bob.sees("LOUD")
    _to_bob(ann, "Ban…", "Ban", "once too often")
    ann.reads_note("ann.calm banned bob.loud: once too often")
    expect(bob.composer).to_be_disabled()
    bob.reload()
    expect(bob.page.locator(".lost")).to_contain_text("banned")


def _to_bob(ann: Person, act: str, button: str, reason: str) -> None:
    ann.card_of("bob.loud")
    ann.press(act)
    ann.answer(button, reason=reason)


def test_an_archived_room_says_so(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann.shuts", "mill"), guest(open_page, server, "bob.late", "mill")
    ann.room_menu("About this room")
    ann.press("Archive the room")
    expect(bob.page.locator("p.why")).to_have_text("This room is archived: it can be read, not written.")
    expect(bob.composer).to_be_disabled()
    expect(ann.dialog).to_have_count(0)
    ann.room_menu("About this room")
    ann.press("Open it again")
    expect(bob.composer).to_be_enabled()


def test_a_private_room_is_entered_by_its_link(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann.hosts", "gate"), account(open_page, server, "bob.comes", "gate")
    ann.press("Find, make or join a room")
    ann.choose("Make a room…")
    ann.answer("Make", kind="private", title="The shed")
    expect(ann.page.locator("header.top h1")).to_have_text("The shed")
    ann.room_menu("Invite people…")
    ann.press("Make a link to pass on")
    link = ann.dialog.locator("output")
    expect(link).to_contain_text("#/invite/")
    bob.page.goto(link.inner_text())
    expect(bob.page.locator("header.top h1")).to_have_text("The shed")
    ann.page.keyboard.press("Escape")
    ann.say("welcome")
    bob.sees("welcome")
