"""What a request for a file of the page is answered, and the headers that keep the page safe."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from trichat.web.page.files import Page

#: Only our own modules and styles run, none of them inline, and no text ever becomes markup or code (Trusted Types).
#: `connect-src 'self'` holds for the WebSocket of this host as well (CSP level 3). No pictures of other sites: who
#: gives one as an avatar would learn the address of everybody who sees it.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
#: Of what a browser shows by itself, to which both policies apply. The page's parts have the short one of every
#: answer: there are dozens of them, and these headers would weigh a quarter of what they say.
_DOCUMENT: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
#: A year, the longest that browsers heed.
_FOR_GOOD: Final = "public, max-age=31536000, immutable"


def answer_with(page: Page, request: Request, path: str, release: str | None) -> Response:
    """The file at `path`, whole or as not modified; 404 when there is none.

    `release` is the one that the browser asked for. Of another one (a node of the version before answered the page,
    in a rolling upgrade) it gets what there is, and keeps nothing of that.
    """
    file = page.files.get(path)
    if file is None:
        return PlainTextResponse("there is no such file of the page\n", 404, _DOCUMENT)
    keep = "no-cache" if release is None else _FOR_GOOD if release == page.release else "no-store"
    safety = _DOCUMENT if file.content_type.startswith("text/html") else {}
    headers = {**safety, "ETag": file.etag, "Cache-Control": keep, "Vary": "Accept, Accept-Encoding"}
    if file.etag in _etags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        return Response(file.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.content_type)
    return Response(file.content, headers=headers, media_type=file.content_type)


def _etags(header: str) -> list[str]:
    """Those that the browser has; a proxy may have marked them as weak."""
    return [one.strip().removeprefix("W/") for one in header.split(",")]


def _takes_gzip(header: str) -> bool:
    accepted = [one.replace(" ", "").lower() for one in header.split(",")]
    return any(one == "gzip" or (one.startswith("gzip;") and one != "gzip;q=0") for one in accepted)
