"""Where the keys of another site come from: a file or an URL, read again when keys have changed."""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import HTTPError

import trio
from jwt import PyJWK

from trichat.core.limits import Limits
from trichat.vault.errors import VaultUnusable
from trichat.vault.jwks import KeyAlgorithm, KeySet, parse_jwks

log = logging.getLogger("trichat.vault")


class KeySource:
    """The keys at one place (a JWKS file's path, or its http or https URL); the old ones stay while it is away."""

    def __init__(self, place: str, limits: Limits) -> None:
        self._remote = is_url(place)
        self._limits = limits
        self._load: Callable[[], KeySet] = _Fetch(place, limits) if self._remote else _Read(place, limits)
        self._keys = KeySet()
        self._threads = trio.CapacityLimiter(1)
        self._turn = trio.Lock()
        self._tried_at = float("-inf")
        self._failing = False

    async def open(self) -> None:
        """Load the keys. A file that cannot be used raises VaultUnusable; an URL is tried again later."""
        problem = await self._renew()
        if problem and not self._remote:
            raise VaultUnusable(f"the file of --jwt-jwks {problem}")

    async def find(self, kid: str | None, algorithm: KeyAlgorithm) -> PyJWK | None:
        """The key that a token names. For one that is not known the keys are loaded again, but not too often."""
        known = self._keys.find(kid, algorithm)
        if known is not None:
            return known
        async with self._turn:  # whoever waited here looks at what the one before them has loaded
            if trio.current_time() - self._tried_at >= self._limits.jwks_rest_s:
                await self._renew()
        return self._keys.find(kid, algorithm)

    async def run_renewal(self) -> None:
        """Load the keys now and then: a key that was withdrawn must not count for ever."""
        while True:
            await trio.sleep_until(self._tried_at + self._limits.jwks_renew_s)
            async with self._turn:
                await self._renew()

    async def _renew(self) -> str | None:
        """Load the keys; what went wrong, if anything did. One warning for an outage, however long."""
        self._tried_at = trio.current_time()
        try:
            with trio.fail_after(self._limits.jwks_fetch_s):
                # a server that gives a byte now and then would hold the thread for longer: it is left behind
                self._keys = await trio.to_thread.run_sync(self._load, abandon_on_cancel=True, limiter=self._threads)
        except (OSError, HTTPException, ValueError, trio.TooSlowError) as error:
            problem = "was not answered in time" if isinstance(error, trio.TooSlowError) else _said(error)
            if not self._failing:
                log.warning("the keys of --jwt-jwks were not loaded; the old ones stay", extra={"reason": problem})
            self._failing = True
            return problem
        if self._failing:
            log.info("the keys of --jwt-jwks are loaded again")
        self._failing = False
        return None


def is_url(place: str) -> bool:
    """Whether `place` is an URL; else it is a path."""
    return place.startswith(("http://", "https://"))


class _Read:
    def __init__(self, path: str, limits: Limits) -> None:
        self._path = Path(path)
        self._most = limits.jwks_bytes

    def __call__(self) -> KeySet:
        with self._path.open("rb") as file:
            return parse_jwks(_whole(file, self._most))


class _Fetch:
    def __init__(self, url: str, limits: Limits) -> None:
        self._request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310  is_url
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._limits = limits

    def __call__(self) -> KeySet:
        try:
            with self._opener.open(self._request, timeout=self._limits.jwks_fetch_s) as answer:
                return parse_jwks(_whole(answer, self._limits.jwks_bytes))
        except HTTPError as error:
            error.close()  # it holds the connection
            raise


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Keys come from the place that was named, not from where that place, or who sits before it, points."""

    def redirect_request(  # noqa: PLR0917  urllib's own signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _whole(file: IO[bytes], most: int) -> bytes:
    text = file.read(most + 1)
    if len(text) > most:
        raise ValueError(f"is larger than {most} bytes")
    return text


def _said(error: Exception) -> str:
    """`error` in words that stand behind a subject."""
    match error:
        case HTTPError():
            return f"was answered with {error.code}"
        case OSError():
            return f"cannot be read: {error.strerror or error}"
        case HTTPException():
            return "was answered with what is no HTTP"
    return str(error)
