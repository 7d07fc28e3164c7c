"""A real Chromium: every request that leaves this machine and every error in the page fails the test."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from serving import app_url as app_url

from tests.browser.chromium import ARGUMENTS, find_chromium

_LOCAL = ("127.0.0.1", "localhost", "")


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in str(item.path.parent.name):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    chromium = find_chromium()
    if chromium is None:
        if os.environ.get("ATTATTR_REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here but not installed.")
        pytest.skip("no Chromium is installed: the browser tests need Debian's package 'chromium'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def page(browser, app_url) -> Iterator[object]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    outside, errors = [], []
    opened.on("request", lambda request: outside.append(request.url) if _leaves(request.url) else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("dialog", lambda dialog: (errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    opened.goto(f"{app_url}?__theme=light")
    opened.wait_for_function("document.querySelector('.aa-view')?.attattr?.shown()")
    yield opened
    context.close()
    assert outside == []
    assert errors == []


def _leaves(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in _LOCAL
