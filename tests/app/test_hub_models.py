"""Checkpoints of a Hub through the real app and its Python client, and who may name what."""

import json
import logging
import re
import shutil
import threading
import time

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from hub.conftest import edit
from safetensors.torch import load_file, save_file

from attattr_core import UserError, load_checkpoint
from attattr_core.hub import HubLimits
from attattr_core.ui import Models
from attattr_core.ui.labels_panel import use_names
from attattr_core.ui.model_picker import describe_choice, inspect, look_up, show_choice
from attattr_core.ui.running import run_attribution

DEFAULTS = ("predicted", "probability", "zero", "to a tolerance", 0.01, 64, "automatic")
FIXED = ("predicted", "probability", "zero", "fixed nodes", 0.01, 2, "automatic")


@pytest.fixture
def client(app_url, served):
    return Client(app_url, verbose=False)


def read(value):
    return json.loads(value) if isinstance(value, str) and value else None


def run(client, model, text="A quiet film.", pair="", settings=FIXED):
    view, status, *_ = client.predict(model, text, pair, *settings, api_name="/page_run")
    return read(view), (read(status) or {"text": ""})["text"]


def load(client, model):
    job = client.submit(model, api_name="/page_load")
    job.result(timeout=120)
    return [(read(status), read(card)) for status, card in job.outputs()]


def test_a_model_is_loaded_and_then_run_like_an_embedded_one(client, served, tiny):
    sha = served.add("org/tiny", tiny, pause=0.05).refs["main"]
    message, sentence = run(client, "org/tiny")
    assert (message, sentence) == (None, "'org/tiny' is not downloaded yet: press Load first.")
    steps = load(client, "org/tiny")
    done = [card["progress"][0] for _, card in steps if card["progress"]]
    assert done == sorted(done)
    assert len(done) > 1
    last = steps[-1][1]
    assert (last["name"], last["revision"], last["labels"]) == ("org/tiny", sha[:7], ["no", "yes"])
    assert last["url"] == f"{served.url}/org/tiny/tree/{sha}"
    assert "in the cache" in last["size"]
    message, sentence = run(client, "org/tiny")
    assert sentence == ""
    assert (message["model"], message["revision"], message["labels"]) == ("org/tiny", sha, ["no", "yes"])
    assert message["status"] == "done"


def test_a_download_leaves_a_line_in_the_log(client, served, tiny, caplog):
    caplog.set_level(logging.INFO, "attattr_core.jobs")
    size = (tiny / "model.safetensors").stat().st_size
    model = served.add("org/tiny", tiny, cuts={"model.safetensors": [size // 2, *[0] * 20]})
    with pytest.raises(AppError, match="broke off"):
        load(client, "org/tiny")
    model.cuts.clear()
    load(client, "org/tiny")
    load(client, "org/tiny")  # nothing has to be downloaded
    lines = [line for line in caplog.messages if line.startswith("download")]
    assert len(lines) == 2
    assert re.fullmatch(r"download, org/tiny, broken off, \d+\.\d s, refused", lines[0])
    assert re.fullmatch(r"download, org/tiny, 0\.\d MB, \d+\.\d s, done", lines[1])


@pytest.mark.parametrize("form", ["org/tiny@v1", "{url}/org/tiny/tree/v1", "old/name@v1"])
def test_revisions_addresses_and_renamed_models(client, served, tiny, form):
    model = served.add("org/tiny", tiny, ref="v1")
    served.add("old/name", tiny, renamed_to="org/tiny")
    name = form.format(url=served.url)
    card = load(client, name)[-1][1]
    assert (card["name"], card["revision"]) == ("org/tiny", model.refs["v1"][:7])
    assert ("is called 'org/tiny' on the Hub now" in card["notice"]) == form.startswith("old")
    assert run(client, name)[0]["revision"] == model.refs["v1"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("org/missing", "There is no model 'org/missing' on the Hub"),
        ("org/gated", "'org/gated' is gated"),
        ("../../etc", "There is no checkpoint|etc"),
        ("", "names no model"),
    ],
)
def test_a_refusal_is_one_sentence_and_the_app_works_on(client, served, tiny, name, sentence):
    served.add("org/gated", tiny, gated=True)
    with pytest.raises(AppError, match=sentence):
        load(client, name)
    message, said = run(client, name)
    assert message is None
    assert sentence.split("|")[0] in said
    assert run(client, "sst2")[0]["status"] == "done"


def test_a_download_does_not_hold_up_a_run(client, served, tiny, app_url):
    served.add("org/slow", tiny, pause=0.5)
    run(client, "sst2")
    slow = Client(app_url, verbose=False).submit("org/slow", api_name="/page_load")
    time.sleep(0.5)
    assert run(client, "sst2")[0]["status"] == "done"
    assert not slow.done()
    slow.result(timeout=120)


def test_a_run_stays_pinned_while_the_branch_moves_on(client, served, tiny, copy):
    sha = served.add("org/tiny", tiny).refs["main"]
    load(client, "org/tiny")
    served.add("org/tiny", copy(id2label={"0": "other", "1": "else"}))
    assert run(client, "org/tiny")[0]["revision"] == sha


def test_two_who_load_the_same_at_once_share_it(app_url, served, tiny):
    served.add("org/tiny", tiny, pause=0.05)
    clients = [Client(app_url, verbose=False) for _ in range(2)]
    threads = [threading.Thread(target=load, args=(one, "org/tiny")) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("model.safetensors" in path for path in served.list_paths("/cdn/")) == 1
    assert all(run(one, "org/tiny")[0]["status"] == "done" for one in clients)


# ------------------------------------------------------------------------------------------ label names, one's own


def prepare(models, name):
    choice = models.find(name)
    *_, status = inspect(models, choice)
    return choice, read(status)


@pytest.fixture
def unnamed(tmp_path):
    """A folder with the embedded sentiment checkpoint, whose classes nobody named."""
    import shutil

    from attattr_core.checkpoints.catalog import find_folder

    folder = tmp_path / "unnamed"
    shutil.copytree(find_folder("sst2"), folder)
    edit(folder / "config.json", id2label={"0": "LABEL_0", "1": "LABEL_1"}, label2id=None)
    return folder


def test_missing_names_are_pointed_out_and_proposed_with_evidence(unnamed):
    models = Models(folders=True)
    choice, status = prepare(models, unnamed)
    assert status["text"] == "The label names of unnamed need a look: see Labels."
    card, _target, fold, report, field = show_choice(models, choice, {}, "predicted")
    assert read(card)["labels"] == ["LABEL_0", "LABEL_1"], "nothing is renamed before somebody says so"
    assert fold["open"] is True
    assert field["value"] == "negative\npositive"
    report = read(report)
    assert "says nothing" in report["findings"][0]
    assert (report["proposal"]["task"], report["proposal"]["confidence"]) == ("sentiment", "sure")
    texts, expected, probabilities, matches = report["proposal"]["evidence"][0]
    assert expected in ("negative", "positive")
    assert len(texts) == 1
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert matches is True


def test_weights_that_cannot_be_read_are_one_sentence(unnamed):
    weights = unnamed / "model.safetensors"
    weights.write_bytes(b"\xff" * 8 + weights.read_bytes()[8:])
    _, status = prepare(Models(folders=True), unnamed)
    assert status["kind"] == "error"
    assert "unnamed" in status["text"]


def test_names_belong_to_the_visitor_who_gave_them(unnamed):
    models = Models(folders=True)
    choice, _ = prepare(models, unnamed)
    settings = FIXED[1:]
    mine = use_names(models, choice, {}, "bad\ngood", None, "LABEL_1")
    assert mine[4] == "good", "the explained class stays explained"
    for names, expected in ((mine[1], ("bad", "good")), ({}, ("LABEL_0", "LABEL_1"))):
        assert models.find_labels(choice, names) == expected
        *_, last = run_attribution(models, str(unnamed), "Fine.", "", expected[1], *settings, choice, names)
        assert last[2].result.labels == expected
        assert read(last[0])["labels"] == list(expected)
        assert last[2].result.target == 1
    view, session = use_names(models, choice, {}, "down\nup", last[2], "predicted")[2:4]
    assert read(view)["labels"] == ["down", "up"], "a result that is shown gets the names too"
    assert session.result.labels == ("down", "up")
    assert read(view)["run"] == last[2].run
    back = use_names(models, choice, mine[1], None, session, "predicted")
    assert back[1] == {}
    assert back[3].result.labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize("text", ["one", "a\nb\nc", "same\nSame", "", "x" * 81 + "\ny", "predicted\nother"])
def test_names_that_do_not_fit_are_one_sentence(unnamed, text):
    models = Models(folders=True)
    choice, _ = prepare(models, unnamed)
    status, *rest = use_names(models, choice, {}, text, None, "predicted")
    assert read(status)["kind"] == "error"
    assert all(isinstance(part, dict) for part in rest), "nothing else changes"


def test_a_checked_order_that_contradicts_the_names_is_said(unnamed):
    edit(unnamed / "config.json", id2label={"0": "positive", "1": "negative"}, label2id={"positive": 0, "negative": 1})
    models = Models(folders=True)
    choice, status = prepare(models, unnamed)
    assert status is None
    *_, status = inspect(models, choice, probes=True)
    assert "need a look" in read(status)["text"]
    assert "as if its classes were negative, positive" in models.reports[choice.key].proposal.suspicion


def test_the_curated_order_is_compared(served, unnamed):
    name = "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
    edit(unnamed / "config.json", id2label={"0": "POSITIVE", "1": "NEGATIVE"}, label2id={"POSITIVE": 0, "NEGATIVE": 1})
    served.add(name, unnamed)
    load_checkpoint(name, device="cpu")
    models = Models()
    choice, status = prepare(models, name)
    assert "need a look" in status["text"]
    assert "the order known for this checkpoint is negative, positive" in models.reports[choice.key].findings[0]
    assert "SST-2" in read(describe_choice(models, choice))["curated"]


# --------------------------------------------------------------------------------------------- what may be named


def test_folders_are_for_the_owner_of_the_machine_only(served, unnamed, monkeypatch):
    assert Models(folders=True).find(str(unnamed)).description.name == "unnamed"
    monkeypatch.chdir(unnamed.parent)
    for name in (str(unnamed), str(unnamed.parent / "nothing")):
        with pytest.raises(UserError, match="There is no checkpoint"):
            Models().find(name)
    for name in ("unnamed", "nothing"):
        with pytest.raises(UserError, match=f"There is no model '{name}' on the Hub"):
            Models().find(name)


def test_limits_hold(served, tiny, copy):
    served.add("org/tiny", tiny)
    for limits, sentence in (
        (HubLimits(max_bytes=1000), "more than the limit"),
        (HubLimits(offline=True), "not asked in offline mode"),
        (HubLimits(curated_only=True), "not among the models that may be used here"),
    ):
        status, *_ = list(look_up(Models(limits), "org/tiny", None, {}))[-1]
        assert sentence in read(status)["text"]


def test_a_refusal_keeps_the_former_choice(served):
    models = Models()
    before = models.find("sst2")
    *_, (status, choice, card) = look_up(models, "org/missing", before, {})
    assert read(status)["kind"] == "error"
    assert read(card)["refused"] is True
    assert read(card)["name"] == "sst2"
    assert choice == {"__type__": "update"}


def test_the_list_offers_embedded_and_curated_models():
    values = [value for _, value in Models().list_choices()]
    assert values[:2] == ["sst2", "snli"]
    assert "gchhablani/bert-base-cased-finetuned-mnli" in values


@pytest.mark.parametrize(
    ("changes", "kind", "n"),
    [
        ({"num_labels": 1, "problem_type": "regression"}, "regression", 1),
        ({"num_labels": 1}, "sigmoid", 1),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, "multi-label", 3),
    ],
)
def test_other_heads_say_what_they_give(tmp_path, changes, kind, n):
    from transformers import BertConfig, BertForSequenceClassification
    from unit.random_models import build_tokenizer

    tokenizer = build_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    config.update(changes)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "head")
    tokenizer.save_pretrained(tmp_path / "head")
    models = Models(folders=True)
    choice, status = prepare(models, tmp_path / "head")
    *_, last = run_attribution(models, str(tmp_path / "head"), "film", "", *FIXED, choice, {})
    message = read(last[0])
    assert message["output_kind"] == kind
    assert message["function"] == ("value" if kind == "regression" else "probability")
    assert len(message["probabilities"]) == n
    assert (status is None) == (kind == "regression"), "a value has no classes to be confused"


def test_a_model_that_fails_at_every_text_is_a_sentence(tiny, tmp_path, caplog):
    folder = tmp_path / "lame"
    shutil.copytree(tiny, folder)
    edit(folder / "config.json", type_vocab_size=1)
    weights = load_file(folder / "model.safetensors")
    key = "bert.embeddings.token_type_embeddings.weight"
    save_file(weights | {key: weights[key][:1].clone()}, folder / "model.safetensors", metadata={"format": "pt"})
    models = Models(folders=True)
    for pair, sentence in (("", ""), ("B", "'lame' could not be run on this text: ")):
        *_, (_, status, _) = run_attribution(models, str(folder), "A", pair, *FIXED)
        assert (read(status) or {"text": ""})["text"].startswith(sentence)
    assert "IndexError" in caplog.text
