"""Any checkpoint of a Hub in a real browser: named, looked up, downloaded, stopped, resumed, run, its labels mended."""

import json
import re
import shutil
import time
from threading import Event

import pytest
from hub.conftest import edit
from playwright.sync_api import expect

from attattr_core.checkpoints.catalog import find_folder
from attattr_core.ui import wiring
from tests.browser.test_page import HOSTILE, choose, export, read_shown, wait_until_done

SCRIPT = "<script>alert(5)</script>"


def name_model(page, text):
    """Types into the field and presses Enter, as one who pastes an id."""
    page.locator("#model input").click()
    page.locator("#model input").fill(text)
    page.keyboard.press("Enter")


def name_labels(page, text, before):
    """Replaces the names in the field, once it holds those of the checkpoint."""
    if not page.locator("#label-names textarea").is_visible():
        page.locator("#labels > button").click()
    field = page.locator("#label-names textarea")
    expect(field).to_have_value(before)
    for _ in range(20):  # within some 20 ms of building a field, faster than any hand, Gradio sets its value once more
        field.fill(text)
        page.wait_for_timeout(200)
        if field.input_value() == text:
            break
    page.locator("#use-names").click()


@pytest.fixture
def unnamed(served, tmp_path):
    """The embedded sentiment checkpoint on the Hub, without names of its classes."""
    folder = tmp_path / "unnamed"
    shutil.copytree(find_folder("sst2"), folder)
    edit(folder / "config.json", id2label={"0": "LABEL_0", "1": "LABEL_1"}, label2id=None)
    served.add("org/unnamed", folder)
    return "org/unnamed"


def test_the_page_says_where_it_computes(page):
    expect(page.get_by_test_id("device")).to_have_text(re.compile(r"(CPU, \d+ threads?|.+), float32"))


def test_an_id_is_looked_up_downloaded_and_run(page, served, tiny):
    sha = served.add("org/tiny", tiny).refs["main"]
    before = read_shown(page)["tokens"]
    name_model(page, "org/tiny")
    card = page.get_by_test_id("card")
    expect(card).to_contain_text("org/tiny")
    expect(card).to_contain_text("bert · BertForSequenceClassification")
    expect(card).to_contain_text("labels: no, yes")
    expect(page.get_by_test_id("card-size")).to_have_text(re.compile(r"\d\.\d MB to download"))
    link = page.get_by_test_id("card-revision")
    expect(link).to_have_text(f"@ {sha[:7]}")
    assert link.get_attribute("href") == f"{served.url}/org/tiny/tree/{sha}"
    assert read_shown(page)["tokens"] == before, "the result stays until there is another"
    assert not any("safetensors" in path for path in served.list_paths("/cdn/")), (
        "nothing large is fetched before somebody asks"
    )
    page.locator("#text textarea").fill("Wonderful acting.")
    page.locator("#run").click()
    expect(page.get_by_test_id("bar-source")).to_contain_text(f"org/tiny @ {sha[:10]}")
    expect(page.get_by_test_id("card-size")).to_have_text(re.compile(r"\d\.\d M parameters, in memory"))
    page.locator("#target input").click()
    assert [option.inner_text().split()[-1] for option in page.get_by_role("option").all()] == [
        "predicted",
        "no",
        "yes",
    ]


def test_a_download_shows_progress_is_stopped_and_goes_on(page, served, tiny):
    served.add("org/slow", tiny, pause=0.4)
    name_model(page, "org/slow")
    page.locator("#load").click()
    progress = page.get_by_test_id("card-progress")
    expect(progress).to_have_text(re.compile(r"0\.[1-9] of 0\.\d MB, \d+\.\d MB/s"))
    expect(page.locator("#load")).to_be_disabled()
    page.locator("#stop").click()
    expect(page.get_by_test_id("card-size")).to_have_text(
        re.compile(r"0\.\d of 0\.\d MB are here: Load goes on from there")
    )
    expect(page.locator("#load")).to_be_enabled()
    time.sleep(1)
    n_requests = len(served.requests)
    time.sleep(1)
    assert len(served.requests) == n_requests, "nothing goes on behind the page"
    served.models["org/slow"].pause = 0
    page.locator("#load").click()
    expect(page.get_by_test_id("card-size")).to_contain_text("in memory")
    last = {name.lower(): value for name, value in served.requests[-1][2].items()}
    assert re.fullmatch(r"bytes=[1-9]\d*-", last["range"]), "it goes on from where it was stopped"


def test_a_stopped_download_is_not_followed_by_a_run(page, served, tiny):
    served.add("org/slow", tiny, pause=0.4)
    name_model(page, "org/slow")
    expect(page.get_by_test_id("card")).to_contain_text("org/slow")
    page.locator("#run").click()
    expect(page.get_by_test_id("card-progress")).to_be_visible()
    page.locator("#stop").click()
    expect(page.locator("#run")).to_be_enabled()
    page.wait_for_timeout(1500)
    expect(page.get_by_test_id("bar-source")).to_contain_text("snli")
    choose(page, "model", "sst2")
    page.locator("#text textarea").fill("Afterwards everything works.")
    page.locator("#run").click()
    wait_until_done(page, "Afterwards")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("org/missing", "There is no model 'org/missing' on the Hub"),
        ("org/gated", "'org/gated' is gated: accept its terms"),
        ("org/decoder", "is not a sequence classifier"),
        ("org/pickled", "has pickled weights only"),
        (HOSTILE[:60], "no name that the Hub allows"),
    ],
)
def test_a_refusal_keeps_everything_else(page, served, tiny, copy, name, sentence):
    served.add("org/gated", tiny, gated=True)
    served.add("org/decoder", copy("decoder", architectures=["GPT2LMHeadModel"]))
    served.add("org/pickled", copy("pickled", without=("model.safetensors",)))
    before = read_shown(page)["tokens"]
    name_model(page, name)
    expect(page.get_by_test_id("status")).to_contain_text(sentence)
    page.locator("#run").click()
    expect(page.get_by_test_id("status")).to_contain_text(sentence)
    expect(page.locator("#run")).to_be_enabled()
    assert read_shown(page)["tokens"] == before
    page.get_by_test_id("card-back").click()
    expect(page.get_by_test_id("card")).to_contain_text("snli")
    expect(page.get_by_test_id("status")).to_be_hidden()
    page.locator("#text textarea").fill("Nobody minds.")
    page.locator("#run").click()
    wait_until_done(page, "Nobody")


def test_a_hub_that_does_not_answer_is_said_and_the_cache_serves(page, served, tiny, monkeypatch):
    served.add("org/tiny", tiny)
    name_model(page, "org/tiny")
    expect(page.get_by_test_id("card")).to_contain_text("org/tiny")  # no longer the card of the checkpoint before
    page.locator("#load").click()
    expect(page.get_by_test_id("card-size")).to_contain_text("in memory")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    name_model(page, "org/tiny@main")
    expect(page.get_by_test_id("card-notice")).to_contain_text("the copy in the cache is used")
    name_model(page, "org/other")
    expect(page.get_by_test_id("status")).to_contain_text("or use one of the embedded checkpoints sst2, snli")


def test_missing_names_are_proposed_and_used(page, unnamed, tmp_path):
    name_model(page, unnamed)
    page.locator("#text textarea").fill("Dreadful acting.")
    page.locator("#pair textarea").fill("")
    page.locator("#run").click()
    wait_until_done(page, "Dreadful")
    expect(page.get_by_test_id("labels-finding")).to_contain_text("says nothing about its class")
    expect(page.get_by_test_id("labels-proposal")).to_contain_text("Probe (sure)")
    expect(page.get_by_test_id("bar-explained")).to_contain_text("LABEL_0")
    page.get_by_test_id("labels-evidence").locator("summary").click()
    rows = page.get_by_test_id("labels-evidence").locator("tbody tr")
    assert rows.count() >= 10
    expect(rows.first).to_contain_text(re.compile(r"(positive|negative)[01]\.\d\d[01]\.\d\d✓"))
    assert page.locator("#label-names textarea").input_value() == "negative\npositive"
    page.locator("#use-names").click()
    expect(page.get_by_test_id("bar-explained")).to_contain_text("negative")
    expect(page.get_by_test_id("card-labels")).to_have_text("labels (yours): negative, positive")
    assert json.loads(export(page, "json", tmp_path).read_text())["target"] == "negative"
    choose(page, "target", "positive")
    page.locator("#run").click()
    expect(page.get_by_test_id("bar-explained")).to_contain_text("positive")
    wait_until_done(page, "Dreadful")
    page.locator("#reset-names").click()
    expect(page.get_by_test_id("bar-explained")).to_contain_text("LABEL_1")
    expect(page.locator("#target input")).to_have_value("LABEL_1")


def test_label_order_is_checked_on_demand(page):
    choose(page, "model", "sst2")
    expect(page.get_by_test_id("card")).to_contain_text("negative, positive")
    page.locator("#labels > button").click()
    page.locator("#check-names").click()
    expect(page.get_by_test_id("labels-proposal")).to_contain_text("Probe (sure): The model behaves like a classifier")
    expect(page.get_by_test_id("labels-suspicion")).to_have_count(0)


def test_two_visitors_have_names_of_their_own(open_page, unnamed):
    visitors = {("down", "up"): open_page(), ("minus", "plus"): open_page()}
    for names, page in visitors.items():
        name_model(page, unnamed)
        expect(page.get_by_test_id("card")).to_contain_text(unnamed)
        name_labels(page, "\n".join(names), "LABEL_0\nLABEL_1")
        expect(page.get_by_test_id("card-labels")).to_have_text(f"labels (yours): {', '.join(names)}")
        page.locator("#text textarea").fill("Dreadful acting.")
        page.locator("#pair textarea").fill("")
    for page in visitors.values():
        page.locator("#run").click()
    for names, page in visitors.items():
        wait_until_done(page, "Dreadful")
        expect(page.get_by_test_id("bar-labels")).to_contain_text(names[0])
        expect(page.get_by_test_id("bar-explained")).to_contain_text(names[0])
        expect(page.get_by_test_id("card-labels")).to_have_text(f"labels (yours): {', '.join(names)}")


def test_names_given_during_a_run_reach_its_result(page):
    choose(page, "model", "sst2")
    page.locator("#text textarea").fill("slow " * 120)
    page.locator("#pair textarea").fill("")
    page.locator("#labels > button").click()
    page.locator("#run").click()
    expect(page.get_by_test_id("progress")).not_to_be_empty()
    name_labels(page, "down\nup", "negative\npositive")
    wait_until_done(page, "slow")
    expect(page.get_by_test_id("bar-explained")).to_contain_text(re.compile("explained: (down|up)"))


def test_names_taken_at_the_very_end_of_a_run_reach_its_result(page, monkeypatch):
    ended = Event()

    def use_names_late(*arguments):
        values = wiring_use_names(*arguments)  # while it runs, so the result is left to its end
        assert ended.wait(60)
        return values

    def note_the_end(*arguments):
        values = wiring_relabel(*arguments)
        ended.set()
        return values

    wiring_use_names, wiring_relabel = wiring.use_names, wiring.relabel
    monkeypatch.setattr(wiring, "use_names", use_names_late)
    monkeypatch.setattr(wiring, "relabel", note_the_end)
    choose(page, "model", "sst2")
    page.locator("#text textarea").fill("slow " * 120)
    page.locator("#pair textarea").fill("")
    page.locator("#labels > button").click()
    page.locator("#run").click()
    expect(page.get_by_test_id("progress")).not_to_be_empty()
    name_labels(page, "down\nup", "negative\npositive")
    expect(page.get_by_test_id("bar-explained")).to_contain_text(re.compile("explained: (down|up)"), timeout=60_000)


def test_hostile_label_names_are_text(page, served, copy):
    served.add("org/hostile", copy(id2label={"0": HOSTILE, "1": SCRIPT}, label2id={HOSTILE: 0, SCRIPT: 1}))
    name_model(page, "org/hostile")
    expect(page.get_by_test_id("card-labels")).to_contain_text("<img src=x onerror=alert(1)> ${alert(2)} {{constr")
    page.locator("#run").click()
    expect(page.get_by_test_id("bar-source")).to_contain_text("org/hostile")
    page.locator("#labels > button").click()
    page.locator("#check-names").click()
    expect(page.get_by_test_id("labels-proposal")).to_be_visible()
    name_labels(page, f"{HOSTILE[:70]}\n{SCRIPT}", f"{HOSTILE}\n{SCRIPT}")
    expect(page.get_by_test_id("status")).to_contain_text(f"{SCRIPT} in this tab")
    page.locator("#target input").click()
    page.wait_for_timeout(500)
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("[...document.scripts].every(script => !script.textContent.includes('alert('))")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_narrow_screen_holds_card_and_labels(open_page, unnamed, theme):
    page = open_page(theme=theme, width=390)
    name_model(page, unnamed)
    page.locator("#load").click()
    expect(page.get_by_test_id("labels-proposal")).to_be_visible()
    page.get_by_test_id("labels-evidence").locator("summary").click()
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.get_by_test_id("label-report").bounding_box()
    assert box["x"] + box["width"] <= 390


def test_enter_takes_the_id_that_was_typed_and_an_entry_only_where_one_was_chosen(page):
    field = page.locator("#model input")
    field.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("howey/electra-base")  # a listed entry contains it
    page.keyboard.press("Enter")
    expect(field).to_have_value("howey/electra-base")
    expect(page.get_by_test_id("status")).to_contain_text("'howey/electra-base'")
    field.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("sst2")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field).to_have_value(re.compile(r"\w.+sst2"))
