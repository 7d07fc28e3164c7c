"""Words in the visitor's own text: both results stream, what is shown is used again, and nothing asked is trusted."""

import json

import gradio as gr
import numpy as np
import pytest

from attattr_core.ui import Models
from attattr_core.ui.examples import EXAMPLES, FIRST
from attattr_core.ui.long_work import Desk
from attattr_core.ui.running import FIXED, TOLERANCE, find_first_session
from attattr_core.ui.trial import compare_texts, export_trial, open_trial, stop_comparing
from attattr_core.ui.trial_tab import clear_trial, end_trial

FIELDS = ("probability", "zero", TOLERANCE, 0.01, 64, "automatic")
QUICK = ("probability", "zero", FIXED, 0.01, 1, "gauss-legendre")
ASKED = {"insertions": [{"word": "never", "sentence": 0, "gap": 1}]}


@pytest.fixture(scope="module")
def models():
    return Models()


def compare(models, texts, asked=ASKED, *, model="sst2", fields=QUICK, session=None):
    choice = models.find(model)
    return list(compare_texts(models, model, texts, "predicted", fields, choice, {}, session, asked))


def test_a_comparison_that_was_ended_writes_over_nothing(models):
    choice, desk, texts = models.find("sst2"), Desk(), ("A film that ends.", "")
    steps = desk.follow(compare_texts(models, "sst2", texts, "predicted", QUICK, choice, {}, None, ASKED))
    *_, trial = next(steps)
    view, stopped = end_trial(trial, desk)
    assert json.loads(view)["status"] == stopped.status == "stopped"
    assert next(steps, None) is None


def ask(content):
    event = gr.EventData(None, None)
    event._data = content
    return event


def test_both_results_stream_and_are_opened_and_saved(models):
    steps = compare(models, ("A film that <b>ends</b>.", ""))
    messages = [json.loads(view) for view, *_ in steps]
    last, trial = messages[-1], steps[-1][2]
    assert [message["status"] for message in messages] == ["running"] * (len(messages) - 1) + ["done"]
    assert "<" not in steps[-1][0]
    assert last["n_done"] == last["n_total"] == 12
    assert trial.triggered.texts == ("A never film that <b>ends</b>.",)
    assert trial.triggered.target == trial.clean.target == trial.clean.prediction
    assert [token for token, is_new in zip(last["tokens"], last["inserted"], strict=True) if is_new] == ["never"]
    change = np.abs(trial.compare().difference).max((2, 3))
    np.testing.assert_allclose(last["head_change"], change, atol=1e-6)

    for which, text in (("clean", trial.clean.texts), ("triggered", trial.triggered.texts)):
        _, _, session, tabs = open_trial(trial, {"run": trial.run, "which": which, "tab": "tree"})
        assert (session.result.texts, session.status, tabs.selected) == (text, "done", "tree")
    for asked in ({"run": "x", "which": "clean"}, {"run": trial.run, "which": "spans"}, {"run": trial.run, "tab": "x"}):
        assert json.loads(open_trial(trial, asked)[1])["text"]
    for file_format in ("csv", "json", "svg"):
        download, status = export_trial(trial, ask({"run": trial.run, "format": file_format, "layer": 2, "head": None}))
        assert status == ""
        assert json.loads(download)["name"] == f"attattr-sst2-difference-layer3.{file_format}"
    for wrong in ({"layer": 6}, {"format": "exe"}, {"run": "x"}):
        assert json.loads(export_trial(trial, ask({"run": trial.run, "format": "csv", **wrong}))[1])["text"]


def test_the_result_that_is_shown_is_used_again(models):
    model, *texts = EXAMPLES[FIRST]
    session = find_first_session()
    first = next(
        json.loads(view)["n_done"]
        for view, *_ in compare_texts(
            models, model, tuple(texts), "predicted", FIELDS, models.find(model), {}, session, ASKED
        )
        if "n_done" in json.loads(view)
    )
    assert first == session.result.n_layers


def test_words_beyond_the_cut_are_told_and_not_compared(models, monkeypatch):
    monkeypatch.setattr("attattr_core.engine.encoding.MAX_TOKENS", 8)
    texts = ("A film that never ends, or so it seems.", "")
    asked = {"insertions": [{"word": "never", "sentence": 0, "gap": 9}]}
    view, status, _ = compare(models, texts, asked)[-1]
    assert json.loads(view)["status"] == "refused"
    assert "takes 8 tokens of this text, and the inserted 'never' would stand beyond" in json.loads(status)["text"]
    assert json.loads(view)["reason"] == json.loads(status)["text"]
    *_, (view, status, trial) = compare(models, texts)  # at its beginning
    assert (json.loads(view)["status"], status) == ("done", "")
    assert trial.compare().inserted.count(True) == 1


def test_the_comparison_of_another_checkpoint_is_cleared(models):
    *_, trial = next(iter(compare(models, ("A film.", ""))))
    desk = Desk()
    assert clear_trial(models.find("snli"), trial, desk) == ("", None)
    skipped = (gr.skip(), gr.skip())
    assert clear_trial(models.find("sst2"), trial, desk) == skipped
    assert clear_trial(models.find("snli"), None, desk) == skipped


def test_a_stop_keeps_the_layers_of_both(models):
    work = compare_texts(models, "sst2", ("A film.", ""), "predicted", QUICK, models.find("sst2"), {}, None, ASKED)
    trial = next(trial for *_, trial in work if getattr(trial, "triggered", None) is not None)
    work.close()
    view, stopped = stop_comparing(trial)
    assert json.loads(view)["status"] == stopped.status == "stopped"
    assert json.loads(stop_comparing(stopped)[0])["status"] == "refused"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (None, "reload"),
        ({"insertions": []}, "0 words"),
        ({"insertions": [{"word": "x", "sentence": 1, "gap": 0}]}, "sentence B that is empty"),
        ({"insertions": [{"word": "", "sentence": 0, "gap": 0}]}, "cannot be inserted"),
        ({"insertions": [{"word": "x" * 999, "sentence": 0, "gap": 0}]}, "200 characters"),
        ({"insertions": [{"word": "x", "sentence": 0, "gap": 0}] * 99}, "99 words"),
    ],
)
def test_what_the_page_asks_is_not_trusted(models, asked, sentence):
    (only,) = compare(models, ("A film.", ""), asked)
    assert sentence in json.loads(only[1])["text"]
    assert json.loads(only[0])["status"] == "refused"
