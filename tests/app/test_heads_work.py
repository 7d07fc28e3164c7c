"""Heads that are ranked and pruned for the page: which examples, and what the visitor is told of them."""

import json

import gradio as gr
import pytest

from attattr_core.datasets import Example, ExampleSet
from attattr_core.settings import Settings
from attattr_core.ui import Models, heads_smaller
from attattr_core.ui.data_choice import DataChoice
from attattr_core.ui.heads_measure import _measure, ask_to_measure
from attattr_core.ui.heads_payload import Shelf, show_shipped
from attattr_core.ui.heads_request import Request
from attattr_core.ui.long_work import Desk


@pytest.fixture(scope="module")
def choice():
    return Models().find("sst2")


def measure(choice, *, n_all, n_ranking, text="a fine film"):
    texts = tuple(Example(f"{text} {k}", None, k % 2) for k in range(n_all))
    examples = ExampleSet(texts, ("negative", "positive"), (), "mine.tsv", f"{text} {n_all}", 0)
    request = Request(("taylor",), n_ranking, 4, ("least-first",), 0, False, Settings())
    *_, last = _measure(choice, examples, request)
    assert last.status == "done"
    return last


def test_curves_are_measured_on_examples_that_ranked_no_heads(choice):
    apart = measure(choice, n_all=8, n_ranking=4)
    assert (apart.study.data, apart.study.n_examples, apart.notice) == ("mine.tsv (unseen)", 4, "")
    shared = measure(choice, n_all=6, n_ranking=4)
    assert (shared.study.data, shared.study.n_examples) == ("mine.tsv", 4)
    assert shared.notice.endswith("ranked the heads too, which flatters them: 4 of the 6 did.")


def test_texts_that_were_cut_are_counted(choice, monkeypatch):
    monkeypatch.setattr("attattr_core.engine.encoding.MAX_TOKENS", 24)
    for _ in range(2):  # the second time the importance is known
        message = json.loads(measure(choice, n_all=5, n_ranking=1, text="film " * 30).build_message())
        ranking, curves = message["notice"].split(" Of ")
        assert ranking.startswith("Of the data that rank the heads, 1 of the 1 texts was longer")
        assert curves.startswith("the data of the curves, 4 of the 4 texts were longer")


def test_one_measurement_is_asked_for_at_a_time_with_the_data_of_its_press():
    desk, begun = Desk(), []

    def begin(data):
        begun.append(data)
        yield from range(2)

    assert list(desk.answer(begin, "a program's")) == [0, 1]
    assert desk.ask("the press's")
    with pytest.raises(gr.Error, match="press Stop to end it"):
        ask_to_measure("another", desk)
    assert list(desk.answer(begin, "of later")) == [0, 1]
    assert begun == ["a program's", "the press's"]
    assert desk.ask("another")
    desk.end()
    assert list(desk.answer(begin, "ended before its turn")) == []
    assert desk.ask("free again")


def test_the_file_of_a_smaller_model_stays_when_it_was_handed_over_and_only_then(choice, tmp_path, monkeypatch):
    monkeypatch.setattr(heads_smaller, "get_upload_folder", lambda: str(tmp_path))
    monkeypatch.setattr(heads_smaller, "_MOST_EXAMPLES", 4)
    shelf = Shelf(show_shipped(choice.key, "sst2"))
    asked = {"run": shelf.shown.run, "method": "attattr", "direction": "least-first", "n": 20}

    def save():
        data = DataChoice("embedded", "sst2")
        return heads_smaller.save_smaller_model(Models(), "sst2", data, choice, None, shelf, Desk(), asked)

    stopped = save()
    assert any(isinstance(file, gr.File) for *_, file in stopped), "the stop comes before a visitor has it"
    assert list(tmp_path.rglob("*.zip"))
    stopped.close()
    assert list(tmp_path.iterdir()) == []
    assert isinstance(list(save())[-1][-1], gr.File)
    assert [path.name for path in tmp_path.rglob("*.zip")] == ["sst2-without-20-heads.zip"]
