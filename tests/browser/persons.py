"""The page as a person has it: what is done by the words on it, and what is seen there."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Locator, Page, Request, expect

from tests.browser.browsers import PATIENCE_MS
from tests.browser.conftest import OpenPage
from tests.browser.serving import Server

expect.set_options(timeout=PATIENCE_MS)

PASSWORD: Final = "a long sentence is best"
#: Sockets that can be cut, and none opened, as if there were no network. (Chromium's own "offline" spares loopback.)
_CUTTABLE: Final = """
    const sockets = [];
    window.isCut = false;
    window.WebSocket = class extends WebSocket {
        constructor(url) {
            super(window.isCut ? url.replace(/ws$/, "nowhere") : url);
            sockets.push(this);
        }
    };
    window.cut = () => { window.isCut = true; sockets.at(-1).close(); };
"""
#: What the page's policy has stopped is told on the console by this word.
_POLICY: Final = "Content Security Policy"


class Person:
    """One tab with the page, and whoever sits before it. `alarms` is what a page that is sound never does: it asks
    other sites, opens a dialog of the browser, or tries what its policy forbids."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.alarms: list[str] = []
        page.add_init_script(_CUTTABLE)
        page.on("request", self._look_at)
        page.on("dialog", self._dismiss)
        page.on("console", self._hear)

    # where they are

    def come(self, place: str = "") -> None:
        """Load the page at a place in it (`#/r/hall`)."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.server.url}/{place}")

    def reload(self) -> None:
        self.page.reload()

    def enter(self, room: str) -> None:
        """Go to a room and wait until it is open."""
        self.page.evaluate("(room) => { location.hash = `#/r/${encodeURIComponent(room)}` }", room)
        current = f'nav.rooms a[aria-current=page][href="#/r/{room}"]'  # whatever its title is
        expect(self.page.locator(current)).to_be_visible()
        expect(self.page.locator("main .timeline")).to_be_visible()

    def cut(self) -> None:
        """Lose the connection, and get no other until `mend`."""
        self.page.evaluate("cut()")
        expect(self.bar).to_contain_text("Offline")

    def mend(self) -> None:
        self.page.evaluate("window.isCut = false, dispatchEvent(new Event('online'))")  # as a browser tells it
        expect(self.bar).to_be_hidden()

    # who they are

    def be_guest(self, name: str) -> None:
        self.page.get_by_label("Your name").fill(name)
        self.press("Chat as guest")
        expect(self.page.locator("nav.rooms")).to_be_visible()

    def register(self, name: str) -> None:
        self._sign("Register", name)

    def sign_in(self, name: str) -> None:
        self._sign("Sign in", name)

    def _sign(self, how: str, name: str) -> None:
        self.press(how)
        self.dialog.get_by_label("Name").fill(name)
        self.dialog.get_by_label("Password").fill(PASSWORD)
        self.dialog.get_by_role("button", name=how, exact=True).click()
        expect(self.page.locator("nav.rooms")).to_be_visible()

    # what they do

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def choose(self, item: str) -> None:
        """An item of the menu that is open."""
        self.page.get_by_role("menuitem", name=item).click()

    def own_menu(self, item: str) -> None:
        self.page.locator("button.own").click()
        self.choose(item)

    def room_menu(self, item: str) -> None:
        self.press("More about this room")
        self.choose(item)

    def answer(self, button: str, **fields: str) -> None:
        """Fill the form of the dialog that is open, by the names of its fields, and send it."""
        for name, value in fields.items():
            field = self.dialog.locator(f"[name={name}]")
            if field.evaluate("(field) => field.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        self.dialog.get_by_role("button", name=button, exact=True).click()
        expect(self.dialog).to_have_count(0)

    def type(self, text: str) -> None:
        self.composer.fill(text)

    def say(self, text: str) -> None:
        self.type(text)
        self.composer.press("Enter")

    def answer_in_thread(self, text: str) -> None:
        field = self.page.get_by_label("Write in the thread")
        field.fill(text)
        field.press("Enter")

    def do(self, tool: str, text: str) -> None:
        """Something to a message, by the bar above it or by the menu behind that."""
        message = self.message(text)
        message.hover()
        direct = message.get_by_role("button", name=tool, exact=True)
        if direct.count():
            direct.click()
        else:
            message.get_by_role("button", name="More", exact=True).click()
            self.choose(tool)

    def card_of(self, user: str) -> None:
        """Open the card of somebody whom the list of people shows."""
        if not self.page.get_by_role("heading", name="People").is_visible():
            self.page.locator("header.top button[aria-label^=People]").click()
        self.page.locator("ul.people button", has_text=user).click()

    # what they see

    @property
    def bar(self) -> Locator:
        return self.page.locator(".connection")

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog")

    @property
    def composer(self) -> Locator:
        return self.page.get_by_label("Write a message", exact=True)

    @property
    def panel(self) -> Locator:
        return self.page.locator("aside.panel")

    @property
    def texts(self) -> Locator:
        """The texts of the room's main line, in their order."""
        return self.page.locator("main ol.entries .text")

    def message(self, text: str) -> Locator:
        return self.page.locator("main li.entry", has=self.page.locator(".text", has_text=text))

    def in_list(self, room: str) -> Locator:
        """A room in the list of rooms."""
        return self.page.locator("nav.rooms a", has_text=room)

    def sees(self, text: str) -> None:
        expect(self.message(text)).to_be_visible()

    def has_sent(self, text: str) -> None:
        expect(self.message(text).get_by_role("img", name="sent")).to_be_visible()

    def reads_note(self, text: str) -> None:
        """What was done in the room, as a line of it."""
        expect(self.page.locator("main li.note", has_text=text).last).to_be_visible()

    # what must not be

    def _look_at(self, request: Request) -> None:
        if not request.url.startswith((self.server.url, self.server.url.replace("http", "ws"), "about:", "data:")):
            self.alarms.append(f"asked for {request.url}")

    def _dismiss(self, dialog: Dialog) -> None:
        self.alarms.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _hear(self, message: ConsoleMessage) -> None:
        if _POLICY in message.text or "TrustedHTML" in message.text:
            self.alarms.append(message.text)


def somebody(open_page: OpenPage, server: Server, context: BrowserContext | None = None, **options: object) -> Person:
    """A new person before the page (or another tab of `context`), who has not said who they are."""
    person = Person(open_page("about:blank", context, **options), server)
    person.come()
    return person


def guest(open_page: OpenPage, server: Server, name: str, room: str, **options: object) -> Person:
    """A guest in a room."""
    person = somebody(open_page, server, None, **options)
    person.be_guest(name)
    person.enter(room)
    return person


def account(open_page: OpenPage, server: Server, name: str, room: str, **options: object) -> Person:
    """Somebody with a new account in a room."""
    person = somebody(open_page, server, None, **options)
    person.register(name)
    person.enter(room)
    return person
