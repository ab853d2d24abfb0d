"""The rules of a right copy, where pages and events cross: what no node can be made to do on time."""

from __future__ import annotations

from typing import Any

from tests.browser.browsers import BrowserThread
from tests.browser.conftest import OpenPage
from tests.browser.serving import Server

_MESSAGE = """
    const { Copy } = await import("/page/engine/copy.js");
    const copy = new Copy("u_me", () => undefined);
    const ann = { from: "ann", from_id: "u_ann", ts: "" };
    const said = (seq, more) => ({ type: "message", seq, ...ann, text: `m${seq}`, ...more });
    const edited = (seq, target, text) => ({ type: "edited", seq, target, text, ...ann });
    const window = (first, last) => () => Object.assign(copy, { loaded: true, first, last });
    const texts = () => copy.line().map((entry) => entry.text);
"""


def played(open_page: OpenPage, server: Server, script: str) -> Any:
    page = open_page(server.url + "/page/none")
    return page.evaluate("async () => { " + _MESSAGE + script + " }")


def test_a_page_that_is_older_than_what_happened_meanwhile(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    texts = """
        copy.position = 2;
        const asked = copy.pageBegins();
        copy.take(edited(3, 1, "uno"));
        copy.take(said(4));
        copy.pageCame(asked, [said(1, { rev: 1 }), said(2, { rev: 2 })], window(1, null));
        return texts();
    """
    assert played(open_page, server, texts) == ["uno", "m2", "m4"]


def test_a_page_that_is_newer_than_what_is_heard_later(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    script = """
        copy.position = 1;
        copy.pageCame(copy.pageBegins(), [said(1, { rev: 3, text: "dos" }), said(4, { rev: 4 })], window(1, null));
        const kept = copy.entries.get(4);
        copy.take(edited(2, 1, "uno"));
        copy.take(edited(3, 1, "dos"));
        copy.take(said(4));
        return [texts(), copy.entries.get(1).rev, copy.entries.get(4) === kept];
    """
    assert played(open_page, server, script) == [["dos", "m4"], 3, True]


def test_a_page_that_was_asked_for_before_all_was_forgotten_counts_no_more(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    script = """
        const asked = copy.pageBegins();
        copy.clear();
        return [copy.pageCame(asked, [said(1)], window(1, null)), copy.loaded, copy.entries.size];
    """
    assert played(open_page, server, script) == [False, False, 0]


def test_what_is_said_while_the_past_is_looked_at_is_there_when_the_present_is_reached(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    script = """
        copy.position = 3;
        copy.pageCame(copy.pageBegins(), [said(1)], window(1, 1));
        copy.take(said(4));
        const past = texts(), asked = copy.pageBegins();
        copy.take(said(5));
        copy.pageCame(asked, [said(2), said(3), said(4)], () => { copy.last = null; });
        return [past, texts()];
    """
    assert played(open_page, server, script) == [["m1"], ["m1", "m2", "m3", "m4", "m5"]]


def test_an_event_that_is_missing_is_noticed_and_one_that_comes_again_is_not_taken(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    script = """
        copy.position = 3;
        const again = copy.take(said(3));
        try {
            copy.take(said(5));
        } catch (error) {
            return [again, error.name];
        }
    """
    assert played(open_page, server, script) == [False, "RangeError"]


def test_a_copy_is_kept_short_at_the_end_that_nobody_reads(
    browser: BrowserThread, server: Server, open_page: OpenPage
) -> None:
    script = """
        const many = Array.from({ length: 2100 }, (_, at) => said(at + 1));
        const ends = () => [copy.first, copy.last, copy.more, copy.line().length];
        copy.pageCame(copy.pageBegins(), many, window(1, null));
        copy.trim("newest");
        const trimmed = ends();
        copy.pageCame(copy.pageBegins(), many, window(1, null), true);
        copy.trim("oldest");
        return [trimmed, ends()];
    """
    assert played(open_page, server, script) == [[1, 1500, False, 1500], [601, None, True, 1500]]
