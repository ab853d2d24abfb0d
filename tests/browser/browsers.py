"""Debian's Chromium, driven by Playwright, in a thread of its own.

Playwright's synchronous API keeps an event loop of asyncio running in its thread. So that Trio and others never meet
that loop, everything that touches the browser runs in that one thread: see `conftest.py`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

T = TypeVar("T")

#: "required": a browser must be there, as on CI.
REQUIRED: Final = "TEST_BROWSER"
#: Where screenshots go when it is set; CI keeps them.
SCREENSHOTS: Final = "SCREENSHOTS_IN"
#: Milliseconds that anything on a page may take: ten times the typical.
PATIENCE_MS: Final = 10_000
#: Seconds until the browser must be there, and gone.
_START_S: Final = 60.0
#: Without them Chromium does not run under root, or keeps its shared memory where containers have little.
_FLAGS: Final = ["--no-sandbox", "--disable-dev-shm-usage"]


def chromium() -> str:
    """Where it is. Skips the test where there is none, and fails it on CI, which promises one."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        if os.environ.get(REQUIRED) == "required" or os.environ.get("CI"):
            pytest.fail("there is no chromium here; apt-get install chromium")
        pytest.skip("there is no chromium here; apt-get install chromium")
    return found


class BrowserThread:
    """The thread in which the browser lives."""

    def __init__(self, executable: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._executable = executable
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def do(self, act: Callable[[], T]) -> T:
        """Do it there; returns and raises what it does."""
        return self._executor.submit(act).result()

    def open(self) -> None:
        self._executor.submit(self._open).result(_START_S)

    def close(self) -> None:
        self._executor.submit(self._close).result(_START_S)
        self._executor.shutdown()

    def context(self, **options: object) -> BrowserContext:
        """What one person sees, apart from all others; to be called in the thread."""
        assert self._browser is not None
        context = self._browser.new_context(**options)  # type: ignore[arg-type]  # as Playwright's own
        context.set_default_timeout(PATIENCE_MS)
        return context

    def _open(self) -> None:
        # trio-asyncio, which the bridge imports, would give this thread a loop that runs on Trio
        asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=self._executable, args=_FLAGS)

    def _close(self) -> None:
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()


@contextmanager
def running_browser() -> Iterator[BrowserThread]:
    thread = BrowserThread(chromium())
    try:
        thread.open()
        yield thread
    finally:
        thread.close()


def keep_screenshot(page: Page, name: str) -> None:
    """A picture of what is on the page, for people; only where they are asked for."""
    folder = os.environ.get(SCREENSHOTS)
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")
