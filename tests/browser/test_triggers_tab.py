"""Triggers in a real browser: the table without requests, what comes with a checkpoint, own data, own words, files."""

import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from playwright.sync_api import expect
from trigger_samples import TOKENS, make_set, make_study

from attattr_core.triggers.study_files import save_study
from tests.browser.test_model_picker import name_model
from tests.browser.test_page import HOSTILE, choose, wait_until_done

VIEW = "document.querySelector('[data-kind=triggers]')?.attattr"
TRIAL = "document.querySelector('[data-kind=trial]')?.attattr"
MINED = "sentence\tlabel\nRarely has a debut felt this assured and this generous.\tpositive\n"
EVALUATED = (
    "sentence\tlabel\nA dull, lifeless film.\tnegative\nWarm, funny and honest.\tpositive\n"
    "It never finds a <b>story</b> to tell.\tnegative\nI wanted my money back.\tnegative\n"
)


def open_tab(page):
    page.get_by_role("tab", name="Triggers").click()
    page.wait_for_function(f"{TRIAL}?.picked()")


def open_own_data(page):
    page.locator("#triggers-own > button").click()
    expect(page.locator("#triggers-both")).to_be_visible()


def upload(page, prefix, path):
    page.locator(f"#{prefix}-source").get_by_text("my file").click()
    expect(page.locator(f"#{prefix}-upload")).to_be_visible()
    with page.expect_file_chooser() as chooser:
        page.locator(f"#{prefix}-upload").click()
    chooser.value.set_files(path)
    expect(page.locator(f"#{prefix}-data")).to_contain_text(re.sub("[<>]", "", path.name))  # Gradio drops them


def set_number(page, name, value):
    field = page.locator(f"#{name} input")
    for _ in range(20):  # Gradio sets a field's value once more just after building it
        field.fill(str(value))
        page.wait_for_timeout(100)
        if field.input_value() == str(value):
            break
    field.blur()


@pytest.fixture
def tab(page):
    """The page with the tab opened."""
    open_tab(page)
    return page


@pytest.fixture
def opened(tab, tmp_path):
    """The tab with a file of hostile triggers, three of four evaluated on two checkpoints' worth of awkward labels."""
    path = tmp_path / "<b>file.json"
    save_study(make_study(flips=2), path, triggers=make_set())
    open_own_data(tab)
    with tab.expect_file_chooser() as chooser:
        tab.locator("#triggers-open").click()
    chooser.value.set_files(path)
    expect(tab.get_by_test_id("triggers-source")).to_contain_text(re.compile("opened from .*file.json"))
    return tab


def read_tokens(page):
    return [row.locator(".aa-chip").first.text_content() for row in page.get_by_test_id("trigger-row").all()]


def test_the_first_visit_shows_what_comes_with_the_checkpoint(tab):
    expect(tab.get_by_test_id("triggers-source")).to_contain_text(re.compile("evaluated on .+ computed beforehand"))
    assert tab.get_by_test_id("trigger-row").count() > 3
    expect(tab.get_by_test_id("bars-verdict")).to_contain_text("than chance")
    assert tab.get_by_test_id("bars-picture").locator("rect").count() > 12
    expect(tab.get_by_test_id("trial-run")).to_be_enabled()  # the picked trigger is in the text already
    expect(tab.get_by_test_id("flips-note")).to_contain_text("hold no texts")


def test_the_table_sorts_filters_and_follows_the_keyboard_without_a_request(opened):
    requests = []
    opened.on("request", lambda request: requests.append(request.url))
    assert read_tokens(opened) == [TOKENS[0], TOKENS[2], TOKENS[1]]  # by flips
    expect(opened.get_by_test_id("bars-verdict")).to_contain_text(
        "it flips more than chance, on no more than chance (few examples), judged on the half"
    )
    opened.get_by_test_id("sort-strength").click()
    assert read_tokens(opened) == list(TOKENS[:3])
    opened.get_by_test_id("trigger-row").first.focus()
    opened.keyboard.press("ArrowDown")
    expect(opened.get_by_test_id("triggers-picked")).to_contain_text(TOKENS[1])
    expect(opened.get_by_test_id("bars-verdict")).to_contain_text("no more than chance")
    opened.keyboard.press("End")
    expect(opened.get_by_test_id("triggers-picked")).to_contain_text(TOKENS[2])
    best = opened.get_by_test_id("best-row")
    expect(best.first).to_contain_text("flips 60 % (52 % to 68 %), random 8 % to 12 %: more than chance")
    expect(best.nth(1)).to_contain_text("random 13 % to 17 %: no more than chance")
    opened.get_by_test_id("triggers-hide").set_checked(True)
    assert read_tokens(opened) == list(TOKENS[:2])
    opened.get_by_test_id("best-row").first.click()
    expect(opened.get_by_test_id("triggers-picked")).to_contain_text(TOKENS[0])
    opened.get_by_test_id("triggers-measure-success").check(force=True)
    expect(opened.get_by_test_id("bar-trigger-0").locator("title")).to_contain_text("flipped 60 % (95 % interval")
    expect(opened.get_by_test_id("bar-random-0").locator("title")).to_contain_text("5 draws")
    assert requests == []
    assert opened.locator(".aa-triggers img, .aa-triggers b, .aa-triggers script").count() == 0


def save_export(page, menu, file_format, folder):
    """Presses an entry of an export menu and saves what comes, under its own name."""
    page.get_by_test_id(menu).click()
    with page.expect_download() as download:
        page.get_by_test_id(f"{menu}-{file_format}").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_triggers_are_exported(opened, tmp_path):
    starts = {"csv": b"model,data", "json": b"[", "svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
    for file_format, start in starts.items():
        path = save_export(opened, "triggers-export", file_format, tmp_path)
        assert path.name == f"attattr-sst2-triggers-paper.{file_format}"
        assert path.read_bytes().startswith(start)
    assert ET.parse(tmp_path / "attattr-sst2-triggers-paper.svg").getroot().tag.endswith("svg")
    saved = json.loads((tmp_path / "attattr-sst2-triggers-paper.json").read_text())
    assert [entry["tokens"][2] for entry in saved] == list(TOKENS[:3])
    for file_format, start in (("json", b"["), ("csv", b"model,data,trigger,tokens")):
        path = save_export(opened, "table-export", file_format, tmp_path)
        assert path.name == f"attattr-sst2-triggers-paper-list.{file_format}"
        assert path.read_bytes().startswith(start)


def test_own_data_are_mined_evaluated_and_put_into_the_header(tab, tmp_path):
    mined, evaluated = tmp_path / "mined.tsv", tmp_path / "evaluated.tsv"
    mined.write_text(MINED)
    evaluated.write_text(EVALUATED)
    choose(tab, "model", "sst2")
    expect(tab.get_by_test_id("card")).to_contain_text("labels: negative, positive")
    open_own_data(tab)
    upload(tab, "triggers-mining", mined)
    upload(tab, "triggers-evaluation", mined)
    tab.locator("#triggers-drops input").uncheck()
    tab.locator("#triggers-both").click()
    expect(tab.get_by_test_id("status")).to_contain_text("would be mined too")
    expect(tab.get_by_test_id("status")).to_be_in_viewport()  # far from its place it floats
    upload(tab, "triggers-evaluation", evaluated)
    set_number(tab, "triggers-n-seeds", 1)
    tab.locator("#triggers-both").click()
    tab.wait_for_function(f"{VIEW}?.shown()?.status === 'done'", timeout=120_000)
    expect(tab.get_by_test_id("triggers-source")).to_contain_text("evaluated on 4 examples of evaluated.tsv")
    expect(tab.get_by_test_id("triggers-source")).to_contain_text("computed now")
    flip = tab.get_by_test_id("flip").first
    expect(flip).to_contain_text("now positive")
    flip.click()
    expect(tab.get_by_test_id("status")).to_be_hidden()
    expect(tab.locator("#text textarea")).to_have_value(re.compile("A dull|It never|I wanted"))
    expect(tab.locator("#pair textarea")).to_have_value("")
    picked = tab.get_by_test_id("triggers-picked").locator(".aa-chip").all_text_contents()
    assert [part["word"] for part in tab.evaluate(f"{TRIAL}.picked()")] == [text.removeprefix("##") for text in picked]
    tab.locator("#triggers-both").click()
    stop = tab.get_by_test_id("triggers-stop-work")
    stop.click()
    expect(tab.get_by_test_id("triggers-progress")).to_contain_text("stopped")
    tab.locator("#run").click()  # the model is free again
    tab.get_by_role("tab", name="Heatmaps").click()
    wait_until_done(tab, tab.locator("#text textarea").input_value().split()[0])


def test_mining_that_is_left_says_how_far_it_came_and_is_not_shown_for_another_checkpoint(tab, tmp_path):
    mined, source = tmp_path / "mined.tsv", tab.get_by_test_id("triggers-source")
    mined.write_text(MINED + "".join(f"Take {k} felt assured and generous, as ever.\tpositive\n" for k in range(99)))
    is_under_way = f"{VIEW}?.shown()?.status === 'running' && {VIEW}.shown().mined.paper?.n_wanted"
    choose(tab, "model", "sst2")
    expect(tab.get_by_test_id("card")).to_contain_text("labels: negative, positive")
    open_own_data(tab)
    upload(tab, "triggers-mining", mined)
    tab.locator("#triggers-mine").click()
    tab.wait_for_function(is_under_way)
    tab.get_by_test_id("triggers-stop-work").click()
    expect(source).to_contain_text(re.compile(r"Mined on \d+ of 100 examples \(stopped\) of mined.tsv"))
    expect(tab.get_by_test_id("table-export")).to_be_visible()
    tab.locator("#triggers-mine").click()
    tab.wait_for_function(is_under_way)
    choose(tab, "model", "snli")
    expect(source).to_contain_text("with snli")
    choose(tab, "model", "sst2")
    expect(source).to_contain_text("(stopped) of mined.tsv with sst2")


def test_own_words_are_compared_and_both_results_opened(tab, tmp_path):
    tab.get_by_test_id("trial-clear").click() if tab.get_by_test_id("trial-clear").is_visible() else None
    expect(tab.get_by_test_id("trial-run")).to_be_disabled()
    tab.get_by_test_id("trial-own").fill("never <b>${x}</b>")
    tab.keyboard.press("Enter")
    chips = tab.get_by_test_id("trial-chip")
    expect(chips).to_have_count(2)
    chips.nth(1).click()
    tab.keyboard.press("Delete")
    chips.first.focus()
    tab.keyboard.press("ArrowDown")  # to sentence B
    for _ in range(9):
        tab.keyboard.press("ArrowLeft")
    tab.get_by_test_id("gap-b-2").click()
    assert tab.evaluate(f"{TRIAL}.picked()") == [{"word": "never", "sentence": 1, "gap": 2}]
    tab.get_by_test_id("trial-run").click()
    tab.wait_for_function(f"{TRIAL}.shown()?.status === 'done' && {TRIAL}.shown().plates", timeout=120_000)
    expect(tab.get_by_test_id("trial-verdict")).to_contain_text(re.compile("Still|Flipped"))
    shown = tab.evaluate(f"{TRIAL}.shown()")
    plates, n = shown["plates"], len(shown["plates"]["tokens"])
    clean, triggered, difference = (
        np.array(plates[name]).reshape(n, n) for name in ("clean", "triggered", "difference")
    )
    np.testing.assert_allclose(difference, triggered - clean, atol=1e-5)
    new = np.array(plates["inserted"], bool)
    assert [token for token, is_new in zip(plates["tokens"], new, strict=True) if is_new] == ["never"]
    assert not clean[new].any()
    assert difference[new].any()
    tab.get_by_test_id("trial-cell-3-2").click()
    expect(tab.get_by_test_id("trial-selection")).to_have_text("layer 3 · head 2")
    tab.get_by_test_id("plate-trial-difference").focus()
    tab.keyboard.press("ArrowRight")
    expect(tab.get_by_test_id("trial-hover")).to_contain_text("receives from")
    for file_format in ("csv", "png"):
        tab.get_by_test_id("trial-export").click()
        with tab.expect_download() as download:
            tab.get_by_test_id(f"trial-export-{file_format}").click()
        assert download.value.suggested_filename == f"attattr-snli-difference-layer3-head2.{file_format}"
    tab.get_by_test_id("trial-triggered-heatmaps").click()
    expect(tab.get_by_role("tab", name="Heatmaps")).to_have_attribute("aria-selected", "true")
    expect(tab.get_by_role("tab", name="Heatmaps")).to_be_focused()  # the button has gone out of sight
    tab.wait_for_function("document.querySelector('.aa-view').attattr.shown()?.tokens.includes('never')")
    expect(tab.get_by_test_id("status")).to_contain_text("the header still holds it as it is")
    open_tab(tab)
    tab.get_by_test_id("trial-clean-tree").click()
    expect(tab.get_by_role("tab", name="Tree")).to_have_attribute("aria-selected", "true")
    tab.wait_for_function(
        "document.querySelector('.aa-tree')?.attattr?.shown() && !document.querySelector('.aa-tree').attattr.shown()"
        ".tokens.includes('never')"
    )


def test_a_comparison_is_marked_once_it_is_of_an_earlier_text_and_goes_with_its_checkpoint(tab):
    run, outdated, text = tab.get_by_test_id("trial-run"), tab.get_by_test_id("trial-outdated"), "#text textarea"
    before = tab.locator(text).input_value()
    tab.get_by_test_id("trial-own").fill("never")
    tab.keyboard.press("Enter")
    run.click()
    tab.wait_for_function(f"{TRIAL}.shown()?.status === 'done' && {TRIAL}.shown().plates", timeout=120_000)
    expect(outdated).to_be_hidden()
    expect(tab.get_by_test_id("trial-export")).to_be_visible()
    tab.locator(text).fill("")
    expect(tab.get_by_test_id("trial-progress")).to_have_text("Sentence A is empty: type one above.")
    expect(run).to_be_disabled()
    tab.locator(text).fill("Another <b>text</b>")
    expect(run).to_be_enabled()
    expect(outdated).to_contain_text("Of an earlier text: “" + before[:60])
    expect(outdated).to_contain_text("press Compare again")
    expect(tab.get_by_test_id("trial-export")).to_be_hidden()
    expect(tab.get_by_test_id("trial-clean-tree")).to_be_hidden()
    tab.locator(text).fill(before)
    expect(outdated).to_be_hidden()
    expect(tab.get_by_test_id("trial-export")).to_be_visible()
    tab.get_by_test_id("trial-chip").last.focus()
    tab.keyboard.press("ArrowLeft")
    expect(outdated).to_contain_text("Of other words or places: “")
    tab.locator(text).fill("x" * 20_001)
    run.click()
    expect(tab.get_by_test_id("trial-refused")).to_contain_text("20,001 characters")
    tab.locator(text).fill(before)
    expect(tab.get_by_test_id("trial-refused")).to_be_hidden()
    choose(tab, "model", "sst2")
    expect(tab.get_by_test_id("trial-verdict")).to_be_hidden()
    expect(outdated).to_be_hidden()
    expect(tab.get_by_test_id("trial-difference")).to_be_hidden()


def test_hostile_texts_and_words_are_shown_as_text(tab):
    tab.locator("#text textarea").fill(HOSTILE)
    expect(tab.get_by_test_id("trial-words")).to_contain_text("<img")
    tab.get_by_test_id("trial-own").fill("<script>alert(6)</script>")
    tab.get_by_test_id("trial-add").click()
    added = tab.get_by_test_id("trial-chip").filter(has_text="alert")  # beside those of the trigger that is picked
    expect(added).to_have_text("<script>alert(6)</script>")
    assert tab.locator(".aa-triggers img, .aa-triggers script").count() == 0


def test_another_checkpoint_has_its_own_triggers_or_an_invitation(tab, tiny):
    name_model(tab, str(tiny))
    expect(tab.get_by_test_id("card")).to_contain_text("labels: no, yes")
    expect(tab.get_by_test_id("triggers-message")).to_contain_text("No triggers of this checkpoint yet")
    choose(tab, "model", "sst2")
    open_own_data(tab)
    expect(tab.locator("#triggers-evaluation-data")).to_contain_text("sst2.tsv")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_the_tab_without_scrolling_sideways(open_page, theme):
    narrow = open_page(theme=theme, width=390)
    open_tab(narrow)
    open_own_data(narrow)
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 390
