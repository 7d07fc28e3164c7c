"""Choosing data in a real browser: hostile cells stay text, bad rows are listed, a data set is loaded and stopped."""

import re

import pytest
from hub.parquet_files import save, save_sentiment
from picker_page import build_picker_page
from playwright.sync_api import expect

from attattr_core.ui import Models

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> ${alert(3)} {{value}}"


@pytest.fixture(scope="module")
def picker_url():
    from app import launch

    app = build_picker_page(Models())
    _, url, _ = launch(app, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    yield url
    app.close()


@pytest.fixture
def page(browser, picker_url):
    context = browser.new_context(viewport={"width": 390, "height": 900})
    opened, errors = context.new_page(), []
    opened.set_default_timeout(60_000)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("dialog", lambda dialog: (errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    opened.goto(picker_url)
    expect(opened.get_by_test_id("data-name")).to_have_text("snli.tsv")
    yield opened
    context.close()
    assert errors == []


def pick(page, source):
    page.locator("#try-source label", has_text=source).click()


def name_checkpoint(page, name):
    page.locator("#model textarea, #model input").fill(name)
    page.keyboard.press("Enter")


def wait_until_ready(page, name):
    expect(page.get_by_test_id("data-name")).to_have_text(name, timeout=60_000)
    expect(page.locator("[data-testid=data]")).to_have_attribute("data-state", "ready")


def read(page):
    page.locator("#read").click()
    return page.locator("#answer")


def test_a_file_of_ones_own_is_looked_at_as_text(page, tmp_path):
    (tmp_path / "mine.csv").write_text(f'text,label\n"{HOSTILE}","<b>good</b>"\nfine,bad\n', encoding="utf-8")
    pick(page, "my file")
    expect(page.get_by_test_id("data-about")).to_contain_text("Upload a table with a header")
    expect(read(page)).to_contain_text("No data are chosen")
    page.set_input_files("input[type=file]", tmp_path / "mine.csv")
    wait_until_ready(page, "mine.csv")
    assert page.get_by_test_id("data-rows").locator("td").all_inner_texts() == [HOSTILE, "<b>good</b>", "fine", "bad"]
    expect(page.get_by_test_id("data-counts")).to_contain_text("<b>good</b>")
    assert page.locator("[data-testid=data] :is(img, script, b)").count() == 0
    expect(read(page)).to_contain_text(HOSTILE[:20])
    (tmp_path / "named.csv").write_text("text,label\nfine,good\ndull,bad\n", encoding="utf-8")
    page.set_input_files("input[type=file]", tmp_path / "named.csv")
    wait_until_ready(page, "named.csv")
    name_checkpoint(page, "sst2")
    notice = page.get_by_test_id("data-notice")
    expect(notice).to_have_text(
        "Labels of named.csv are taken by their meaning: 'bad' as 'negative', 'good' as 'positive'."
    )
    name_checkpoint(page, "snli")
    expect(notice).to_have_count(0)
    (tmp_path / "bad.csv").write_text("text,label\nfine,good\n,bad\n", encoding="utf-8")
    page.set_input_files("input[type=file]", tmp_path / "bad.csv")
    expect(page.get_by_test_id("data-problems")).to_contain_text("Line 3 of bad.csv has an empty text.")
    pick(page, "sst2")
    wait_until_ready(page, "sst2.tsv")
    pick(page, "my file")
    expect(page.get_by_test_id("data-name")).to_have_text("bad.csv")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_data_set_is_named_stopped_and_loaded(page, hub, tmp_path):
    folder = tmp_path / "served"
    save_sentiment(folder / "a" / "validation-00000-of-00001.parquet")
    rows = {"sentence": [f"{row * 7919 % 100_003} {row}" for row in range(40_000)], "label": [0, 1] * 20_000}
    save(folder / "b" / "train-00000-of-00001.parquet", rows)
    model = hub.add("datasets/org/sentiment", folder, pause=0.5)
    pick(page, "Hub")
    page.locator("#try-dataset input").fill("org/sentiment")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("data-about")).to_contain_text("2 configurations, 2 splits")
    expect(page.locator("#try-split input")).to_have_value(re.compile(r"validation \(0\.0 MB\)"))
    page.locator("#try-config input").click()
    page.get_by_role("option", name="b", exact=True).click()
    expect(page.locator("#try-split input")).to_have_value(re.compile(r"train \(\d\.\d MB\)"))
    page.locator("#try-load").click()
    expect(page.get_by_test_id("data-progress")).to_be_visible()
    page.locator("#try-stop-load").click()
    expect(page.get_by_test_id("data-about")).to_have_text("Stopped: Load goes on from there.")
    model.pause = 0
    page.locator("#try-load").click()
    wait_until_ready(page, "org/sentiment:b:train")
    expect(page.get_by_test_id("data-about")).to_contain_text("40,000 rows")
    assert any("range" in headers for _, path, headers in hub.requests if path.startswith("/cdn/"))
    name_checkpoint(page, "snli")
    expect(page.get_by_test_id("data-name")).to_have_text("org/sentiment:b:train")
    pick(page, "snli")
    wait_until_ready(page, "snli.tsv")
    name_checkpoint(page, "sst2")
    wait_until_ready(page, "sst2.tsv")
    expect(page.locator("#try-source label", has_text="sst2").locator("input")).to_be_checked()
