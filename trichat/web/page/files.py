"""The files of the page, as they are read once when a node starts. Pure after that."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from msgspec import Struct

#: What is served, by the end of the name; other files beside them are not.
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
#: Where the page says its parts are, and where browsers ask for those of a release.
_PARTS: Final = b'"/page/'


class PageFile(Struct, frozen=True):
    """One file, plain and packed. `etag` changes with the content."""

    content: bytes
    packed: bytes
    content_type: str
    etag: str


class Page(Struct, frozen=True):
    """All files by their path (`engine/engine.js`); `release` names these contents among all others."""

    release: str
    files: dict[str, PageFile]


def read_page() -> Page:
    """The files beside this module. Raises OSError."""
    contents = _read(files("trichat.web.page").joinpath("static"), "")
    every = hashlib.sha256()
    for path in sorted(contents):
        every.update(f"{path} {len(contents[path])} ".encode() + contents[path])
    release = every.hexdigest()[:16]
    if "index.html" in contents:
        contents["index.html"] = _of_release(contents["index.html"], release, sorted(contents))
    return Page(release, {path: _page_file(path, content) for path, content in contents.items()})


def _read(folder: Traversable, under: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= _read(entry, f"{under}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            found[under + entry.name] = entry.read_bytes()
    return found


def _of_release(index: bytes, release: str, paths: list[str]) -> bytes:
    """The page that asks for the parts of this release, and for all modules at once: they import each other."""
    at = f'"/page/{release}/'.encode()
    preloads = b"".join(
        b'<link rel="modulepreload" href=%b%b">\n' % (at, path.encode()) for path in paths if path.endswith(".js")
    )
    return index.replace(_PARTS, at).replace(b"</head>", preloads + b"</head>", 1)


def _page_file(path: str, content: bytes) -> PageFile:
    return PageFile(
        content=content,
        packed=gzip.compress(content, mtime=0),
        content_type=_TYPES[path.rpartition(".")[2]],
        etag=f'"{hashlib.sha256(content).hexdigest()[:24]}"',
    )
