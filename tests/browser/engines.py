"""The page's engine on an empty page of a node, driven from here: what views would do, without views."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.browser.browsers import PATIENCE_MS
from tests.browser.conftest import OpenPage
from tests.browser.serving import Server

#: What is not there, which a node says under the policy of the page: a document of its origin with nothing in it.
#: (One that Playwright makes up comes from no network, and Chromium lets it connect to none on this machine.)
_BLANK = "/page/none"


class EnginePage:
    """One tab with an engine in it. Messages are told as (text, state) and the like: plain data."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self._server = server

    def load(self) -> None:
        """(Re)load the tab, and start an engine over the browser's storage."""
        self.page.goto(self._server.url + _BLANK)
        self.page.evaluate("""async () => {
            const { openEngine, Refusal } = await import("/page/engine/engine.js");
            const sockets = [];
            const Cuttable = class extends WebSocket {
                constructor(url) {
                    super(window.isCut ? url.replace(/ws$/, "nowhere") : url);
                    sockets.push(this);
                }
            };
            window.cut = () => { window.isCut = true; sockets.at(-1).close(); };
            window.isCut = false;
            window.engine = await openEngine({ WebSocket: Cuttable });
        }""")

    def cut(self) -> None:
        """Lose the connection, and get no other one until `mend`."""
        self.page.evaluate("cut()")
        self.wait("state.connection.status === 'offline'")

    def mend(self) -> None:
        self.page.evaluate("window.isCut = false")
        self.wait("state.connection.status === 'online'")

    def act(self, name: str, *given: object) -> Any:
        """What the action returns, as far as it is data. A refusal is told as {"refused": code}."""
        return self.page.evaluate(
            """async ([name, given]) => {
                try {
                    const result = await engine.act[name](...given);
                    return result === undefined ? null : JSON.parse(JSON.stringify(result));
                } catch (refusal) {
                    if (!refusal.code) throw refusal;
                    return { refused: refusal.code };
                }
            }""",
            [name, list(given)],
        )

    def run(self, script: str) -> Any:
        """What a script returns that may wait; `engine`, `state` and `room(name)` are there."""
        return self.page.evaluate(
            "async () => { const { state } = engine, room = (name) => state.rooms.get(name); " + script + " }"
        )

    def see(self, expression: str) -> Any:
        """The value of an expression, as data."""
        return self.run(f"return {expression}")

    def wait(self, expression: str) -> None:
        """Until an expression holds."""
        seen = self.run(
            f"const until = Date.now() + {PATIENCE_MS};"
            f"while (!({expression}) && Date.now() < until) await new Promise((go) => setTimeout(go, 10));"
            f"return Boolean({expression})"
        )
        assert seen, f"{expression} never came true; {self.see('state.connection')}"

    def entries(self, room: str, fields: str = "text, state") -> Any:
        names = [name.strip() for name in fields.split(",")]
        return self.see(
            f"room({json.dumps(room)}).entries.filter((one) => one.kind === 'message')"
            f".map((one) => {json.dumps(names)}.map((name) => one[name] ?? null))"
        )

    def texts(self, room: str) -> list[str]:
        return [text for (text,) in self.entries(room, "text")]


def open_engine(open_page: OpenPage, server: Server, context: BrowserContext | None = None) -> EnginePage:
    """A tab of somebody new (or another one of `context`), whose engine is there."""
    page = open_page("about:blank", context)
    engine = EnginePage(page, server)
    engine.load()
    return engine


def guest(open_page: OpenPage, server: Server, name: str, *rooms: str) -> EnginePage:
    """A guest who is in these rooms."""
    engine = open_engine(open_page, server)
    assert engine.act("guest", name) is None
    for room in rooms:
        engine.act("open", room)
    return engine


def account(open_page: OpenPage, server: Server, name: str, *rooms: str) -> EnginePage:
    """Somebody with a new account who is in these rooms."""
    engine = open_engine(open_page, server)
    assert engine.act("register", name, "a long sentence is best") is None
    for room in rooms:
        engine.act("open", room)
    return engine
