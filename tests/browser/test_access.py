"""Barriers that axe-core finds: every state of the page, in both themes and widths, has no serious one."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from trigger_samples import make_set, make_study

from attattr_core.triggers.study_files import save_study
from tests.browser.test_model_picker import name_model
from tests.browser.test_page import fix_nodes

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
OPTIONS = {"runOnly": [*WCAG, "best-practice"], "resultTypes": ["violations"]}
# Two frames: the views draw in the next one, and the browser paints them in the one after.
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
TAB = ".tabitem"
TREE = "document.querySelector('.aa-tree')?.attattr?.shown()"
HEADS = "document.querySelector('.aa-heads')?.attattr?.mask()"
TRIAL = "document.querySelector('[data-kind=trial]')?.attattr"
CHART = "document.querySelector('[data-kind=curves]')?.attattr?.shown()?.counts"


@pytest.fixture
def calm(open_page):
    """The page without transitions, so that colours are not looked at half-way."""
    return open_page(reduced_motion="reduce")


def open_tab(page, name, ready):
    page.get_by_role("tab", name=name).click()
    page.wait_for_function(ready)


def check(page, state, within=None):
    """Looks for barriers in both themes and widths; of what is no serious one a list is printed."""
    serious, other = [], set()
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 1000})
        for theme in ("light", "dark"):
            page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
            page.evaluate(FRAMES)
            for found in Axe().run(page, within, OPTIONS).response["violations"]:
                if found["impact"] not in ("serious", "critical"):
                    other.add(f"{state}: {found['id']} ({found['impact']}), {len(found['nodes'])} times")
                    continue
                places = [f"{node['target'][0]}: {node['failureSummary'][:300]}" for node in found["nodes"][:4]]
                serious.append(
                    f"{state}, {theme}, {width} wide: {found['id']} {len(found['nodes'])}\n  " + "\n  ".join(places)
                )
    page.set_viewport_size({"width": 1440, "height": 1000})
    print(*sorted(other), sep="\n")
    assert not serious, "\n".join(serious)


def check_menu(page, button, menu):
    """An open menu; then it is closed again by the keyboard, which gives the focus back."""
    page.get_by_test_id(button).click()
    expect(page.get_by_test_id(menu)).to_be_visible()
    check(page, menu, f"[data-testid={menu}]")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id(menu)).to_be_hidden()
    expect(page.get_by_test_id(button)).to_be_focused()


def open_tables(page, view):
    for fold in page.locator(f"{view} details").all():
        if fold.is_visible() and fold.get_attribute("open") is None:
            fold.locator("summary").click()


def test_heatmaps_have_no_serious_barrier(calm):
    page = calm
    check(page, "first screen")
    check_menu(page, "export", "export-menu")
    check_menu(page, "share", "share-menu")
    check_menu(page, "help-grid", "help-text-grid")
    page.locator("#more button").first.click()
    page.locator("#labels button").first.click()
    expect(page.locator("#label-names textarea")).to_be_visible()
    open_tables(page, ".aa-view")
    page.get_by_test_id("lists-all").check(force=True)
    check(page, "folds and tables")
    page.get_by_test_id("picture-arcs").check(force=True)
    page.get_by_test_id("size-readable").check(force=True)
    page.locator("#text textarea").fill(" ")
    page.locator("#run").click()
    expect(page.get_by_test_id("status")).to_have_attribute("role", "alert")
    expect(page.get_by_test_id("status")).to_contain_text("is empty")
    check(page, "arcs")


def test_a_run_under_way_has_no_serious_barrier(calm):
    page = calm
    fix_nodes(page, 200)
    page.locator("#text textarea").fill("wait " * 100)
    page.locator("#run").click()
    expect(page.get_by_test_id("progress")).to_contain_text("running", timeout=90_000)
    check(page, "running")
    page.locator("#stop").click()
    expect(page.get_by_test_id("progress")).not_to_contain_text("running")
    check(page, "stopped", TAB)


def test_the_tree_has_no_serious_barrier(calm):
    page = calm
    open_tab(page, "Tree", TREE)
    page.wait_for_function(CHART)
    check(page, "tree")
    open_tables(page, ".tabitem")
    page.get_by_test_id("tree-picture").focus()
    page.keyboard.press("ArrowDown")
    check(page, "tree, tables", TAB)
    check_menu(page, "tree-export", "tree-export-menu")
    check_menu(page, "curves-export", "curves-export-menu")


def test_heads_have_no_serious_barrier(calm, tiny):
    page = calm
    open_tab(page, "Heads", HEADS)
    check(page, "heads")
    open_tables(page, ".aa-heads")
    page.get_by_test_id("heads-legend-taylor").click()
    page.get_by_test_id("heads-colour-rank").check(force=True)
    page.locator("#heads-fold > button").click()
    expect(page.locator("#heads-run")).to_be_visible()
    check(page, "heads, tables, own data", TAB)
    check_menu(page, "heads-curves-export", "heads-curves-export-menu")
    page.locator("#heads-source").get_by_text("Hub data set").click()
    expect(page.locator("#heads-dataset")).to_be_visible()
    page.locator("#heads-dataset input").click()  # the list opens
    check(page, "data of the Hub", "#heads-fold")
    page.keyboard.press("Escape")
    name_model(page, str(tiny))
    expect(page.get_by_test_id("heads-empty")).to_be_visible()
    check(page, "no heads yet", TAB)


def test_triggers_have_no_serious_barrier(calm, tmp_path):
    page = calm
    open_tab(page, "Triggers", f"{TRIAL}?.picked()")
    check(page, "triggers")
    page.get_by_test_id("trial-run").click()
    page.wait_for_function(f"{TRIAL}.shown()?.status === 'done' && {TRIAL}.shown().plates", timeout=120_000)
    open_tables(page, ".tabitem")
    page.get_by_test_id("trial-own").fill("never")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("trial-outdated")).to_be_visible()
    check(page, "triggers compared, outdated", TAB)
    page.locator("#triggers-own > button").click()
    save_study(make_study(flips=2), tmp_path / "file.json", triggers=make_set())
    with page.expect_file_chooser() as chooser:
        page.locator("#triggers-open").click()
    chooser.value.set_files(tmp_path / "file.json")
    expect(page.get_by_test_id("triggers-source")).to_contain_text("opened from")
    check(page, "triggers of a file, own data", TAB)
    check_menu(page, "triggers-export", "triggers-export-menu")


def test_what_is_empty_or_only_text_has_no_serious_barrier(calm, tiny):
    page = calm
    page.get_by_role("tab", name="About").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("Versions")
    check(page, "about")
    name_model(page, str(tiny))
    open_tab(page, "Triggers", f"{TRIAL}?.picked()")
    expect(page.get_by_test_id("triggers-message")).to_contain_text("No triggers of this checkpoint yet")
    check(page, "no triggers yet", TAB)
