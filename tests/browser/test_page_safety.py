"""Whatever people write is shown as text: nothing of it runs, asks other sites, or spills over what is beside it."""

from __future__ import annotations

from urllib.parse import quote

from playwright.sync_api import expect

from tests.browser.browsers import BrowserThread
from tests.browser.conftest import OpenPage
from tests.browser.persons import account, guest, somebody
from tests.browser.serving import Server

#: Each would open a dialog or ask another site where text becomes markup, a script, a style, or an address.
HARM = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=https://evil.example/pixel.png>",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe src=javascript:alert(1)>",
    "<body onload=alert(1)>",
    "<style>@import 'https://evil.example/x.css'</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/>",
    "<form action=https://evil.example/><input autofocus onfocus=alert(1)>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<template><script>alert(1)</script></template>",
    "\"><script>alert(1)</script>",
    "' onmouseover='alert(1)' x='",
    "</textarea></div></ol><script>alert(1)</script>",
    "javascript:alert(1)",
    "https://evil.example/\"onclick=\"alert(1)",
    "http://javascript:alert(1)@evil.example/%22%3E%3Cscript%3E",
    "[x](javascript:alert(1))",
    "`<img src=x onerror=alert(1)>`",
    "```\n<script>alert(1)</script>\n```",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)} #{alert(1)}",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62;",
    "@<img src=x onerror=alert(1)> #<b>",
    "data:text/html,<script>alert(1)</script>",
]  # fmt: skip
HARMFUL = "<img src=x onerror=alert(1)>"
#: Elements that only markup of somebody could have made.
MARKUP = "body :is(script, img, iframe, style, link, meta, base, object, embed, math, template, animate)"


def test_texts_stay_text(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann", "wild"), guest(open_page, server, "bob", "wild")
    for harm in HARM:
        ann.say(harm)
    expect(bob.texts).to_have_count(len(HARM))
    for shown, harm in zip(bob.texts.all_text_contents(), HARM, strict=True):
        assert shown == harm.strip().replace("```\n", "").replace("\n```", "").replace("`", "")
    links = bob.page.locator(".text a").evaluate_all("(all) => all.map((one) => [one.protocol, one.rel, one.target])")
    assert {kind for kind, _, _ in links} == {"https:", "http:"}
    assert all((rel, target) == ("noopener noreferrer", "_blank") for _, rel, target in links)
    bob.do("Reply", "onbegin")  # in a quotation, in the composer, in a thread, found
    bob.say(HARMFUL)
    bob.do("Thread", "<body")
    bob.answer_in_thread(HARMFUL)
    expect(bob.panel).to_contain_text(HARMFUL)
    bob.press("Search in this room")
    bob.page.get_by_label("Search for").fill("onerror")
    bob.page.keyboard.press("Enter")
    expect(bob.panel.locator("mark").first).to_be_visible()
    for person in (ann, bob):
        assert person.page.locator(MARKUP).count() == 0
        assert person.alarms == []


def test_names_topics_and_reasons_stay_text(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann, bob = account(open_page, server, "ann.w", "zoo"), account(open_page, server, "bob.w", "zoo")
    ann.room_menu("About this room")
    ann.answer("Save", title=f"T {HARMFUL}", topic=f"P {HARMFUL}")
    expect(bob.page.locator("header.top h1")).to_have_text(f"T {HARMFUL}")
    expect(bob.page.locator("header.top .topic")).to_have_text(f"P {HARMFUL}")
    expect(bob.in_list(HARMFUL)).to_be_visible()
    ann.own_menu("Profile…")
    expect(ann.dialog.locator("[name=displayName]")).to_be_visible()
    ann.answer("Save", displayName=f"N {HARMFUL}"[:40], about=f"A {HARMFUL}")
    bob.card_of("ann.w")
    expect(bob.dialog).to_contain_text(f"A {HARMFUL}")
    bob.page.keyboard.press("Escape")
    ann.card_of("bob.w")
    ann.press("Mute…")
    ann.answer("Mute", reason=f"R {HARMFUL}")
    bob.reads_note(f"R {HARMFUL}")
    for person in (ann, bob):
        assert person.page.locator(MARKUP).count() == 0
        assert person.alarms == []


def test_an_address_is_no_way_in(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann = somebody(open_page, server)
    ann.be_guest("eve.w")
    for place in (
        f"r/{quote(HARMFUL, safe='')}",
        f"r/{HARMFUL}/1",
        "invite/%3Cscript%3E",
        "r/%",
        "javascript:alert(1)",
    ):
        ann.come(f"#/{place}")
        expect(ann.page.locator("main").get_by_role("heading").first).to_be_visible()
        assert ann.page.locator(MARKUP).count() == 0
    ann.come(f"#/r/{quote(HARMFUL, safe='')}")
    expect(ann.page.locator(".lost h1")).to_have_text(HARMFUL)
    assert ann.alarms == []


def test_the_direction_of_a_text_ends_with_it(browser: BrowserThread, server: Server, open_page: OpenPage) -> None:
    ann = guest(open_page, server, "ann.r", "souk")
    ann.say("שלום, מה שלומך?")
    ann.say("he said \u202egnp.exe and stopped")  # an override that nobody closes
    ann.say("after it")
    ann.has_sent("after it")
    direction = "(one) => getComputedStyle(one).direction"
    assert ann.message("שלום").locator(".text").evaluate(direction) == "rtl"
    assert ann.message("after it").locator(".text").evaluate(direction) == "ltr"
    isolated = "(one) => getComputedStyle(one).unicodeBidi"
    for text in ("שלום", "gnp.exe"):
        assert ann.message(text).locator(".text").evaluate(isolated) in ("isolate", "plaintext", "isolate-override")
    width = ann.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
