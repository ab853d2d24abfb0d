"""The page in the browser: files that are served as they are, with a strict Content-Security-Policy.

`/` is the page, and everything else of it is under `/page/`. The page asks for its parts by a path that has the release
in it (`/page/RELEASE/main.js`): they are kept by browsers for good, and a new release is seen at the next load.
"""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trichat.web.page.answering import answer_with
from trichat.web.page.files import read_page

__all__ = ["page_routes"]


def page_routes() -> list[BaseRoute]:
    """`/` and what belongs to it. Reads the files: nothing else is ever served, whatever a path says."""
    page = read_page()
    answer = partial(answer_with, page)

    async def index(request: Request) -> Response:
        return answer(request, "index.html", None)

    async def part(request: Request) -> Response:
        whole: str = request.path_params["path"]
        release, _, path = whole.partition("/")
        return answer(request, whole, None) if whole in page.files else answer(request, path, release)

    return [Route("/", index), Route("/page/{path:path}", part)]
