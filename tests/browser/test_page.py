"""The page in a real browser: what a visitor does, from the first screen to an exported file."""

import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from playwright.sync_api import expect

from attattr_core import load_attribution
from attattr_core.view import find_strongest_head, select_map

HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)} {{constructor.constructor('alert(3)')()}} <script>alert(4)</script>"

READY = "document.querySelector('.aa-view')?.attattr?.shown()"


def run(page, text, pair="", model=None):
    """Types, presses Run and waits until the result of that text is complete."""
    if model:
        choose(page, "model", model)
    page.locator("#text textarea").fill(text)
    page.locator("#pair textarea").fill(pair)
    page.locator("#run").click()
    wait_until_done(page, text.split()[0])


def choose(page, field, option):
    page.locator(f"#{field} input").click()
    page.get_by_role("option", name=re.compile(option)).first.click()


def wait_until_done(page, first_word):
    page.wait_for_function(
        """word => { const view = document.querySelector('.aa-view').attattr, shown = view && view.shown();
        const time = document.querySelector('[data-testid=bar-device]')?.textContent;
        return time && shown && shown.tokens.some(token => word.toLowerCase().startsWith(token.toLowerCase())
          || token.toLowerCase() === word.toLowerCase())
          && !document.querySelector('[data-testid=progress]')?.textContent; }""",
        arg=first_word,
        timeout=120_000,
    )


def read_shown(page):
    shown = page.evaluate("document.querySelector('.aa-view').attattr.shown()")
    for name in ("attention", "attribution"):
        shown[name] = np.array([[np.nan if value is None else value for value in row] for row in shown[name]])
    return shown


def export(page, file_format, tmp_path):
    page.get_by_test_id("export").click()
    with page.expect_download() as download:
        page.get_by_test_id(f"export-{file_format}").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def fix_nodes(page, n_nodes):
    """Chooses a fixed number of nodes, so that a run takes long, or little."""
    page.locator("#more button").first.click()
    page.locator("#precision").get_by_text("fixed nodes").click()
    page.locator("#nodes input").fill(str(n_nodes))


def open_file(page, path):
    with page.expect_file_chooser() as chooser:
        page.locator("#open").click()
    chooser.value.set_files(path)


def test_the_first_screen_shows_a_finished_result(page):
    expect(page.get_by_test_id("certificate")).to_contain_text("✓")
    expect(page.get_by_test_id("bar-explained")).to_contain_text("contradiction")
    page.wait_for_function(READY)
    shown = read_shown(page)
    assert {"newspaper", "asleep"} <= set(shown["tokens"])
    assert np.abs(shown["attribution"]).max() > 0


def test_a_typed_sentence_is_attributed(page):
    run(page, "Surprisingly good acting saves a dull plot.")
    expect(page.get_by_test_id("certificate")).to_contain_text(re.compile("layers 1.6 ✓"))
    assert read_shown(page)["tokens"][1] == "Surprisingly"


def test_an_example_needs_no_typing(page):
    page.get_by_text("entailment", exact=True).first.click()
    wait_until_done(page, "dogs")
    expect(page.get_by_test_id("bar-explained")).to_contain_text("entailment")
    expect(page.get_by_test_id("flow")).to_be_visible()
    assert page.locator("#text textarea").input_value() == "Two dogs chase a red ball along the beach."


def test_every_view_agrees_with_the_exported_result(page, tmp_path):
    run(page, "Nobody is unforgettable here.", "Everybody is forgettable.", model="snli")
    result = load_attribution(export(page, "npz", tmp_path))
    layer, head = find_strongest_head(result)
    for name, wanted in (
        ("words", {"words": True}),
        ("pieces", {"words": False}),
        ("specials", {"words": True, "specials": False}),
        ("flow", {"words": True, "flow": "A→B"}),
    ):
        page.get_by_test_id("words").set_checked(wanted["words"])
        page.get_by_test_id("specials").set_checked(wanted.get("specials", True))
        page.get_by_test_id("flow-" + wanted.get("flow", "all").replace("→", "-")).check(force=True)
        page.wait_for_timeout(300)
        shown, expected = read_shown(page), select_map(result, layer, head, **wanted)
        assert (shown["layer"], shown["head"]) == (layer, head)
        assert tuple(shown["tokens"]) == expected.tokens, name
        for kind in ("attention", "attribution"):
            level = np.abs(getattr(result, kind)[layer, head]).max() / 32767  # of the 16 bits that were sent
            np.testing.assert_allclose(shown[kind], getattr(expected, kind), atol=5 * level, err_msg=name)


def test_all_heads_of_a_layer_are_summed(page, tmp_path):
    run(page, "Both versions agree.")
    result = load_attribution(export(page, "npz", tmp_path))
    page.get_by_test_id("cell-3-sum").click()
    page.get_by_test_id("words").set_checked(False)
    page.wait_for_timeout(300)
    expected = select_map(result, 2).attribution
    np.testing.assert_allclose(read_shown(page)["attribution"], expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("file_format", ["svg", "png", "pdf", "json"])
def test_what_is_shown_can_be_exported(page, tmp_path, file_format):
    path = export(page, file_format, tmp_path)
    content = path.read_bytes()
    assert re.fullmatch(rf"attattr-snli-layer\d-head\d+\.{file_format}", path.name)
    if file_format == "json":
        exported, shown = json.loads(content), read_shown(page)
        assert exported["tokens"] == shown["tokens"]
        np.testing.assert_allclose(exported["attribution"], shown["attribution"], atol=1e-5)
    elif file_format == "svg":
        assert ET.fromstring(content).tag.endswith("svg")
    else:
        assert content.startswith({"png": b"\x89PNG", "pdf": b"%PDF"}[file_format])


def test_a_saved_result_is_opened_again(page, tmp_path):
    run(page, "Keep this one.")
    saved = export(page, "npz", tmp_path)
    run(page, "Something else entirely.")
    open_file(page, saved)
    page.wait_for_function("document.querySelector('.aa-view').attattr.shown()?.tokens.includes('Keep')")


def test_a_file_that_is_not_a_result_says_so_and_keeps_the_view(page, tmp_path):
    before = read_shown(page)["tokens"]
    (tmp_path / "other.npz").write_bytes(b"not a result")
    open_file(page, tmp_path / "other.npz")
    expect(page.get_by_test_id("status")).to_contain_text("is not a result file")
    assert read_shown(page)["tokens"] == before


def test_an_empty_text_says_so_and_keeps_the_view(page):
    before = read_shown(page)["tokens"]
    page.locator("#text textarea").fill("   ")
    page.locator("#run").click()
    expect(page.get_by_test_id("status")).to_have_text("Sentence A is empty: type a sentence to explain.")
    assert read_shown(page)["tokens"] == before


def test_a_stop_keeps_the_finished_layers_and_frees_the_model(page):
    fix_nodes(page, 150)
    page.locator("#text textarea").fill("stop " * 60)
    page.locator("#run").click()
    expect(page.get_by_test_id("progress")).to_contain_text("running", timeout=90_000)
    page.wait_for_function("document.querySelector('.aa-view').attattr.layers.length >= 1")
    page.locator("#stop").click()
    expect(page.get_by_test_id("progress")).to_contain_text(re.compile(r"[1-5] of 6 layers"))
    expect(page.get_by_test_id("progress")).not_to_contain_text("running")
    page.locator("#nodes input").fill("4")
    run(page, "Afterwards everything works.")


def test_a_run_rests_its_button_and_one_stop_ends_it(page):
    fix_nodes(page, 150)
    page.locator("#text textarea").fill("again " * 60)
    page.locator("#run").click()
    expect(page.locator("#run")).to_be_disabled()
    expect(page.get_by_test_id("progress")).to_contain_text("running", timeout=90_000)
    page.locator("#stop").click()
    expect(page.locator("#run")).to_be_enabled()
    expect(page.get_by_test_id("progress")).not_to_contain_text("running")


def test_an_example_explains_its_own_prediction(page):
    choose(page, "model", "snli")
    choose(page, "target", "neutral")
    page.get_by_text("negation", exact=True).first.click()
    wait_until_done(page, "film")
    expect(page.get_by_test_id("bar-explained")).to_contain_text("positive")
    expect(page.locator("#target input")).to_have_value("predicted")


def test_hostile_text_is_shown_as_text(page):
    page.locator("#text textarea").fill(HOSTILE)
    page.locator("#run").click()
    page.wait_for_function("document.querySelector('.aa-view').attattr.shown()?.tokens.includes('onerror')")
    page.get_by_test_id("picture-arcs").check(force=True)
    page.wait_for_timeout(500)
    assert page.locator(".aa-view img, .aa-view script").count() == 0
    assert {"<", "$", "{", "constructor"} <= set(read_shown(page)["tokens"])


def test_a_redraw_of_a_long_text_stays_under_a_tenth_of_a_second(page):
    fix_nodes(page, 1)
    run(page, "again " * 126)
    times = []
    for cell in ("cell-2-5", "cell-4-1", "cell-6-12", "cell-1-sum", "cell-3-3"):
        page.get_by_test_id(cell).click()
        page.wait_for_timeout(250)
        times.append(page.evaluate("document.querySelector('.aa-view').attattr.lastRedrawMs"))
    assert len(read_shown(page)["tokens"]) == 128
    assert sorted(times)[2] < 100


def test_a_selected_head_of_a_long_text_is_whole(page, tmp_path):
    fix_nodes(page, 1)
    run(page, " ".join(f"{word} again" for word in ("slow", "dull", "loud", "warm") * 16))
    result = load_attribution(export(page, "npz", tmp_path))
    for cell, layer, head in (("cell-2-5", 1, 4), ("cell-4-sum", 3, None)):
        page.get_by_test_id(cell).click()
        page.wait_for_function(f"({READY}).layer === {layer}")
        expect(page.get_by_test_id("map-note")).to_contain_text("the whole map.")
        view = select_map(result, layer, head, words=True)
        shown = read_shown(page)
        for name in ("attention", "attribution"):
            expected = getattr(view, name)
            np.testing.assert_allclose(shown[name], expected, atol=2e-4 * np.abs(expected).max())
            assert np.count_nonzero(shown[name]) > 0.5 * expected.size


def test_the_keyboard_selects_a_head(page):
    page.wait_for_function(READY)
    layer = read_shown(page)["layer"]
    page.locator("[data-testid=grid] [tabindex='0']").focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_function(f"(({READY}).layer + ',' + ({READY}).head) === '{layer},1'")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_narrow_screen_does_not_scroll_sideways(page, app_url, theme):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app_url}?__theme={theme}")
    page.wait_for_function(READY)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
