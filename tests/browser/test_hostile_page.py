"""Whatever strangers put into texts, labels, files, data and links is text in a real browser: none of it runs.

Each payload would set a flag of the window, or ask another machine for something; the fixture `open_page` fails where a
request leaves this machine, a dialog opens, or an error occurs.
"""

import json
from dataclasses import replace
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import expect
from samples import make_attribution
from trigger_samples import make_set, make_study

from attattr_core import save_attribution
from attattr_core.bundle import dump_bundle
from attattr_core.heads.study_files import dump_study as dump_heads
from attattr_core.triggers.study_files import dump_study
from attattr_core.ui.heads_payload import load_shipped
from attattr_core.ui.link import FIELDS
from tests.browser.test_model_picker import name_model
from tests.browser.test_page import choose, open_file
from tests.browser.test_triggers_tab import upload

PAYLOADS = (
    "<img src=x onerror=window.hacked=1>",
    "<script>window.hacked=2</script>",
    "${window.hacked=3}",
    "{{window.hacked=4}}",
    "{{constructor.constructor('window.hacked=5')()}}",
    '"><svg onload=window.hacked=6>',
    "' onmouseover=window.hacked=7 x='",
    "javascript:window.hacked=8",
    "[a](javascript:window.hacked=9) ![b](https://evil.example/b.png)",
    "<iframe srcdoc='<script>parent.hacked=10</script>'>",
    "<style>@import 'https://evil.example/c.css';</style>",
    "</script><script>window.hacked=11</script>",
    "<a href=javascript:window.hacked=12>d</a>",
)
ALL = " ".join(PAYLOADS)
#: The same as words of an address, each as long as is taken.
GROUPS = tuple(" ".join(PAYLOADS[start : start + n]) for start, n in ((0, 5), (5, 4), (9, 4)))
KEYS = ("__proto__", "constructor", "toString", *GROUPS)
TABS = ("Heatmaps", "Tree", "Heads", "Triggers", "About")
#: Pictures fail one after the other: when a new one has failed, those that were there before it have as well.
SETTLE = "() => new Promise(done => { const last = new Image(); last.onerror = done; last.src = 'x' + Math.random(); })"
FIND_MADE = """() => [...document.querySelectorAll("*")].filter(made =>
  [...made.attributes].some(({ name, value }) => /^(on|src|href|action|style|xlink)/.test(name)
    && /hacked|evil/.test(value))
  || (["SCRIPT", "STYLE", "IFRAME"].includes(made.tagName) && /hacked=|evil/.test(made.textContent))
).map(made => made.outerHTML)"""


def check_harmless(page):
    """Nothing of the payloads ran, and no element was made of them."""
    page.evaluate(SETTLE)
    assert page.evaluate("window.hacked") is None
    assert page.evaluate(FIND_MADE) == []
    assert page.evaluate("({}).hacked") is None
    assert page.evaluate("Object.prototype.toString.call({})") == "[object Object]"
    assert page.title() == "AttAttr Explorer"


def look_everywhere(page):
    """Opens every tab, points at what stands there, and goes back to the first one."""
    for name in (*TABS, TABS[0]):
        tab = page.get_by_role("tab", name=name)
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        check_harmless(page)


def wait_for_run(page, before):
    page.wait_for_function(
        """before => __attattr.heatmaps.run?.id !== before
        && !document.querySelector('[data-testid=progress]')?.textContent
        && document.querySelector('[data-testid=bar-device]')?.textContent""",
        arg=before,
        timeout=120_000,
    )


def run(page):
    before = page.evaluate("__attattr.heatmaps.run.id")
    page.locator("#run").click()
    wait_for_run(page, before)


def test_the_payloads_would_be_noticed(page):
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", PAYLOADS[0])
    with pytest.raises(AssertionError):
        check_harmless(page)


def test_texts(page):
    choose(page, "model", "sst2")
    page.locator("#text textarea").fill(ALL)
    page.locator("#pair textarea").fill(ALL)
    run(page)
    page.get_by_test_id("picture-arcs").check(force=True)
    page.get_by_test_id("words").set_checked(False)
    look_everywhere(page)
    page.get_by_role("tab", name="Triggers").click()
    expect(page.get_by_test_id("trial-words")).to_contain_text("<img")
    page.get_by_test_id("trial-own").fill(PAYLOADS[0])
    page.get_by_test_id("trial-add").click()
    check_harmless(page)


def test_labels_of_a_checkpoint(page, served, copy):
    names = dict(enumerate((ALL, PAYLOADS[0])))
    served.add("org/hostile", copy(id2label=names, label2id={name: index for index, name in names.items()}))
    name_model(page, "org/hostile")
    expect(page.get_by_test_id("card-labels")).to_contain_text(PAYLOADS[0])
    page.locator("#text textarea").fill("A good film.")
    page.locator("#pair textarea").fill("")
    run(page)
    expect(page.get_by_test_id("bar-labels")).to_contain_text(PAYLOADS[0])
    page.locator("#labels > button").click()
    page.locator("#check-names").click()
    expect(page.get_by_test_id("labels-proposal")).to_be_visible()
    page.locator("#target input").click()
    expect(page.get_by_role("option", name=PAYLOADS[0]).first).to_be_visible()
    page.keyboard.press("Escape")
    look_everywhere(page)


def make_hostile_result():
    """A result whose every text is a payload."""
    return replace(
        make_attribution(n_layers=4),
        tokens=PAYLOADS[:8],
        word_labels=PAYLOADS[4:8],
        texts=(ALL, PAYLOADS[0]),
        labels=PAYLOADS[:2],
        model=PAYLOADS[0],
        revision=PAYLOADS[1],
        notice=ALL,
    )


@pytest.mark.parametrize("name", ["result.npz", "result.json", "<img src=x onerror=window.hacked=0>.zip"])
def test_opened_results(page, tmp_path, name):
    result, path = make_hostile_result(), tmp_path / name
    if name.endswith(".zip"):
        words = dict.fromkeys(("tab", "picture", "flow", "layer", "tree", "method", "unheard-of"), PAYLOADS[2])
        path.write_bytes(dump_bundle(result, view=words, pictures={}))
    else:
        save_attribution(result, path)
    before = page.evaluate("__attattr.heatmaps.run.id")
    open_file(page, path)
    page.wait_for_function("before => __attattr.heatmaps.run?.id !== before", arg=before)
    expect(page.get_by_test_id("bar-source")).to_contain_text(PAYLOADS[0])
    expect(page.get_by_test_id("bar-labels")).to_contain_text(PAYLOADS[1])
    expect(page.get_by_test_id("notice")).to_contain_text(PAYLOADS[2])
    for checked in (True, False):
        page.get_by_test_id("words").set_checked(checked)
        page.get_by_test_id("plate-attribution").hover()
        check_harmless(page)
    page.get_by_test_id("picture-arcs").check(force=True)
    look_everywhere(page)
    page.get_by_role("tab", name="Tree").click()
    page.wait_for_function("document.querySelector('.aa-tree')?.attattr?.shown()")
    page.get_by_test_id("tree-edges").fill("40")
    for edge in page.locator(".aa-tree-edge").all()[:3]:
        edge.hover(force=True)
    assert PAYLOADS[1] in page.locator(".aa-tree").first.text_content()
    check_harmless(page)


def test_a_result_without_its_output_is_shown(page, tmp_path):
    unknown = np.full(4, np.nan)
    result = replace(make_attribution(n_layers=4), output=np.nan, baseline_output=unknown, convergence_delta=unknown)
    save_attribution(result, tmp_path / "result.json")
    open_file(page, tmp_path / "result.json")
    expect(page.get_by_test_id("bar-explained")).to_contain_text("unknown")
    look_everywhere(page)


def test_files_that_are_refused(page, tmp_path):
    path = tmp_path / "<img src=x onerror=window.hacked=0>.json"
    path.write_text(json.dumps({"format": "attattr-attribution", "version": ALL}))
    open_file(page, path)
    expect(page.get_by_test_id("status")).to_contain_text("window.hacked=0")
    name_model(page, PAYLOADS[0])
    expect(page.get_by_test_id("status").or_(page.get_by_test_id("card")).first).to_be_visible()
    page.wait_for_function("text => document.body.innerText.includes(text)", arg="is no name that the Hub allows")
    check_harmless(page)


def test_data_sets(page, tmp_path):
    rows = [{"text": payload, "label": PAYLOADS[number % 2]} for number, payload in enumerate(PAYLOADS)]
    good, bad = tmp_path / "<b>data.jsonl", tmp_path / "<b>bad.csv"
    good.write_text("\n".join(map(json.dumps, rows)))
    bad.write_text(f"{PAYLOADS[0]},{PAYLOADS[2]}\na,b\n")
    for tab, fold, prefix in (("Heads", "heads-fold", "heads"), ("Triggers", "triggers-own", "triggers-mining")):
        page.get_by_role("tab", name=tab).click()
        page.locator(f"#{fold} > button").click()
        upload(page, prefix, good)
        expect(page.locator(f"#{prefix}-data").get_by_test_id("data-rows")).to_contain_text(PAYLOADS[1])
        expect(page.locator(f"#{prefix}-data").get_by_test_id("data-counts")).to_contain_text(PAYLOADS[0])
        check_harmless(page)
    upload(page, "triggers-mining", bad)
    expect(page.locator("#triggers-mining-data")).to_contain_text("No text column found")
    expect(page.locator("#triggers-mining-data")).to_contain_text(PAYLOADS[2])
    look_everywhere(page)


@pytest.mark.parametrize("key", KEYS)
def test_studies_of_heads(page, tmp_path, key):
    study = load_shipped("sst2")
    named = [replace(curve, method=key) for curve in study.curves if curve.method == "attattr"]
    importance = replace(next(iter(study.importances.values())), model=ALL[:200], data=ALL[:200], method=key)
    study = replace(
        study, importances={key: importance}, curves=(*named, *study.curves), model=ALL[:200], data=ALL[:200]
    )
    (tmp_path / "study.json").write_text(dump_heads(replace(study, differences=())))
    page.get_by_role("tab", name="Heads").click()
    with page.expect_file_chooser() as chooser:
        page.locator("#heads-open").click()
    chooser.value.set_files(tmp_path / "study.json")
    expect(page.get_by_test_id("heads-source")).to_contain_text("opened from a file")
    assert key in page.locator(".aa-heads").text_content()
    check_harmless(page)


@pytest.mark.parametrize("mode", ["__proto__", GROUPS[0]])
def test_files_of_triggers(page, tmp_path, mode):
    triggers = make_set(mode)
    hostile = tuple(
        replace(one, tokens=("[CLS]", *PAYLOADS[k : k + 3], "[SEP]")) for k, one in enumerate(triggers.triggers)
    )
    triggers = replace(triggers, triggers=hostile, labels=PAYLOADS[:2], model=PAYLOADS[3], data=PAYLOADS[4])
    results = tuple(
        replace(result, trigger=trigger, flips=())
        for result, trigger in zip(make_study().results, hostile, strict=False)
    )
    study = replace(make_study(), results=results, labels=PAYLOADS[:2], model=PAYLOADS[3], data=PAYLOADS[4])
    path = tmp_path / "<img src=x onerror=window.hacked=0>.json"
    path.write_text(dump_study(study, triggers=triggers))
    page.get_by_role("tab", name="Triggers").click()
    page.locator("#triggers-own > button").click()
    with page.expect_file_chooser() as chooser:
        page.locator("#triggers-open").click()
    chooser.value.set_files(path)
    expect(page.get_by_test_id("triggers-source")).to_contain_text("opened from")
    for row in page.get_by_test_id("trigger-row").all():
        row.click()
        check_harmless(page)
    look_everywhere(page)


@pytest.mark.parametrize("payload", GROUPS)
def test_links(open_page, app_url, payload):
    names = (*FIELDS, "tab", "layer", "head", "edges", "picture", "flow", "method", "words", "__proto__", "constructor")
    query = "&".join(f"{name}={quote(payload)}" for name in names)
    page = open_page(address=f"{app_url}?{query}&{quote(payload)}=1#text={quote(payload)}&pair={quote(payload)}")
    expect(page.locator("#text textarea")).to_have_value(payload)
    expect(page.get_by_test_id("link-note")).to_contain_text("press Run")
    check_harmless(page)
    page.evaluate("hash => { location.hash = hash; }", f"text={quote(payload)}%00%ED%A0%80&pair=%")
    expect(page.locator("#text textarea")).not_to_have_value(payload)
    check_harmless(page)
