"""One browser for the run, and nodes that its pages come from. What takes `browser` runs in the browser's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Error, Page

from tests.browser.browsers import BrowserThread, running_browser
from tests.browser.serving import Server, running_server
from tests.servers import PostgresServer, ValkeyServer

#: Opens a page of somebody new (or of the context given) at an address.
OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[BrowserThread]:
    with running_browser() as thread:
        yield thread


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    thread = pyfuncitem.funcargs.get("browser")
    if not isinstance(thread, BrowserThread):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    thread.do(lambda: pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="module")
def server(
    postgres: PostgresServer, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A node that the tests of a module share; each has rooms and people of its own."""
    with running_server(postgres, valkey, tmp_path_factory.mktemp("node")) as server:
        yield server


@pytest.fixture
def own_server(postgres: PostgresServer, valkey: ValkeyServer, tmp_path: Path) -> Iterator[Server]:
    """A node that this test may kill."""
    with running_server(postgres, valkey, tmp_path) as server:
        yield server


@pytest.fixture
def open_page(browser: BrowserThread) -> Iterator[OpenPage]:
    """An error that nobody has caught on any of the pages fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_one(address: str, context: BrowserContext | None = None, **options: object) -> Page:
        if context is None:
            context = browser.context(**options)
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"{error.name}: {error.message}\n{error.stack}"))
        page.goto(address)
        return page

    yield open_one

    def close() -> None:
        for context in contexts:
            with suppress(Error):  # the test has closed it
                context.close()

    browser.do(close)
    assert wrong == []
