"""The tree in a real browser: sliders without requests, heads on hover, a click into the heatmaps, files, measuring."""

import json
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from attattr_core.trees.files import load_tree
from tests.browser.test_page import HOSTILE, choose, fix_nodes, open_file, run
from tests.browser.test_page import export as export_map

TREE = "document.querySelector('.aa-tree').attattr"
LONG_A = (
    "When the old ferry finally left the harbour late in the evening the tired children leaned over the railing and "
    "waved at the quiet town where they had spent a long and happy summer"
)
LONG_B = (
    "Nobody was on board of the ferry when it left the harbour since a heavy storm had been announced for that evening"
)


@pytest.fixture
def tree(page):
    """The page with the tab opened."""
    open_tab(page)
    return page


def open_tab(page):
    page.get_by_role("tab", name="Tree").click()
    page.wait_for_function("document.querySelector('.aa-tree')?.attattr?.shown()")


def wait_for(page, token):
    page.wait_for_function(
        f"token => {TREE}.message?.status === 'done' && {TREE}.shown().tokens.includes(token)", arg=token
    )


def count_edges(page):
    page.wait_for_timeout(150)
    return page.locator(".aa-tree-edge").count()


def slide(page, name, value):
    page.get_by_test_id(name).fill(str(value))
    return count_edges(page)


def export(page, name, file_format, tmp_path):
    page.get_by_test_id(f"{name}-export").click()
    with page.expect_download() as download:
        page.get_by_test_id(f"{name}-export-{file_format}").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def read_edges(page):
    edges = page.evaluate(f"{TREE}.shown().edges")
    return [(edge["layer"], edge["receiver"], edge["sender"]) for edge in edges]


def test_the_first_visit_shows_a_tree_and_its_curves(tree):
    assert count_edges(tree) == 16
    expect(tree.get_by_test_id("tree-mass")).to_contain_text(re.compile(r"16 edges keep \d+ % of the positive"))
    expect(tree.get_by_test_id("curves-legend")).to_contain_text("area to the tree +")
    expect(tree.get_by_test_id("means-source")).to_contain_text("100 examples of snli.tsv")
    assert tree.locator("[data-testid=field-picture] rect").count() == 6


def test_sliders_cut_the_tree_without_a_request(tree):
    requests = []
    tree.on("request", lambda request: requests.append(request.url))
    counts = [slide(tree, "tree-edges", n) for n in (1, 5, 100)]
    assert counts[:2] == [1, 5]
    assert counts[2] > 16
    fewer = slide(tree, "tree-threshold", 0.2)
    assert 0 < fewer < counts[2]
    tree.get_by_test_id("tree-mode-paper").check(force=True)
    paper = [slide(tree, "tree-tau", tau) for tau in (0.05, 0.4, 1)]
    assert paper[0] > paper[1] > paper[2] == 0
    expect(tree.get_by_test_id("tree-hover")).to_contain_text("lower the threshold")
    assert requests == []


def test_pieces_are_merged_and_told_apart(page):
    run(page, "Unforgettably bittersweet.")
    open_tab(page)
    wait_for(page, "Unforgettably")
    page.get_by_test_id("tree-words").set_checked(False)
    page.wait_for_function(f"{TREE}.shown().tokens.some(token => token.startsWith('##'))")


@pytest.mark.parametrize("mode", ["flow", "paper"])
def test_what_is_drawn_is_what_is_saved(tree, tmp_path, mode):
    tree.get_by_test_id(f"tree-mode-{mode}").check(force=True)
    for options in ({"tree-edges": 100, "tree-threshold": 0.05, "tree-tau": 0.1}, {"tree-edges": 4}):
        for name, value in options.items():
            if tree.get_by_test_id(name).is_visible():
                slide(tree, name, value)
        for words in (True, False):
            tree.get_by_test_id("tree-words").set_checked(words)
            count_edges(tree)
            saved = load_tree(export(tree, "tree", "json", tmp_path))
            assert [(edge.layer, edge.receiver, edge.sender) for edge in saved.edges] == read_edges(tree)
            shown = tree.evaluate(f"{TREE}.shown()")
            assert shown["root"] == saved.nodes[0].position
            assert [edge["parent"] + 1 for edge in shown["edges"]] == [edge.parent for edge in saved.edges]


@pytest.mark.parametrize("file_format", ["svg", "png", "pdf", "graphml"])
def test_the_tree_is_exported(tree, tmp_path, file_format):
    path = export(tree, "tree", file_format, tmp_path)
    content = path.read_bytes()
    assert re.fullmatch(rf"attattr-snli-tree-flow-16edges\.{file_format}", path.name)
    if file_format in ("svg", "graphml"):
        assert ET.fromstring(content).tag.endswith(file_format)
    else:
        assert content.startswith({"png": b"\x89PNG", "pdf": b"%PDF"}[file_format])


@pytest.mark.parametrize("name", ["curves", "means"])
@pytest.mark.parametrize("file_format", ["svg", "png", "pdf", "json", "csv"])
def test_the_charts_are_exported(tree, tmp_path, name, file_format):
    content = export(tree, name, file_format, tmp_path).read_bytes()
    if file_format == "json":
        assert json.loads(content)
    elif file_format == "csv":
        assert content.count(b"\n") > 9
    else:
        assert content.startswith({"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[file_format])


def test_hover_tells_the_heads_and_a_click_opens_one(tree):
    requests = []
    tree.on("request", lambda request: requests.append(request.url))
    edge = tree.evaluate(f"{TREE}.shown().edges[0]")
    tree.get_by_test_id("tree-edge-0").dispatch_event("pointerover", {"bubbles": True})
    line = tree.get_by_test_id("tree-hover")
    expect(line).to_contain_text(f"layer {edge['layer'] + 1} ·")
    expect(line).to_contain_text("probability")
    for head, _ in edge["heads"]:
        expect(tree.get_by_test_id("tree-heads")).to_contain_text(f"head {head + 1} ")
    tree.get_by_test_id("tree-edge-0").dispatch_event("click")
    expect(tree.get_by_role("tab", name="Heatmaps")).to_have_attribute("aria-selected", "true")
    expect(tree.get_by_test_id("selection")).to_have_text(f"layer {edge['layer'] + 1} · head {edge['heads'][0][0] + 1}")
    expect(tree.get_by_test_id("hover-line")).to_contain_text("pinned")
    assert requests == []


def test_the_keyboard_walks_the_tree_and_opens_a_head(tree):
    tree.get_by_test_id("tree-picture").focus()
    seen = set()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowRight", "End", "Home", "Shift+ArrowLeft", "+", "-", "0"):
        tree.keyboard.press(key)
        seen.add(tree.get_by_test_id("tree-hover").text_content())
    assert len(seen) > 3
    tree.keyboard.press("Enter")
    expect(tree.get_by_role("tab", name="Heatmaps")).to_have_attribute("aria-selected", "true")


def test_the_table_behind_the_picture_has_every_edge(tree):
    tree.get_by_test_id("tree-table").locator("summary").click()
    rows = tree.get_by_test_id("tree-table").locator("tbody tr")
    expect(rows).to_have_count(16)
    rows.nth(2).get_by_role("button").click()
    expect(tree.get_by_role("tab", name="Heatmaps")).to_have_attribute("aria-selected", "true")


def test_zoom_and_pan(tree):
    camera = f"{TREE}.camera"
    for _ in range(4):
        tree.get_by_test_id("tree-zoom-in").click()
    assert tree.evaluate(camera)["k"] > 2
    before = tree.evaluate(camera)
    box = tree.get_by_test_id("tree-picture").bounding_box()
    tree.mouse.move(box["x"] + 500, box["y"] + 200)
    tree.mouse.down()
    tree.mouse.move(box["x"] + 420, box["y"] + 160, steps=4)
    tree.mouse.up()
    after = tree.evaluate(camera)
    assert (round(before["x"] - after["x"]), round(before["y"] - after["y"])) == (80, 40)
    tree.mouse.wheel(60, 0)
    tree.wait_for_function(f"{camera}.x < {after['x'] - 30}")
    tree.keyboard.down("Control")
    tree.mouse.wheel(0, -100)
    tree.keyboard.up("Control")
    tree.wait_for_function(f"{camera}.k > {after['k']}")
    tree.get_by_test_id("tree-fit").click()
    assert tree.evaluate(camera)["k"] <= 1
    expect(tree.get_by_role("tab", name="Tree")).to_have_attribute("aria-selected", "true")  # a drag is no click


def test_full_screen(tree):
    tree.get_by_test_id("tree-full-screen").click()
    tree.wait_for_function("document.fullscreenElement?.classList.contains('aa-tree')")
    tree.evaluate("document.exitFullscreen()")


def test_a_run_fills_the_tab_whether_it_is_open_or_not(page):
    run(page, "Nothing here is dull.", model="sst2")
    open_tab(page)
    wait_for(page, "dull")
    expect(page.get_by_test_id("curves-progress")).to_have_text("not measured yet")
    expect(page.get_by_test_id("means-source")).to_contain_text("sst2.tsv")
    page.locator("#text textarea").fill("Nobody laughed once.")
    page.locator("#run").click()
    wait_for(page, "laughed")


def test_a_head_of_a_result_that_the_heatmaps_have_not_seen(tree):
    tree.get_by_text("irony", exact=True).first.click()
    wait_for(tree, "sequel")
    edge = tree.evaluate(f"{TREE}.shown().edges[1]")
    tree.get_by_test_id("tree-edge-1").dispatch_event("click")
    expect(tree.get_by_test_id("selection")).to_have_text(f"layer {edge['layer'] + 1} · head {edge['heads'][0][0] + 1}")


def test_an_opened_result_has_its_tree(page, tmp_path):
    run(page, "Keep the whole tree.")
    saved = export_map(page, "npz", tmp_path)
    run(page, "Something else.")
    open_tab(page)
    open_file(page, saved)
    page.wait_for_function(f"{TREE}.message?.status === 'opened' && {TREE}.shown().tokens.includes('Keep')")


def test_hostile_text_is_shown_as_text(page):
    page.locator("#text textarea").fill(HOSTILE)
    page.locator("#run").click()
    open_tab(page)
    wait_for(page, "onerror")
    page.get_by_test_id("tree-table").locator("summary").click()
    slide(page, "tree-edges", 100)
    assert page.locator(".aa-tree img, .aa-tree script").count() == 0
    texts = page.get_by_test_id("tree-tokens").locator("text").all_text_contents()
    assert {"<", "$", "{", "constructor"} <= set(texts)


def test_deletion_is_measured(page):
    run(page, "A warm, funny and honest film.", model="sst2")
    open_tab(page)
    wait_for(page, "honest")
    slide(page, "tree-edges", 8)
    page.get_by_test_id("curves-measure").click()
    page.wait_for_function("document.querySelector('[data-kind=curves]').attattr.shown()?.status === 'done'")
    curves = page.evaluate("document.querySelector('[data-kind=curves]').attattr.shown()")
    assert curves["counts"] == list(range(9))
    assert len(curves["deletion"]["random"]) == 10
    assert curves["deletion"]["tree"][-1] < curves["deletion"]["tree"][0]
    page.get_by_test_id("curves-kind-insertion").check(force=True)
    page.get_by_test_id("curves-picture").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("curves-hover")).to_contain_text("0 edges added: tree")


def test_measuring_is_stopped_and_keeps_what_is_there(tree):
    tree.get_by_test_id("means-measure").click()
    expect(tree.get_by_test_id("means-progress")).to_contain_text(re.compile(r"^[2-9] of 100 examples"), timeout=90_000)
    tree.get_by_test_id("means-stop").click()
    expect(tree.get_by_test_id("means-progress")).to_contain_text(re.compile(r"stopped · \d+ of 100 examples"))
    expect(tree.get_by_test_id("means-source")).to_contain_text("measured now")
    expect(tree.get_by_test_id("means-measure")).to_be_enabled()
    tree.locator("#pair textarea").fill("A woman runs.")
    tree.locator("#run").click()  # the model is free again
    wait_for(tree, "runs")
    expect(tree.get_by_test_id("means-source")).to_contain_text("measured now")  # of the same checkpoint
    tree.get_by_test_id("curves-measure").click()
    tree.wait_for_function("document.querySelector('[data-kind=curves]').attattr.shown()?.status === 'done'")


def test_a_run_ends_what_is_measured(tree):
    tree.get_by_test_id("means-measure").click()
    expect(tree.get_by_test_id("means-progress")).to_contain_text(re.compile(r"^[1-9] of 100 examples"), timeout=90_000)
    tree.get_by_text("neutral", exact=True).first.click()
    wait_for(tree, "brother")
    expect(tree.get_by_test_id("means-progress")).to_contain_text("stopped")


def test_another_checkpoint_is_named(tree):
    choose(tree, "model", "sst2")
    tree.get_by_test_id("curves-measure").click()
    expect(tree.get_by_test_id("status")).to_contain_text("The result shown belongs to 'snli'")
    expect(tree.get_by_test_id("curves-measure")).to_be_enabled()


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_a_long_pair_is_readable(page, app_url, width, theme):
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{app_url}?__theme={theme}")
    page.wait_for_function("document.querySelector('.aa-view')?.attattr?.shown()")
    fix_nodes(page, 2)
    run(page, LONG_A, LONG_B, model="snli")
    open_tab(page)
    wait_for(page, "railing")
    labels = page.evaluate(
        """() => [...document.querySelectorAll('[data-testid=tree-tokens] text')].map(text => {
        const angle = -(text.getAttribute('transform') || 'rotate(0').match(/rotate[(]([-0-9.]+)/)[1];
        return {x: Number(text.getAttribute('x')), angle, width: text.getComputedTextLength()}; })"""
    )
    assert len(labels) >= 55
    scale = page.evaluate(f"{TREE}.camera.k")
    for left, right in pairwise(labels):
        step = right["x"] - left["x"]
        apart = step * {0: 0, 50: 0.766, 90: 1}[left["angle"]] if left["angle"] else step - right["width"]
        assert apart * scale >= (11 if left["angle"] else 2)
    assert page.locator(".aa-tree-a").count() > 20
    assert page.locator(".aa-tree-b").count() > 15
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_finger_reads_first_and_opens_with_a_second_tap(browser, app_url):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    touched = context.new_page()
    touched.goto(f"{app_url}?__theme=light")
    touched.wait_for_function("document.querySelector('.aa-view')?.attattr?.shown()")
    open_tab(touched)
    touched.get_by_test_id("tree-edge-0").scroll_into_view_if_needed()
    touched.wait_for_timeout(500)
    place = touched.evaluate(
        """() => { const line = document.querySelector('[data-testid=tree-edge-0] .aa-tree-line');
        const at = line.getPointAtLength(line.getTotalLength() / 2).matrixTransform(line.getScreenCTM());
        return [at.x, at.y]; }"""
    )
    touched.touchscreen.tap(*place)
    expect(touched.get_by_test_id("tree-hover")).to_contain_text("layer 6 ·")
    expect(touched.get_by_role("tab", name="Tree")).to_have_attribute("aria-selected", "true")
    touched.touchscreen.tap(*place)
    expect(touched.get_by_role("tab", name="Heatmaps")).to_have_attribute("aria-selected", "true")
    context.close()
