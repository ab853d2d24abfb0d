"""What is wrong with a request is said clearly, by the status that fits; methods, pages of other sites, HEAD."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
import trio
from starlette.applications import Starlette
from trio.testing import MockClock

from tests.chat.guests import Chat, open_chat
from tests.people import make_account
from tests.web.asking import HOST, Asker, by_hand, open_asker, refusal
from trichat.core.errors import ERROR_CODES, Refusal
from trichat.core.limits import Limits
from trichat.web.api import api_routes
from trichat.web.api.answering import STATUS, refused
from trichat.web.api.operations import OPERATIONS
from trichat.web.outermost import Answered, Outermost


async def owner(chat: Chat, asker: Asker) -> Asker:
    """Ann, who owns the room garden, in which she has said something."""
    ann = asker.as_(await make_account(chat.store, "ann"))
    assert (await ann.ask("POST", "/rooms", {"room": "garden"})).status_code == 201
    await ann.say("garden", "it rains")
    return ann


def test_every_code_has_a_status() -> None:
    assert STATUS.keys() == ERROR_CODES.keys()


@pytest.mark.parametrize("code", ERROR_CODES)
def test_every_error_is_the_sockets_and_says_when_to_come_back(code: str) -> None:
    answer = refused(Refusal(code, "because", field="seq", head=3, retry_after_ms=1_200 if ERROR_CODES[code] else None))
    said = json.loads(bytes(answer.body))
    assert (answer.status_code, said["code"], said["temporary"]) == (STATUS[code], code, ERROR_CODES[code])
    assert (said["message"], said["field"], said["head"]) == ("because", "seq", 3)
    assert ("retry-after" in answer.headers) == (STATUS[code] in (429, 503))
    assert not ERROR_CODES[code] or answer.headers["retry-after"] == "2"
    assert ("www-authenticate" in answer.headers) == (STATUS[code] == 401)


async def test_codes_of_the_chat_come_with_their_status(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        ann = await owner(chat, nobody)
        bob = nobody.as_(await make_account(chat.store, "bob"))
        gus = nobody.as_((await nobody.ask("POST", "/guests")).json()["token"])
        at = "/rooms/garden/messages"
        seq = await ann.say("garden", "it snows")
        asked = [
            (await gus.ask("POST", "/rooms", {"room": "mine"}), (403, "forbidden", None)),
            (await bob.ask("PATCH", f"{at}/{seq}", {"text": "snow"}), (403, "forbidden", "room")),
            (await ann.get("/rooms/nowhere"), (404, "no_such_room", "room")),
            (await ann.get("/search", text="from:nobodyatall rain"), (404, "no_such_user", "user")),
            (await bob.ask("POST", at, {"text": "hi"}), (409, "not_joined", "room")),
            (await ann.ask("POST", "/rooms", {"room": "garden"}), (409, "name_taken", "room")),
            (await nobody.ask("POST", "/guests", {"name": "guest-x"}), (409, "name_taken", "name")),
            (await ann.ask("POST", at, {"text": "x" * 4_001}), (413, "too_long", "text")),
            (await ann.ask("PATCH", f"{at}/99", {"text": "snow"}), (400, "bad_field", "seq")),
            (await ann.ask("PUT", f"{at}/{seq}/reactions/nonsense"), (400, "bad_field", "emoji")),
            (await ann.get("/rooms/Garden"), (400, "bad_field", "room")),
        ]
        for answer, expected in asked:
            assert refusal(answer) == expected
            assert "id" not in answer.json()
            assert answer.headers["content-type"] == "application/json"
        assert (await ann.ask("DELETE", f"{at}/{seq}")).status_code == 200
        assert refusal(await ann.ask("PATCH", f"{at}/{seq}", {"text": "snow"}))[:2] == (409, "bad_state")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "bad_field", "content-type"),
        (b"{", "bad_frame", None),
        (b"[]", "bad_frame", None),
        (b'"text"', "bad_frame", None),
        (b"null", "bad_frame", None),
        (b'{"text":"\xff"}', "bad_frame", None),
        (b"[" * 30_000, "bad_frame", None),
        (b'{"text":' + b"[" * 30_000, "bad_frame", None),
        (b'{"text":' + b"[" * 3_000 + b"]" * 3_000 + b"}", "bad_frame", None),
        (b"{}", "bad_field", "text"),
        (b'{"text":""}', "bad_field", "text"),
        (b'{"text":7}', "bad_field", "text"),
        (b'{"text":"\\ud800"}', "bad_frame", None),
        (b'{"text":"a\\u0000"}', "bad_field", "text"),
        (b'{"text":"a","cid":"x"}', "bad_field", "cid"),
        (b'{"text":"a","room":"other"}', "bad_field", "room"),
        (b'{"text":"a","type":"delete_room"}', "bad_field", "type"),
        (b'{"text":"a","id":7}', "bad_field", "id"),
        (b'{"text":"a","thread":"one"}', "bad_field", "thread"),
        (b'{"text":"a","thread":-1}', "bad_field", "thread"),
        (b'{"text":"a","thread":1.5}', "bad_field", "thread"),
        (b'{"text":"a","thread":99999999999999999999}', "bad_field", "thread"),
    ],
)
async def test_a_body_that_is_wrong_is_named(
    body: bytes, code: str, field: str | None, autojump_clock: MockClock
) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        ann = await owner(chat, nobody)
        headers = {"Content-Type": "application/json"} if body else {}
        answer = await ann.ask("POST", "/rooms/garden/messages", content=body, headers=headers)
        assert refusal(answer) == (400, code, field)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_only_json_is_taken_so_that_no_form_of_another_site_counts(kind: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        body, headers = b'{"name":"ann","password":"something"}', {"Content-Type": kind}
        answer = await nobody.ask("POST", "/token", content=body, headers=headers)
        assert refusal(answer) == (400, "bad_field", "content-type")


async def test_a_body_that_is_too_long_is_not_taken(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        ann = await owner(chat, nobody)
        taken: list[int] = []

        async def receive() -> Any:
            taken.append(16_000)
            return {"type": "http.request", "body": b"x" * 16_000, "more_body": True}

        begin, body = await by_hand(ann, "POST", "/rooms/garden/messages", receive, content_type="application/json")
        assert begin["status"] == 413
        assert json.loads(body["body"])["code"] == "too_long"
        assert sum(taken) < Limits().frame + 16_000


async def test_a_body_that_does_not_come_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        ann = await owner(chat, nobody)
        began = trio.current_time()
        begin, _ = await by_hand(ann, "POST", "/rooms/garden/messages", trio.sleep_forever)
        assert begin["status"] == 408
        assert trio.current_time() - began == pytest.approx(Limits().api_call_s)


async def test_a_client_that_goes_before_it_has_said_all_is_not_answered(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        ann = await owner(chat, nobody)

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        assert await by_hand(ann, "POST", "/rooms/garden/messages", receive) == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/rooms?limt=3", "limt"),
        ("/rooms?limit=three", "limit"),
        ("/rooms?limit=-1", "limit"),
        ("/rooms?limit=", "limit"),
        ("/rooms?limit=%D9%A3", "limit"),
        ("/rooms?limit=9999999999999999999", "limit"),
        ("/rooms?limit=999999999999999999", "limit"),
        ("/rooms?limit=3&limit=4", "limit"),
        ("/rooms?mine=yes", "mine"),
        ("/rooms?after=%FF", "query"),
        ("/rooms?after=%00", "after"),
        ("/rooms/%FF", "room"),
        ("/rooms/garden?x", "x"),
        ("/rooms/garden/events", "since"),
        ("/rooms/garden/messages?before=2&after=1", "after"),
        ("/search", "text"),
    ],
)
async def test_a_query_or_a_path_that_is_wrong_is_named(path: str, field: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        ann = await owner(chat, nobody)
        assert refusal(await ann.ask("GET", path)) == (400, "bad_field", field)


@pytest.mark.parametrize("key", ["", "k" * 65])
async def test_a_key_that_is_no_cid_is_refused(key: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        ann = await owner(chat, nobody)
        for method, path in (("POST", "/rooms/garden/messages"), ("PATCH", "/rooms/garden/messages/2")):
            answer = await ann.ask(method, path, {"text": "a"}, headers={"Idempotency-Key": key})
            assert refusal(answer) == (400, "bad_field", "cid")


# methods


@pytest.mark.parametrize("path", ["", "/", "/nonsense", "/rooms/", "/rooms//messages", "/rooms/garden/messages/2/x"])
async def test_where_nothing_is_that_is_said(path: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        answer = await nobody.ask("GET", path)
        assert answer.status_code in (404, 307) if path == "" else refusal(answer) == (404, "unknown_type", None)


@pytest.mark.parametrize("path", sorted({one.path for one in OPERATIONS}))
async def test_every_path_says_what_can_be_done_there(path: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        methods = {one.method for one in OPERATIONS if one.path == path}
        allowed = methods | ({"HEAD"} if "GET" in methods else set()) | {"OPTIONS"}
        path = re.sub(r"\{\w+\}", "1", path)
        options = await nobody.ask("OPTIONS", path)
        assert (options.status_code, options.content) == (204, b"")
        assert set(options.headers["allow"].split(", ")) == allowed
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - methods:
            answer = await nobody.ask(method, path)
            assert refusal(answer) == (405, "unknown_type", None)
            assert answer.headers["allow"] == options.headers["allow"]


async def test_head_says_what_get_says_without_the_body(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        ann = await owner(chat, nobody)
        get, head = await ann.get("/rooms/garden"), await ann.ask("HEAD", "/rooms/garden")
        assert (head.status_code, head.content, dict(head.headers)) == (200, b"", dict(get.headers))
        assert (await nobody.ask("HEAD", "/rooms/garden")).status_code == 401


async def test_nothing_of_an_answer_is_kept_on_the_way(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        for answer in (await nobody.ask("POST", "/guests"), await nobody.get("/rooms"), await nobody.get("/nonsense")):
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "set-cookie" not in answer.headers


# pages of other sites

PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


async def _cors(asker: Asker, method: str, origin: str, headers: dict[str, Any] | None = None) -> dict[str, str]:
    answer = await asker.ask(method, "/rooms", headers={"Origin": origin, **(headers or {})})
    assert "origin" in answer.headers["vary"].lower()
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


async def test_pages_of_allowed_origins_may_ask_and_read(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub, allowed=["https://site.example"]) as nobody:
        told = await _cors(nobody, "OPTIONS", "https://site.example", PREFLIGHT)
        assert told["access-control-allow-origin"] == "https://site.example"
        assert "authorization" in told["access-control-allow-headers"]
        assert "PATCH" in told["access-control-allow-methods"]
        told = await _cors(nobody, "GET", "https://site.example")
        assert told["access-control-allow-origin"] == "https://site.example"
        assert "access-control-allow-credentials" not in told
        assert (await _cors(nobody, "GET", f"http://{HOST}"))["access-control-allow-origin"] == f"http://{HOST}"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://site.example", "https://site.example.evil.example", "null", ""]
)
async def test_pages_of_others_read_nothing(origin: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub, allowed=["https://site.example"]) as nobody:
        assert not await _cors(nobody, "OPTIONS", origin, PREFLIGHT)
        assert not await _cors(nobody, "GET", origin)


# what the metrics and the log call a request


async def test_a_request_is_counted_by_the_template_of_its_path(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        seen: list[Answered] = []
        app = Outermost(Starlette(routes=api_routes(chat.node.hub)), seen.append)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://chat.example") as client:
            await client.get("/api/v1/rooms/a-hidden-name/messages/7")
            await client.get("/api/v1/a-hidden-name")
        assert "a-hidden-name" not in str(seen)
        assert seen[0].route == "/api/v1/rooms/{room}/messages/{seq}"
