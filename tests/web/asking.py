"""Asking the API over HTTP: in the process, on a twin node's hub, without a port."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import httpx
import trio
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive

from trichat.chat.hub import Hub
from trichat.web.api import api_routes

#: Where the requests come from, as the node sees it.
ADDRESS: Final = "192.0.2.7"
HOST: Final = "chat.example"


class Asker:
    """Somebody with a token, or nobody; asks one thing after the other."""

    def __init__(self, app: ASGIApp, client: httpx.AsyncClient, token: str | None = None) -> None:
        self.app = app
        self.client = client
        self.token = token

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """The answer; `path` is below /api/v1, `headers` are beside the token's."""
        headers = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **more.pop("headers", {})}
        if body is not None:
            more["content"] = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        with trio.fail_after(100):
            return await self.client.request(method, f"/api/v1{path}", headers=headers, **more)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.ask("GET", path, params=params)

    async def say(self, room: str, text: str, **headers: str) -> int:
        """The `seq` of what was said now."""
        answer = await self.ask("POST", f"/rooms/{quote(room, safe='')}/messages", {"text": text}, headers=headers)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["seq"])

    def as_(self, token: str | None) -> Asker:
        """Another one, by the same way."""
        return Asker(self.app, self.client, token)


async def by_hand(asker: Asker, method: str, path: str, receive: Receive, **headers: str) -> list[Message]:
    """What the application sends when `receive` gives what comes, as a server would call it."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    path, _, query = f"/api/v1{path}".partition("?")
    said = {"authorization": f"Bearer {asker.token}", "host": HOST, **headers}
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
        "query_string": query.encode(), "server": (HOST, 80), "client": (ADDRESS, 1234),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in said.items()],
    }  # fmt: skip
    await asker.app(scope, receive, send)
    return sent


def refusal(answer: httpx.Response) -> tuple[int, str, str | None]:
    """The status, the code, and the field that it names."""
    error = answer.json()
    assert error["type"] == "error", error
    assert error["message"]
    return answer.status_code, error["code"], error.get("field")


@asynccontextmanager
async def open_asker(hub: Hub, token: str | None = None, *, allowed: Collection[str] = ()) -> AsyncIterator[Asker]:
    """Somebody who asks this hub."""
    app = Starlette(routes=api_routes(hub, allowed))
    transport = httpx.ASGITransport(app, client=(ADDRESS, 1234))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        yield Asker(app, client, token)
