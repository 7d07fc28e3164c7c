"""Mine, Evaluate, Transfer, Stop and files of the triggers tab, with the embedded checkpoint and a few examples."""

import base64
import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import gradio as gr
import pytest
from trigger_samples import make_set, make_study

from attattr_core.hub import find_snapshot
from attattr_core.triggers.files import load_triggers, save_triggers
from attattr_core.triggers.study_files import save_study
from attattr_core.ui import Models
from attattr_core.ui.data_choice import DataChoice
from attattr_core.ui.data_picker import read_choice
from attattr_core.ui.long_work import Desk
from attattr_core.ui.triggers_exports import export_triggers
from attattr_core.ui.triggers_measure import evaluate_shown, mine_data
from attattr_core.ui.triggers_request import Wanted
from attattr_core.ui.triggers_shown import fill, find_shown, forget_own, open_file, stop_work, use_flip
from attattr_core.ui.triggers_work import EvaluationJob, MiningJob
from attattr_core.ui.triggers_work import evaluate as evaluate_part
from attattr_core.ui.triggers_work import mine as mine_part

MINED = """sentence\tlabel
Nobody in this film is ever worth watching for a minute.\tnegative
A wonderful and moving story that never lets go of you.\tpositive
"""
EVALUATED = """sentence\tlabel
A dull, lifeless film.\tnegative
Warm, funny and honest.\tpositive
It never finds a story to tell.\tnegative
The best film of the year.\tpositive
"""


@pytest.fixture(scope="module")
def models():
    return Models()


@pytest.fixture
def data(tmp_path):
    """Two files of examples, as a visitor has chosen them."""

    def choose(name, text):
        path = tmp_path / f"{name}.tsv"
        path.write_text(text, encoding="utf-8")
        return DataChoice("file", path.name, str(path))

    return choose("mined", MINED), choose("evaluated", EVALUATED)


@pytest.fixture
def wanted(data):
    return Wanted(*data, "paper", 2, 0, 1, 2)


@pytest.fixture
def second(tmp_path):
    """The same weights as another checkpoint."""
    folder = tmp_path / "copy"
    shutil.copytree(find_snapshot(Models().find("sst2").description), folder)
    return Models(folders=True).find(str(folder))


def mine(models, wanted, *, evaluates=True):
    """The values that the page got, and the choice."""
    choice = models.find("sst2")
    return list(mine_data(models, "sst2", choice, {}, {}, Desk(), wanted, evaluates=evaluates)), choice


def read_status(values):
    return json.loads(values[1])["text"] if values[1] else ""


def read_views(steps):
    return [json.loads(view) for view, *_ in steps if isinstance(view, str)]


def test_mining_and_evaluating_stream_and_end_with_results_that_are_kept(models, wanted, second):
    steps, choice = mine(models, wanted)
    messages = read_views(steps)
    assert {message["status"] for message in messages[:-1]} == {"running"}
    last = messages[-1]
    assert last["status"] == "done"
    assert last["progress"]["n_done"] == last["progress"]["n_total"] == 6
    rows = last["mined"]["paper"]["rows"]
    assert len(rows) == 2
    assert [bool(row["study"]) for row in rows] == [True, False]
    assert last["mined"]["paper"]["study"]["n_by_class"] == [2, 2]
    kept = steps[-1][2]
    assert json.loads(fill(choice, kept))["run"] == find_shown(choice, kept).run

    transferred = list(evaluate_shown(models, "sst2", choice, {}, kept, Desk(), "paper", wanted, second))
    last = read_views(transferred)[-1]["mined"]["paper"]
    assert last["transfer"]["n"] == 4
    assert last["rows"][0]["transfer"]["after"] == last["rows"][0]["study"]["after"]  # the same weights
    same = list(evaluate_shown(models, "sst2", choice, {}, kept, Desk(), "paper", wanted, models.find("sst2")))
    assert "'sst2' is the first checkpoint: choose another" in read_status(same[-1])
    assert len(same) == 1

    event = gr.EventData(None, None)
    for file_format, start in (("csv", b"model,data"), ("json", b"["), ("svg", b"<?xml"), ("png", b"\x89PNG")):
        event._data = {"run": steps[-1][2][choice.key].run, "mode": "paper", "format": file_format, "row": 0}
        download, status = export_triggers(choice, kept, event)
        assert status == ""
        assert base64.b64decode(json.loads(download)["data"]).startswith(start)

    refused = list(evaluate_shown(models, "sst2", choice, {}, kept, Desk(), "paper", wanted, models.find("snli")))
    assert "none of entailment" in read_status(refused[-1])
    asked = {"run": kept[choice.key].run, "mode": "paper", "row": 0, "index": 2}
    assert use_flip(choice, kept, asked) == ("It never finds a story to tell.", "", "")
    assert "no longer" in json.loads(use_flip(choice, kept, {**asked, "run": "other"})[2])["text"]
    assert "changed" in json.loads(use_flip(choice, kept, {**asked, "index": 99})[2])["text"]


def test_what_was_mined_is_never_evaluated_on(models, wanted):
    both = replace(wanted, evaluation=wanted.mining)
    steps, _ = mine(models, both)
    assert len(steps) == 1
    assert "2 of the 2 examples of 'mined.tsv' would be mined too" in read_status(steps[0])
    part = replace(both, n_examples=1, n_seeds=0, drops=True)
    last = read_views(mine(models, part)[0])[-1]
    assert last["status"] == "done"
    assert last["mined"]["paper"]["study"]["n"] == 1
    first, choice = mine(models, wanted, evaluates=False)
    again = list(evaluate_shown(models, "sst2", choice, {}, first[-1][2], Desk(), "paper", both))
    assert "were used for mining" in read_status(again[-1])


def test_a_stop_keeps_what_there_is(models, wanted):
    choice = models.find("sst2")
    desk = Desk()
    work = mine_data(models, "sst2", choice, {}, {}, desk, wanted, evaluates=True)
    kept = next(values[2] for values in work if isinstance(values[0], str))  # else nothing is filled
    view, stopped = stop_work(choice, kept, desk)
    assert json.loads(view)["status"] == stopped[choice.key].status == "stopped"
    assert json.loads(fill(choice, kept))["status"] == "stopped"  # another checkpoint was chosen meanwhile
    assert next(work, None) is None  # what is left behind writes over nothing
    assert stop_work(choice, stopped, desk) == (gr.skip(), gr.skip())
    assert forget_own(choice, stopped, desk)[1] == {}


def test_mining_that_was_stopped_goes_on(models, wanted, tmp_path, monkeypatch):
    monkeypatch.setattr("attattr_core.ui.triggers_measure._SECONDS_BETWEEN_MESSAGES", 0)
    path = tmp_path / "five.tsv"
    path.write_text(EVALUATED + "Funny.\tpositive\n")
    five = replace(wanted, mining=DataChoice("file", path.name, str(path)), n_examples=5)
    choice = models.find("sst2")

    def mine_some():
        return mine_data(models, "sst2", choice, {}, {}, Desk(), five, evaluates=False)

    whole = read_views(mine_some())
    assert [message["progress"]["n_done"] for message in whole] == [0, 1, 5, 5]
    work, first = mine_some(), []
    while not first or first[-1]["progress"]["n_done"] < 1:
        first += read_views([next(work)])
    work.close()
    group = first[-1]["mined"]["paper"]
    assert (group["n"], group["n_wanted"]) == (1, 5)
    group = whole[-1]["mined"]["paper"]
    assert (group["n"], group["n_wanted"]) == (5, 0)
    rest = read_views(mine_some())
    assert rest[0]["progress"]["n_done"] == 1
    assert rest[-1]["mined"]["paper"]["rows"] == whole[-1]["mined"]["paper"]["rows"]
    again = (read_views([values]) for values in mine_some())
    assert next(filter(None, again))[0]["progress"]["n_done"] == 0  # what is finished is not kept


def test_labels_by_index_and_of_one_class_are_read_and_long_texts_told(models, wanted, tmp_path, monkeypatch):
    monkeypatch.setattr("attattr_core.engine.encoding.MAX_TOKENS", 24)
    path = tmp_path / "long.tsv"
    path.write_text("sentence\tlabel\n" + "so dull " * 20 + "\t0\n")
    long = DataChoice("file", path.name, str(path))
    last = read_views(mine(models, replace(wanted, mining=long), evaluates=False)[0])[-1]
    assert last["status"] == "done"
    assert last["mined"]["paper"]["n"] == 1
    (notice,) = last["mined"]["paper"]["notices"]
    assert notice.startswith("The labels of long.tsv are indices, taken in the order negative")
    assert "Of the data to mine, 1 of the 1 texts was longer" in notice
    last = read_views(mine(models, replace(wanted, evaluation=long, n_seeds=0))[0])[-1]
    assert "Of the data to evaluate on, 1 of the 1 texts was longer" in last["mined"]["paper"]["notices"][0]
    assert last["mined"]["paper"]["study"]["n_by_class"] == [1, 0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_examples": None}, "number of examples to mine is 'None'"),
        ({"n_examples": 0}, "whole number from 1"),
        ({"min_tokens": 1.5}, "whole number from 0"),
        ({"n_triggers": 1e9}, "to 500"),
        ({"mode": "magic"}, "'magic'"),
        ({"min_tokens": 500}, "has 500 tokens"),
        ({"mining": None}, "No data are chosen"),
    ],
)
def test_what_cannot_be_mined_is_one_sentence(models, wanted, change, sentence):
    steps, _ = mine(models, replace(wanted, **change))
    assert sentence in read_status(steps[-1])
    assert read_views(steps) == []


def test_there_must_be_triggers_to_evaluate(models, wanted, monkeypatch):
    monkeypatch.setattr("attattr_core.ui.triggers_shown.find_shipped", lambda name: None)
    choice = models.find("sst2")
    assert json.loads(fill(choice, {}))["mined"] == {}
    (only,) = evaluate_shown(models, "sst2", choice, {}, {}, Desk(), "paper", wanted)
    assert "mine some first" in read_status(only)


def test_files_of_triggers_are_opened(models, tmp_path):
    choice = models.find("sst2")

    def open_saved(save):
        path = tmp_path / "<b>.json"
        save(path)
        view, status, kept = open_file(str(path), models, choice, {}, {}, Desk())
        assert not path.exists()
        return json.loads(view) if status == "" else json.loads(status)["text"], kept

    message, kept = open_saved(lambda path: save_study(make_study(flips=1), path, triggers=make_set()))
    group = message["mined"]["paper"]
    assert (group["origin"], group["file"]) == ("opened", "<b>.json")
    assert [bool(row["study"]) for row in message["mined"]["paper"]["rows"]] == [True, True, True]
    assert find_shown(choice, kept).mined["paper"].origin == "opened"
    authors = replace(make_set(mode=""), labels=(), model="", data="")
    message, _ = open_saved(lambda path: save_triggers(authors, path))
    assert message["mined"]["opened"]["labels"] == ["negative", "positive"]
    assert len(message["mined"]["opened"]["rows"]) == 4
    for junk in ("[]", "{}", "[1]", "no"):
        sentence, _ = open_saved(lambda path, text=junk: path.write_text(text))
        assert "<b>.json" in sentence


def test_triggers_that_are_not_evaluated_are_exported_from_the_table(models, wanted, tmp_path):
    steps, choice = mine(models, wanted, evaluates=False)
    kept, event = steps[-1][2], gr.EventData(None, None)

    def export(file_format):
        asked = {"run": kept[choice.key].run, "mode": "paper", "what": "table", "format": file_format}
        event._data = asked
        return export_triggers(choice, kept, event)

    contents = {name: json.loads(export(name)[0]) for name in ("json", "csv")}
    assert contents["json"]["name"] == "attattr-sst2-triggers-paper-list.json"
    path = tmp_path / "list.json"
    path.write_bytes(base64.b64decode(contents["json"]["data"]))
    assert load_triggers(path).triggers == kept[choice.key].mined["paper"].triggers.triggers
    header, *rows = base64.b64decode(contents["csv"]["data"]).decode().splitlines()
    assert header == "model,data,trigger,tokens,places,strength,mined_class"
    assert [row.split(",")[:3] for row in rows] == [["sst2", "mined.tsv", "1"], ["sst2", "mined.tsv", "2"]]
    assert "JSON or CSV" in json.loads(export("svg")[1])["text"]


def test_only_what_is_on_the_server_is_exported(models, wanted):
    choice, event = models.find("sst2"), gr.EventData(None, None)
    for asked, sentence in ((None, "Unknown file format"), ({"format": "csv", "run": "x"}, "no longer on the server")):
        event._data = asked
        assert sentence in json.loads(export_triggers(choice, {}, event)[1])["text"]


def test_what_leaves_the_process_with_the_gpu_is_read_without_torch(models, wanted):
    description = models.find("sst2").description
    *_, mined = mine_part(MiningJob(description, (), read_choice(wanted.mining, None), "paper", 1, 0, None, None))
    others = read_choice(wanted.evaluation, None)
    *_, evaluated = evaluate_part(EvaluationJob(description, (), others, mined.found, 1, 0))
    script = "import pickle, sys; parts = pickle.load(sys.stdin.buffer); print(len(parts), 'torch' in sys.modules)"
    content = pickle.dumps([mined, evaluated])
    done = subprocess.run([sys.executable, "-c", script], input=content, capture_output=True, check=True)
    assert done.stdout.split() == [b"2", b"False"]
