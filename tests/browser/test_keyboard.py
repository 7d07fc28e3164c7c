"""The keyboard alone, what a screen reader says, and the wishes of the system: less motion, its own colours."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_access import CHART, FRAMES, HEADS, TREE, TRIAL, open_tab, open_tables
from tests.browser.test_page import wait_until_done

CONTROLS = """() => {
  const isOther = (radio) => [...document.getElementsByName(radio.name)].some(one => one.checked && one !== radio);
  const roving = (node) => node.closest('[aria-hidden=true], [role=grid], [role=tablist], .aa-tree-svg, .aa-placing')
    || (node.type === 'radio' && isOther(node)) || (node.tabIndex < 0 && node.matches('.aa-scroll'));
  const all = document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex], [role=button]');
  const usable = (node) => node.checkVisibility({visibilityProperty: true}) && !node.disabled && node.type !== 'file';
  return [...all].filter(node => usable(node) && !roving(node)).map((node, k) => {
    node.dataset.place = k;
    return node.outerHTML.slice(0, 160);
  });
}"""
FOCUSED = """() => {
  const node = document.activeElement;
  const style = getComputedStyle(node.matches('.aa-segment input') ? node.nextElementSibling : node);
  const hasRing = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1;
  const html = node.outerHTML.slice(0, 160);
  return {place: node.dataset.place ?? null, hasRing, html, atEnd: node === document.body};
}"""


@pytest.mark.parametrize("name", ["Heatmaps", "Tree", "Heads", "Triggers"])
def test_every_control_is_reached_by_the_keyboard_and_shows_it(open_page, name):
    page = open_page(theme="dark" if name in ("Tree", "Triggers") else "light")
    open_tab(page, name, {"Tree": CHART, "Heads": HEADS, "Triggers": f"{TRIAL}?.picked()"}.get(name, "true"))
    for fold in ("#more button", "#heads-fold > button", "#triggers-own > button"):
        if page.locator(fold).count():
            page.locator(fold).first.click()
    open_tables(page, ".tabitem")
    page.evaluate(FRAMES)
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    controls, reached, unmarked = page.evaluate(CONTROLS), set(), []
    for _ in range(4 * len(controls)):  # beginning where the last click was, and more often than there are controls
        if len(reached - {None}) == len(controls):
            break
        page.keyboard.press("Tab")
        now = page.evaluate(FOCUSED)
        reached.add(now["place"])
        if not (now["hasRing"] or now["atEnd"]):
            unmarked.append(now["html"])
    missed = [html for place, html in enumerate(controls) if str(place) not in reached]
    assert missed == []
    assert unmarked == []
    assert len(controls) > 40


def test_a_list_of_choices_is_left_with_one_tab(page):
    tab_to(page, "#model input")
    expect(page.locator("#model input")).to_have_attribute("aria-expanded", "true")
    page.evaluate(FRAMES)
    page.keyboard.press("Tab")
    expect(page.locator("#load")).to_be_focused()


def tab_to(page, wanted, key="Tab"):
    """Presses Tab until the focus is on what is wanted: a selector, or the name of a tab."""
    is_there = "name => document.activeElement.matches(name.includes(' ') || /[#.[]/.test(name) ? name : '[role=tab]')"
    is_there += " && (/[#.[]/.test(name) || document.activeElement.textContent.trim() === name)"
    for _ in range(400):
        page.keyboard.press(key)
        if page.evaluate(is_there, wanted):
            return
    pytest.fail(f"{key} does not reach {wanted}")


def test_the_keyboard_alone_runs_chooses_a_head_opens_the_tree_and_saves_a_picture(page):
    tab_to(page, "#text textarea")
    page.keyboard.press("Control+A")
    page.keyboard.type("Surprisingly good acting saves a dull plot.")
    tab_to(page, "#pair textarea")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    tab_to(page, "#run")
    page.keyboard.press("Enter")
    wait_until_done(page, "Surprisingly")
    tab_to(page, "[data-testid=grid] [role=gridcell]")
    for key in ("End", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_test_id("selection")).to_have_text(re.compile(r"layer \d · head 12"))
    tab_to(page, "[data-testid=picture-matrix]")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("picture-arcs")).to_be_checked()
    tab_to(page, "[data-testid=plate-attribution]")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("hover-line")).to_contain_text("receives from")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_test_id("hover-line")).to_contain_text("pinned")
    tab_to(page, "Tree", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_function(f"{TREE}?.tokens.includes('Surprisingly')")
    tab_to(page, "[data-testid=tree-export]")
    page.keyboard.press("Enter")
    tab_to(page, "[data-testid=tree-export-svg]")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert re.fullmatch(r"attattr-s\w+-tree-flow-\d+edges\.svg", download.value.suggested_filename)
    expect(page.get_by_test_id("tree-export-menu")).to_be_hidden()
    expect(page.get_by_test_id("tree-export")).to_be_focused()
    tab_to(page, "[data-testid=tree-picture]")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("tree-hover")).to_contain_text("head")
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Heatmaps")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_test_id("plate-attribution")).to_be_focused()


def test_pictures_say_what_they_show(page):
    for kind in ("attention", "attribution"):
        shown = page.evaluate("document.querySelector('.aa-view').attattr.shown()")
        entries = [(abs(value), i, j) for i, row in enumerate(shown[kind]) for j, value in enumerate(row)]
        _, row, column = max(entries, key=lambda entry: (entry[0], -entry[1], -entry[2]))
        picture = page.get_by_test_id(f"plate-{kind}")
        expect(picture).to_have_role("img")
        strongest = f"{shown['tokens'][row]} receives from {shown['tokens'][column]}"
        head = f"layer {shown['layer'] + 1} · head {shown['head'] + 1}"
        expect(picture).to_have_accessible_name(
            re.compile(f"^{kind} of {head}, .+ Strongest: {re.escape(strongest)}, ")
        )
    open_tab(page, "Tree", CHART)
    expect(page.get_by_test_id("tree-picture")).to_have_accessible_name(
        re.compile(r"Strongest: layer \d: .+ receives from")
    )
    expect(page.get_by_test_id("curves-picture")).to_have_accessible_name(re.compile("raw attention [+−]"))
    expect(page.get_by_test_id("field-picture")).to_have_accessible_name(re.compile(r"the furthest, \d+ tokens"))
    open_tab(page, "Heads", HEADS)
    expect(page.get_by_test_id("heads-least-first-picture")).to_have_accessible_name(re.compile(r"attribution 0\.\d+"))
    expect(page.get_by_test_id("heads-scatter")).to_have_accessible_name(re.compile("Spearman's ρ"))


def test_a_choice_is_a_group_of_radios_with_a_name(page):
    group = page.get_by_role("radiogroup", name="picture")
    assert group.get_by_role("radio").count() == 2
    expect(group.get_by_role("radio", name="picture: matrix")).to_be_checked()


def test_errors_are_alerts_and_what_goes_on_is_a_status(page):
    page.locator("#text textarea").fill("")
    page.locator("#run").click()
    expect(page.get_by_role("alert").filter(has_text="Sentence A is empty")).to_be_visible()
    page.locator("#text textarea").fill("All is well.")
    page.locator("#run").click()
    wait_until_done(page, "All")
    expect(page.get_by_test_id("status")).to_be_hidden()
    assert page.get_by_test_id("progress").get_attribute("role") == "status"
    assert page.get_by_test_id("hover-line").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
def test_nothing_moves_where_that_is_the_wish(open_page, wish):
    page = open_page(reduced_motion=wish)
    longest = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll('body, body *')].map(getComputedStyle).flatMap(
        style => [style.transitionDuration, style.animationDuration].flatMap(all => all.split(',').map(parseFloat))))"""
    )
    assert longest < 0.001 if wish == "reduce" else longest > 0.05


def test_where_the_system_chooses_the_colours_choices_and_values_are_still_seen(open_page):
    page = open_page(forced_colors="active")
    colour = "node => getComputedStyle(node).backgroundColor"
    chosen, other = (page.get_by_test_id(f"picture-{name}").locator("+ span") for name in ("matrix", "arcs"))
    assert chosen.evaluate(colour) != other.evaluate(colour)
    cells = page.locator("[data-testid=grid] .aa-cell:not([data-testid$=sum])")
    assert len(set(cells.evaluate_all(f"nodes => nodes.map({colour})"))) > 5
    assert page.locator(".aa-selected").evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
