"""Makes the README's pictures with the real app: ``python -m tests.browser.pictures assets/pictures``."""

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from app import launch
from attattr_core.ui import build_app
from tests.browser.chromium import ARGUMENTS, find_chromium

READY = "document.querySelector('.aa-view')?.attattr?.shown()"


def main(folder: Path) -> None:
    """Takes the pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _, url, _ = launch(build_app(), server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        open_page(page, f"{url}?__theme=light")
        page.screenshot(path=folder / "light.png", full_page=True)
        page.get_by_role("tab", name="Tree").click()
        page.wait_for_function("document.querySelector('.aa-tree')?.attattr?.shown()")
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / "tree.png", full_page=True)
        page.get_by_role("tab", name="Heads").click()
        page.wait_for_function("document.querySelector('.aa-heads')?.attattr?.mask()")
        page.wait_for_timeout(1500)
        page.locator(".aa-heads").screenshot(path=folder / "heads.png")
        page.get_by_role("tab", name="Triggers").click()
        page.get_by_test_id("trial-run").click()
        page.wait_for_function("document.querySelector('[data-kind=trial]').attattr.shown()?.plates", timeout=60_000)
        page.wait_for_timeout(1500)
        page.locator("#triggers-tab").screenshot(path=folder / "triggers.png")
        open_page(page, f"{url}?__theme=dark")
        page.get_by_text("negation", exact=True).first.click()
        page.wait_for_function(f"{READY}?.tokens.includes('gladly')")
        page.wait_for_function("!document.querySelector('[data-testid=progress]').textContent", timeout=60_000)
        page.get_by_test_id("picture-arcs").check(force=True)
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / "dark.png", full_page=True)
        browser.close()


def open_page(page: Page, url: str) -> None:
    """Opens the app and waits until its result is drawn."""
    page.goto(url)
    page.wait_for_function(READY, timeout=60_000)
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
