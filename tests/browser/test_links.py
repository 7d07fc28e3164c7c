"""Links and bundles in a real browser: what the address says, a second visitor who opens it, a bundle that reopens."""

import json
import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from tests.browser.test_heads_tab import fill
from tests.browser.test_page import choose
from tests.browser.test_triggers_tab import set_number

READY = "document.querySelector('.aa-view')?.attattr?.shown()"
STATE = "[__attattr.heatmaps.state, __attattr.tree?.state ?? null, __attattr.heatmaps.run.id]"
SECRET = "Nobody else may read this."


def read_query(page, *names):
    """Waits until the address names all of these; gives what it says."""
    page.wait_for_function("names => names.every(name => new URLSearchParams(location.search).has(name))", arg=names)
    return {name: value[0] for name, value in parse_qs(urlsplit(page.evaluate("location.href")).query).items()}


def open_tab(page, name):
    page.get_by_role("tab", name=name).click()


def copy_link(page, *, text=False, menu="share"):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_test_id(menu).click()
    page.get_by_test_id(f"{menu}-copy-text" if text else f"{menu}-copy").click()
    expect(page.get_by_test_id(f"{menu}-said")).to_contain_text("Copied, with" + ("" if text else "out"))
    page.keyboard.press("Escape")
    return page.evaluate("navigator.clipboard.readText()")


def change_view(page):
    """Makes every kind of change that an address tells."""
    page.get_by_test_id("cell-3-5").click()
    page.get_by_test_id("picture-arcs").check(force=True)
    page.get_by_test_id("scale-common").check(force=True)
    page.get_by_test_id("words").set_checked(False)
    open_tab(page, "Heads")
    page.get_by_test_id("heads-rate").fill("20")
    page.get_by_test_id("heads-direction-most-first").check(force=True)
    open_tab(page, "Tree")
    page.get_by_test_id("tree-edges").fill("24")
    page.get_by_test_id("tree-threshold").fill("0.1")


def test_the_first_screen_has_a_plain_address_and_changes_make_no_history(page):
    assert urlsplit(page.url).query == "__theme=light"
    length = page.evaluate("history.length")
    page.get_by_test_id("cell-2-4").click()
    assert read_query(page, "layer") == {"__theme": "light", "model": "snli", "layer": "2", "head": "4"}
    page.get_by_test_id("cell-2-sum").click()
    page.wait_for_function("location.search.includes('head=sum')")
    assert page.evaluate("history.length") == length


def test_a_second_visitor_opens_the_link_and_sees_the_view(open_page):
    page = open_page()
    page.locator("#more button").first.click()
    page.locator("#function input").click()
    page.get_by_role("option", name="logit", exact=True).click()
    change_view(page)
    wanted = {
        "model": "snli",
        "function": "logit",
        "tab": "tree",
        "layer": "3",
        "head": "5",
        "picture": "arcs",
        "scale": "common",
        "words": "0",
        "edges": "24",
        "threshold": "0.1",
        "pruned": "20",
        "order": "most-first",
    }
    assert {**read_query(page, *wanted), "__theme": ""} == {**wanted, "__theme": ""}
    link = copy_link(page, menu="tree-share")
    assert "#" not in link
    assert "__theme" not in link

    other = open_page(address=link)
    expect(other.get_by_role("tab", name="Tree")).to_have_attribute("aria-selected", "true")
    expect(other.get_by_test_id("tree-edges")).to_have_value("24")
    expect(other.get_by_test_id("tree-threshold")).to_have_value("0.1")
    open_tab(other, "Heatmaps")
    expect(other.get_by_test_id("selection")).to_have_text("layer 3 · head 5")
    expect(other.get_by_test_id("picture-arcs")).to_be_checked()
    expect(other.get_by_test_id("scale-common")).to_be_checked()
    expect(other.get_by_test_id("words")).not_to_be_checked()
    open_tab(other, "Heads")
    expect(other.get_by_test_id("heads-rate")).to_have_value("20")
    expect(other.get_by_test_id("heads-direction-most-first")).to_be_checked()
    other.locator("#more button").first.click()
    expect(other.locator("#function input")).to_have_value("logit")
    expect(other.get_by_test_id("link-note")).to_be_hidden()


def test_own_label_names_and_the_fields_and_views_of_heads_and_triggers_are_in_the_link(open_page):
    page = open_page()
    choose(page, "model", "sst2")
    expect(page.get_by_test_id("card")).to_contain_text("labels: negative, positive")
    page.locator("#labels > button").click()
    field = page.locator("#label-names textarea")
    for _ in range(20):  # Gradio sets a field's value once more just after building it
        field.fill("dislikes\nlikes it & more")
        page.wait_for_timeout(100)
        if field.input_value().startswith("dislikes"):
            break
    page.locator("#use-names").click()
    expect(page.get_by_test_id("card")).to_contain_text("labels (yours): dislikes, likes it & more")
    choose(page, "target", "likes it")
    open_tab(page, "Heads")
    page.get_by_test_id("heads-axes-rank").check(force=True)
    page.get_by_test_id("heads-legend-attention").click()
    page.locator("#heads-fold > button").click()
    fill(page, "n-ranking", 7)
    page.locator("#heads-methods").get_by_label("attention", exact=True).uncheck()
    page.locator("#heads-steps").get_by_label("every head").check()
    open_tab(page, "Triggers")
    page.get_by_test_id("triggers-measure-success").check(force=True)
    page.get_by_test_id("triggers-hide").set_checked(True)
    page.get_by_test_id("sort-random").click()
    page.get_by_test_id("sort-random").click()
    page.locator("#triggers-own > button").click()
    set_number(page, "triggers-n-seeds", 3)
    page.locator("#triggers-only-best input").check()
    page.locator("#triggers-mode-field input").last.check()
    wanted = {
        "model": "sst2",
        "target": "likes it & more",
        "labels": "dislikes\nlikes it & more",
        "tab": "triggers",
        "heads-ranking": "7",
        "heads-methods": "attattr,taylor",
        "heads-points": "every head",
        "axes": "rank",
        "hidden": "attention",
        "measure": "success",
        "hide": "1",
        "sort": "random-up",
        "triggers-draws": "3",
        "triggers-best": "1",
        "triggers-way": "pooled",
    }
    assert {**read_query(page, *wanted), "__theme": ""} == {**wanted, "__theme": ""}

    other = open_page(address=page.evaluate("location.href"))
    expect(other.get_by_test_id("card")).to_contain_text("labels (yours): dislikes, likes it & more")
    expect(other.locator("#target input")).to_have_value("likes it & more")
    expect(other.get_by_role("tab", name="Triggers")).to_have_attribute("aria-selected", "true")
    expect(other.get_by_test_id("triggers-measure-success")).to_be_checked()
    expect(other.get_by_test_id("triggers-hide")).to_be_checked()
    expect(other.locator("th[aria-sort=ascending]")).to_have_text("random")
    other.locator("#triggers-own > button").click()
    expect(other.locator("#triggers-n-seeds input")).to_have_value("3")
    expect(other.locator("#triggers-only-best input")).to_be_checked()
    expect(other.locator("#triggers-mode-field input").last).to_be_checked()
    open_tab(other, "Heads")
    expect(other.get_by_test_id("heads-axes-rank")).to_be_checked()
    expect(other.get_by_test_id("heads-legend-attention")).to_have_attribute("aria-pressed", "false")
    other.locator("#heads-fold > button").click()
    expect(other.locator("#heads-n-ranking input")).to_have_value("7")
    expect(other.locator("#heads-methods").get_by_label("attention", exact=True)).not_to_be_checked()
    expect(other.locator("#heads-steps").get_by_label("every head")).to_be_checked()
    expect(other.get_by_test_id("heads-source")).to_contain_text("computed beforehand")
    assert {**read_query(other, *wanted), "tab": "", "__theme": ""} == {**wanted, "tab": "", "__theme": ""}


def test_the_text_is_in_a_link_only_when_asked_for(open_page):
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#text textarea").fill(SECRET)
    page.get_by_test_id("cell-2-4").click()
    read_query(page, "layer")
    assert "Nobody" not in page.evaluate("location.href")
    assert "Nobody" not in copy_link(page)
    link = copy_link(page, text=True)
    assert parse_qs(urlsplit(link).fragment)["text"] == [SECRET]
    assert "Nobody" not in urlsplit(link).query
    assert "Nobody" not in page.evaluate("location.href")

    other = open_page(address=link)
    other.on("request", lambda request: asked.append(request.url))
    expect(other.locator("#text textarea")).to_have_value(SECRET)
    other.wait_for_function("__attattr.heatmaps.run.meta.word_labels.includes('Nobody')", timeout=120_000)
    expect(other.get_by_test_id("selection")).to_contain_text("layer 2 · head 4")
    assert "Nobody" not in other.evaluate("location.href"), "a text is not passed on unknowingly"
    assert not [address for address in asked if "Nobody" in address], "no server's log has the text"


def test_a_hostile_link_is_text_and_runs_nothing(open_page, app_url):
    hostile = "%3Cimg src=x onerror=alert(1)%3E ${alert(2)}"
    query = f"?__theme=dark&model=sst2&rule={hostile}&tab={hostile}&layer=99&head=-1&edges=1e9&words=constructor"
    query += (
        f"&labels={hostile}%0A{hostile}&hidden=constructor,__proto__&across={hostile}&sort=constructor&heads-seeds=1e9"
    )
    page = open_page(address=f"{app_url}{query}&threshold=NaN&__proto__=x#text={hostile}", width=390)
    expect(page.get_by_test_id("link-note")).to_contain_text("The link brought a text: press Run")
    expect(page.get_by_test_id("link-note")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.get_by_test_id("link-note")).to_contain_text("heads-seeds '1e9'")
    expect(page.locator("#text textarea")).to_have_value(re.compile("<img src=x"))
    assert page.evaluate(STATE)[2] == "first", "nothing was run"
    assert page.locator("img[src=x]").count() == 0
    state = page.evaluate(STATE)[0]
    assert (state["words"], state["picture"], state["chosen"]) == (True, "matrix", False)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_model_of_the_hub_in_a_link_is_looked_up_and_not_loaded(open_page, app_url, served, copy):
    served.add("org/linked", copy())
    page = open_page(address=f"{app_url}?model=org/linked#text=Some+words.")
    expect(page.get_by_test_id("card-name")).to_have_text("org/linked")
    expect(page.get_by_test_id("card-size")).to_contain_text("to download")
    expect(page.get_by_test_id("link-note")).to_have_text("The link brought a text: press Run to explain it.")


def test_a_text_too_long_is_told_and_a_link_that_cannot_be_copied_can_be_selected(page):
    page.locator("#text textarea").fill("word " * 2000)
    page.get_by_test_id("share").click()
    page.get_by_test_id("share-copy-text").click()
    expect(page.get_by_test_id("share-said")).to_contain_text("up to 8,000 are taken: export a bundle instead")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.get_by_test_id("share-copy").click()
    expect(page.get_by_test_id("share-link")).to_have_value(re.compile(r"\?model=snli$"))


def test_a_bundle_reopens_with_another_visitor(open_page, tmp_path):
    page = open_page()
    page.locator("#text textarea").fill("A man plays the violin.")
    page.locator("#pair textarea").fill("Somebody makes music.")
    page.locator("#run").click()
    page.wait_for_function("__attattr.heatmaps.run.meta.status === 'done'", timeout=120_000)
    change_view(page)
    page.get_by_test_id("tree-export").click()
    with page.expect_download() as download:
        page.get_by_test_id("tree-export-zip").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "attattr-snli.zip"

    other = open_page()
    other.get_by_test_id("cell-1-1").click()
    with other.expect_file_chooser() as chooser:
        other.locator("#open").click()
    chooser.value.set_files(path)
    expect(other.get_by_role("tab", name="Tree")).to_have_attribute("aria-selected", "true")
    expect(other.get_by_test_id("tree-edges")).to_have_value("24")
    other.wait_for_function("__attattr.heatmaps.run.id !== 'first' && __attattr.tree.message.run !== 'first'")
    shown = "JSON.stringify(document.querySelector('.aa-tree').attattr.shown())"
    assert other.evaluate(shown) == page.evaluate(shown)
    expect(other.locator("#text textarea")).to_have_value("A man plays the violin.")
    expect(other.locator("#pair textarea")).to_have_value("Somebody makes music.")
    for one in (page, other):
        open_tab(one, "Heatmaps")
        expect(one.get_by_test_id("selection")).to_have_text("layer 3 · head 5")
        one.wait_for_function(READY)
    maps = [json.dumps(one.evaluate(READY)) for one in (page, other)]
    assert maps[0] == maps[1]
    states = [one.evaluate(STATE)[:2] for one in (page, other)]
    assert states[0] == states[1]
