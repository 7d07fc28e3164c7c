"""The tab of heads in a real browser: grids and curves, the slider, a click into the heatmaps, measuring, files."""

import json
import re

import pytest
from playwright.sync_api import expect

from attattr_core.heads.plan import make_mask
from attattr_core.heads.study_files import load_study, save_study
from attattr_core.ui.heads_payload import load_shipped
from tests.browser.test_model_picker import name_model
from tests.browser.test_page import HOSTILE, choose

OWN = (("good", "yes"), ("bad", "no"), ("fine", "yes"), ("dull", "no"))
HEADS = "document.querySelector('.aa-heads').attattr"


@pytest.fixture
def heads(page):
    """The page with the tab opened."""
    open_tab(page)
    return page


def open_tab(page):
    page.get_by_role("tab", name="Heads").click()
    page.wait_for_function(f"{HEADS}?.message && document.querySelector('.aa-heads').clientWidth")


def read_pruned(page):
    page.wait_for_timeout(100)  # a frame
    return page.evaluate(f"{HEADS}.mask().pruned")


def fill(page, name, value):
    """Fills a field of the fold, once it holds: Gradio sets its value once more when it has just been built."""
    field = page.locator(f"#heads-{name} input")
    for _ in range(20):
        field.fill(str(value))
        page.wait_for_timeout(100)
        if field.input_value() == str(value):
            break
    field.blur()


def measure(page, *, n_ranking=3, n_pruning=4, seeds=0, methods=("Taylor",)):
    if not page.locator("#heads-run").is_visible():
        page.locator("#heads-fold > button").click()
    for name, value in (("n-ranking", n_ranking), ("n-pruning", n_pruning), ("seeds", seeds)):
        fill(page, name, value)
    for name in ("attribution", "Taylor", "attention"):
        page.locator("#heads-methods").get_by_label(name, exact=True).set_checked(name in methods)
    page.locator("#heads-run").click()


def open_file(page, path):
    with page.expect_file_chooser() as chooser:
        page.locator("#heads-open").click()
    chooser.value.set_files(path)


def export(page, picture, file_format, tmp_path):
    page.get_by_test_id(f"heads-{picture}-export").click()
    with page.expect_download() as download:
        page.get_by_test_id(f"heads-{picture}-export-{file_format}").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_the_first_visit_shows_the_shipped_study(heads):
    expect(heads.get_by_test_id("heads-source")).to_contain_text("snli @ ")
    expect(heads.get_by_test_id("heads-source")).to_contain_text("computed beforehand")
    assert heads.locator("[data-testid=heads-grid-attattr] .aa-cell").count() == 72
    expect(heads.get_by_test_id("heads-metric")).to_contain_text(re.compile(r"accuracy 0\.\d{3} \(0\.\d{3} to"))
    expect(heads.get_by_test_id("heads-correlation")).to_contain_text("Spearman's ρ")
    assert heads.locator("[data-testid=heads-areas] [data-testid=heads-area-random]").count() == 1
    legend = heads.get_by_test_id("heads-legend-random")
    expect(legend).to_have_text(re.compile(r"random: mean of \d+ orders, band: 95 % of them"))
    heads.get_by_test_id("heads-attattr-3-2").hover()
    expect(heads.get_by_test_id("heads-readout-taylor")).to_contain_text(re.compile(r"rank \d+ of 72"))


def test_the_slider_marks_the_heads_that_go_without_a_request(heads):
    study = load_shipped("snli")
    requests = []
    heads.on("request", lambda request: requests.append(request.url))
    for method, direction, n in (("attattr", "least-first", 20), ("attention", "most-first", 7)):
        heads.get_by_test_id("heads-method").select_option(method)
        heads.get_by_test_id(f"heads-direction-{direction}").check(force=True)
        heads.get_by_test_id("heads-rate").fill(str(n))
        mask = make_mask(study.importances[method].values, n, direction=direction)
        assert read_pruned(heads) == [int(index) for index in (~mask.ravel()).nonzero()[0]]
        assert heads.locator(f"[data-testid=heads-grid-{method}] .aa-pruned").count() == n
        curve = next(c for c in study.curves if (c.method, c.direction) == (method, direction))
        nearest = min(range(len(curve.n_pruned)), key=lambda k: abs(int(curve.n_pruned[k]) - n))
        expect(heads.get_by_test_id("heads-metric")).to_contain_text(f"accuracy {curve.metric[nearest]:.3f}")
    assert requests == []


def test_charts_are_read_and_switched_with_the_keyboard(heads):
    picture = heads.get_by_test_id("heads-least-first-picture")
    picture.focus()
    heads.keyboard.press("ArrowRight")
    expect(heads.get_by_test_id("heads-least-first-hover")).to_contain_text("0 heads (0 %): attribution 0.")
    heads.get_by_test_id("heads-legend-attattr").press("Enter")
    expect(heads.get_by_test_id("heads-legend-attattr")).to_have_attribute("aria-pressed", "false")
    expect(heads.get_by_test_id("heads-legend-attattr")).to_be_focused()
    expect(heads.locator("[data-testid=heads-least-first-picture] .aa-line-attattr")).to_have_count(0)
    heads.locator("[data-testid=heads-grid-taylor] [tabindex='0']").focus()
    heads.keyboard.press("ArrowDown")
    heads.keyboard.press("ArrowRight")
    expect(heads.get_by_test_id("heads-hover")).to_contain_text("layer 5 · head 2")


def test_a_click_opens_the_head_of_the_text_that_is_explained(heads):
    heads.get_by_test_id("heads-attattr-3-10").click()
    expect(heads.get_by_role("tab", name="Heatmaps")).to_have_attribute("aria-selected", "true")
    expect(heads.get_by_test_id("selection")).to_contain_text("layer 3 · head 10")
    assert "newspaper" in heads.evaluate("document.querySelector('.aa-view').attattr.shown().tokens")


def test_another_checkpoint_brings_its_own_study_and_its_heads_wait_for_a_run(heads):
    choose(heads, "model", "sst2")
    expect(heads.get_by_test_id("heads-source")).to_contain_text("sst2 @ ")
    heads.get_by_test_id("heads-attattr-3-10").click()
    expect(heads.get_by_test_id("heads-hover")).to_contain_text("explained with another checkpoint (snli)")
    expect(heads.get_by_role("tab", name="Heads")).to_have_attribute("aria-selected", "true")
    heads.get_by_test_id("heads-scatter-y").select_option("snli / attattr")
    expect(heads.get_by_test_id("heads-correlation")).to_contain_text("Pearson's r")


def test_embedded_data_are_measured_and_exported(heads, tmp_path):
    measure(heads)
    heads.wait_for_function(f"{HEADS}.message.status === 'done'", timeout=180_000)
    expect(heads.get_by_test_id("heads-source")).to_contain_text("measured now")
    expect(heads.get_by_test_id("heads-source")).to_contain_text("curves on 4 examples")
    study = load_study(export(heads, "curves", "json", tmp_path))
    assert list(study.importances) == ["taylor"]
    assert study.n_examples == 4
    assert export(heads, "curves", "svg", tmp_path).read_text().startswith("<?xml")


def test_own_data_on_a_model_of_the_hub_up_to_a_smaller_model(heads, served, tiny, tmp_path):
    served.add("org/tiny", tiny)
    name_model(heads, "org/tiny")
    expect(heads.get_by_test_id("heads-empty")).to_contain_text("Which heads does org/tiny need?")
    heads.get_by_test_id("heads-measure").click()
    expect(heads.get_by_test_id("status")).to_contain_text("'org/tiny' is not downloaded yet: press Load first.")
    expect(heads.get_by_test_id("heads-measure")).to_be_visible()
    heads.locator("#load").click()
    expect(heads.get_by_test_id("card")).to_contain_text("in memory", timeout=60_000)
    path = tmp_path / "<b>mine.tsv"
    path.write_text("sentence\tlabel\n" + "".join(f"{word} film\t{label}\n" for word, label in OWN))
    heads.locator("#heads-fold > button").click()
    heads.get_by_label("my file").check()
    with heads.expect_file_chooser() as chooser:
        heads.locator("#heads-upload").click()
    chooser.value.set_files(path)
    expect(heads.locator("#heads-data")).to_contain_text("4 rows")
    measure(heads, n_ranking=4, methods=("attribution", "Taylor"))
    heads.wait_for_function(f"{HEADS}.message.status === 'done'", timeout=120_000)
    expect(heads.get_by_test_id("heads-source")).to_contain_text("curves on 4 examples")
    heads.get_by_test_id("heads-rate").fill("2")
    heads.get_by_test_id("heads-save").click()
    expect(heads.get_by_test_id("heads-smaller")).to_contain_text("2 of 4 heads removed", timeout=120_000)
    expect(heads.get_by_test_id("heads-smaller")).to_contain_text("accuracy")
    expect(heads.get_by_test_id("heads-smaller")).to_contain_text(
        re.compile(r"median of the rounds.+× \d+\.\d\d in turns \(")
    )
    with heads.expect_download() as download:
        heads.locator("#heads-file a").first.click()
    assert re.fullmatch(r"tiny-without-2-heads.*\.zip", download.value.suggested_filename)


def test_measuring_is_stopped_and_keeps_what_is_there(heads):
    measure(heads, n_ranking=3, n_pruning=200, seeds=20)
    expect(heads.get_by_test_id("heads-progress")).to_contain_text(re.compile(r"pruning: [\d,]+ of"), timeout=180_000)
    heads.get_by_test_id("heads-stop").click()
    expect(heads.get_by_test_id("heads-source")).to_contain_text("stopped")
    expect(heads.get_by_test_id("heads-progress")).to_be_hidden()
    assert heads.locator("[data-testid=heads-grid-taylor] .aa-cell").count() == 72
    choose(heads, "model", "sst2")
    expect(heads.get_by_test_id("heads-source")).to_contain_text("computed beforehand")
    choose(heads, "model", "snli")
    expect(heads.get_by_test_id("heads-source")).to_contain_text("stopped")


def test_another_checkpoint_ends_what_is_measured(heads):
    measure(heads, n_ranking=3, n_pruning=200, seeds=20)
    expect(heads.get_by_test_id("heads-progress")).to_contain_text(re.compile(r"pruning: [\d,]+ of"), timeout=180_000)
    choose(heads, "model", "sst2")
    expect(heads.get_by_test_id("heads-source")).to_contain_text("sst2 @ ")
    expect(heads.get_by_test_id("heads-progress")).to_be_hidden()
    measure(heads)  # the queue is free again
    heads.wait_for_function(f"{HEADS}.message.status === 'done'", timeout=180_000)
    expect(heads.get_by_test_id("heads-source")).to_contain_text("sst2 @ ")


def test_one_measurement_at_a_time_and_stop_ends_it(heads):
    measure(heads, n_ranking=3, n_pruning=200, seeds=20)
    expect(heads.locator("#heads-run")).to_be_disabled()
    expect(heads.get_by_test_id("heads-progress")).to_contain_text(re.compile(r"pruning: [\d,]+ of"), timeout=180_000)
    heads.get_by_test_id("heads-measure").dispatch_event("click")  # another way to ask, hidden now
    expect(heads.get_by_test_id("status")).to_contain_text("waits or goes on already: press Stop")
    expect(heads.get_by_test_id("heads-progress")).to_contain_text("pruning")
    heads.locator("#heads-stop").click()
    expect(heads.get_by_test_id("heads-source")).to_contain_text("stopped")
    measure(heads)  # the button works, and nothing waits before it
    heads.wait_for_function(f"{HEADS}.message.status === 'done'", timeout=180_000)
    assert heads.evaluate(f"{HEADS}.message.n_examples") == 4
    expect(heads.locator("#heads-run")).to_be_enabled()


def test_two_visitors_measure_in_turns_and_each_stops_what_is_his(heads, open_page):
    other, pruning = open_page(), re.compile(r"pruning: [\d,]+ of")
    open_tab(other)
    for page in (other, heads):
        measure(page, n_ranking=3, n_pruning=200, seeds=20)
        expect(page.get_by_test_id("heads-progress")).to_contain_text(pruning, timeout=180_000)
    heads.locator("#heads-stop").click()
    expect(heads.locator("#heads-run")).to_be_enabled()
    expect(heads.get_by_test_id("heads-progress")).to_be_hidden()
    expect(other.get_by_test_id("heads-progress")).to_contain_text(pruning)
    other.locator("#heads-stop").click()
    measure(heads)
    heads.wait_for_function(f"{HEADS}.message.status === 'done'", timeout=180_000)
    assert heads.evaluate(f"{HEADS}.message.n_examples") == 4


def test_areas_are_offered_as_tables_and_scroll_on_a_phone(heads):
    heads.get_by_test_id("heads-areas-export").click()
    assert heads.get_by_test_id("heads-areas-export-menu").locator("button").all_text_contents() == [
        "JSON numbers",
        "CSV table",
    ]
    heads.keyboard.press("Escape")
    heads.set_viewport_size({"width": 390, "height": 844})
    areas = heads.locator(".aa-areas")
    assert areas.evaluate("node => node.scrollWidth > node.clientWidth")
    assert "local" in areas.evaluate("node => getComputedStyle(node).backgroundAttachment")  # the shade at its edge
    areas.focus()
    heads.keyboard.press("ArrowRight")
    heads.wait_for_function("document.querySelector('.aa-areas').scrollLeft > 0")


def test_what_was_said_of_a_file_does_not_stay(heads, tmp_path):
    damaged, other = tmp_path / "damaged.json", tmp_path / "other.txt"
    damaged.write_text("[")
    other.write_text("no study")
    open_file(heads, damaged)
    expect(heads.get_by_test_id("status")).to_contain_text("damaged")
    open_file(heads, other)
    expect(heads.get_by_test_id("status")).to_be_hidden()


def test_a_refusal_leaves_the_study_and_frees_the_buttons(heads):
    measure(heads, n_ranking=0)
    expect(heads.get_by_test_id("status")).to_contain_text("whole number from 1")
    expect(heads.get_by_test_id("heads-progress")).to_be_hidden()
    expect(heads.get_by_test_id("heads-source")).to_contain_text("computed beforehand")


def test_files_with_hostile_names_are_shown_as_text(heads, tmp_path):
    path = tmp_path / "study.json"
    study = load_shipped("sst2")
    first = next(iter(study.importances.values()))
    hostile = {HOSTILE: first, "taylor": study.importances["taylor"]}
    curves = tuple(
        type(curve)(**{**vars(curve), "method": HOSTILE}) if curve.method == "attattr" else curve
        for curve in study.curves
    )
    renamed = {"importances": hostile, "curves": curves, "model": HOSTILE, "data": HOSTILE}
    save_study(type(study)(**{**vars(study), **renamed}), path)
    open_file(heads, path)
    expect(heads.get_by_test_id("heads-source")).to_contain_text("opened from a file")
    expect(heads.get_by_test_id("heads-source")).to_contain_text("<")
    heads.get_by_test_id("heads-method").select_option(HOSTILE)
    assert heads.locator(".aa-heads img, .aa-heads script").count() == 0
    heads.get_by_test_id("heads-back").click()
    expect(heads.get_by_test_id("heads-source")).to_contain_text("snli @ ")


def test_the_authors_list_and_large_models_are_drawn(heads, tmp_path):
    path = tmp_path / "large.json"
    values = [[layer + head / 100 for head in range(16)] for layer in range(24)]
    path.write_text(json.dumps(values))
    open_file(heads, path)
    expect(heads.locator("[data-testid^=heads-grid-] .aa-cell")).to_have_count(384)
    heads.set_viewport_size({"width": 390, "height": 844})
    heads.wait_for_timeout(300)
    assert heads.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_study_is_drawn_that_came_while_another_tab_was_open(page):
    choose(page, "model", "sst2")
    open_tab(page)
    expect(page.get_by_test_id("heads-source")).to_contain_text("sst2 @ ")
    assert page.get_by_test_id("heads-least-first-picture").bounding_box()["width"] > 300
