"""A real Chromium: every request that leaves this machine and every error in the page fails the test."""

import os
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from hub.conftest import copy as copy
from hub.conftest import home as home
from hub.conftest import hub as hub
from hub.conftest import tiny as tiny
from serving import app_url as app_url
from serving import models as models
from serving import served as served

from tests.browser.chromium import ARGUMENTS, find_chromium

_LOCAL = ("127.0.0.1", "localhost", "")


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in str(item.path.parent.name):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=2))  # a browser on a starved machine; reruns are listed at the end


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    chromium = find_chromium()
    if chromium is None:
        if os.environ.get("ATTATTR_REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here but not installed.")
        pytest.skip("no Chromium is installed: the browser tests need Debian's package 'chromium'")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser, app_url) -> Iterator[Callable[..., object]]:
    """Opens the page as one more visitor; at the end nothing may have left the machine or gone wrong."""
    contexts, outside, errors = [], [], []

    def open_as_visitor(
        *, theme: str = "light", width: int = 1440, address: str | None = None, **options: str
    ) -> object:
        context = browser.new_context(viewport={"width": width, "height": 1000}, accept_downloads=True, **options)
        contexts.append(context)
        opened = context.new_page()
        opened.set_default_timeout(60_000)
        opened.on("request", lambda request: outside.append(request.url) if _leaves(request.url) else None)
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("dialog", lambda dialog: (errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        opened.goto(address or f"{app_url}?__theme={theme}")
        is_elsewhere = "window.__attattr?.link && new URLSearchParams(location.search).has('tab')"
        opened.wait_for_function(f"document.querySelector('.aa-view')?.attattr?.shown() || {is_elsewhere}")
        return opened

    yield open_as_visitor
    for context in contexts:
        context.close()
    assert outside == []
    assert errors == []


@pytest.fixture
def page(open_page) -> object:
    return open_page()


def _leaves(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in _LOCAL
