"""The messages to the view of heads, what its fields may hold, the store of importances, files that are opened."""

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from attattr_core.errors import UserError
from attattr_core.files import ages
from attattr_core.heads.comparison import compare_importances
from attattr_core.heads.importance_files import save_importance
from attattr_core.heads.results import HeadImportance, HeadStudy, PruningCurve
from attattr_core.heads.study_files import FOLDER, load_study, save_study
from attattr_core.settings import Settings
from attattr_core.ui import long_work
from attattr_core.ui.heads_exports import export_heads
from attattr_core.ui.heads_files import go_back, open_heads
from attattr_core.ui.heads_measure import leave_checkpoint, stop_measuring
from attattr_core.ui.heads_payload import Heads, Progress, Shelf, correlate, load_shipped, show_shipped
from attattr_core.ui.heads_request import read_request
from attattr_core.ui.long_work import Clock, Desk
from attattr_core.ui.store import Store, make_key

HOSTILE = "<img src=x onerror=alert(1)>"
FIELDS = (["attattr", "taylor"], 10, 20, ["least-first"], 3, "every head")


class Chosen:
    """A choice of a checkpoint, as far as its study goes."""

    key = "sst2@"

    class description:  # noqa: N801
        name = "sst2"


class Event:
    def __init__(self, data):
        self._data = data


def make_importance(method="attattr", seed=0, shape=(2, 3), model="sst2", **fields):
    values = np.random.default_rng(seed).normal(size=shape)
    return HeadImportance(values, method, model, "abc", "data.tsv", "f" * 64, 5, **fields)


def make_curve(method="attattr", direction="least-first", n_heads=6):
    line = np.linspace(0.9, 0.5, n_heads + 1)
    ends = line - 0.05, line + 0.05
    return PruningCurve(method, direction, np.arange(n_heads + 1), n_heads, line, *ends, 0.7, 0.65, 0.75, "wilson")


def make_study(**fields):
    importances = {"attattr": make_importance(), "taylor": make_importance("taylor", 1)}
    study = HeadStudy(
        importances,
        (make_curve(), make_curve("taylor")),
        (),
        "accuracy",
        "sst2",
        "abc",
        "data.tsv",
        "f" * 64,
        50,
        0,
        {},
    )
    return replace(study, **fields)


def make_shelf(**fields):
    return Shelf(Heads("sst2@", "sst2", make_study(), "done", **fields))


def read(message):
    return json.loads(message)


def test_the_page_gets_every_head_and_every_point():
    message = read(make_shelf().build_message())
    assert (message["n_layers"], message["n_heads"]) == (2, 3)
    own = [importance for importance in message["importances"] if importance["is_own"]]
    assert [importance["method"] for importance in own] == ["attattr", "taylor"]
    assert own[0]["values"] == make_importance().values.ravel().tolist()
    assert message["curves"][0]["n_pruned"] == list(range(7))
    assert message["can_save"]


def test_correlations_are_those_of_the_command_line():
    one, other = make_importance(), make_importance("taylor", 1)
    compared = compare_importances(one, other)
    assert correlate({"a": one, "b": other}) == [("a", "b", compared.pearson, compared.spearman)]
    assert correlate({"a": one, "b": replace(other, values=np.ones((2, 3)))}) == []


def test_names_are_never_markup_on_the_way():
    study = make_study(model=HOSTILE, data=HOSTILE, importances={HOSTILE: make_importance(model=HOSTILE)})
    text = Shelf(Heads("", HOSTILE, study, "opened", notice=HOSTILE)).build_message()
    assert "<" not in text
    assert read(text)["importances"][0]["method"] == HOSTILE


def test_other_checkpoints_of_the_same_shape_can_be_compared():
    shelf = make_shelf().put(Heads("snli@", "snli", make_study(model="snli"), "done"))
    message = read(shelf.build_message())
    assert [part["model"] for part in message["importances"] if not part["is_own"]][:2] == ["sst2", "sst2"]
    other = make_importance(shape=(3, 3), model="larger")
    assert "larger" not in {part["model"] for part in read(shelf.shown.build_message([other]))["importances"]}


def test_work_that_ends_early_leaves_what_was_there():
    waiting = make_shelf().shown.wait(Progress("loading"))
    assert (waiting.status, waiting.settle().status) == ("measuring", "done")
    measured = Heads("sst2@", "sst2", make_study(), "measuring")
    message, _, shelf = stop_measuring(Shelf(measured), Desk())
    assert read(message)["status"] == shelf.shown.status == "stopped"
    empty = Heads("other@", "other").wait(Progress("loading")).settle()
    assert (empty.status, empty.progress) == ("empty", None)
    assert leave_checkpoint(Chosen, Shelf(replace(measured, key="other@")), Desk())[1].shown.key == "sst2@"
    unchanged = leave_checkpoint(Chosen, make_shelf(), Desk())  # nothing ran
    assert not any(isinstance(value, Shelf) for value in unchanged)


def test_work_that_was_left_does_not_count():
    desk, closed = Desk(), []

    def work():
        try:
            yield from range(9)
        finally:
            closed.append(True)

    first, second = desk.follow(work()), desk.follow(work())
    assert [next(first), next(first), next(second)] == [0, 1, 0]
    assert next(first, None) is None
    assert next(second) == 1
    stop_measuring(make_shelf(), desk)
    assert next(second, None) is None
    assert closed == [True, True]


def test_time_left_is_told_by_what_was_done_here(monkeypatch):
    moments = iter((0.0, 0.5, 10.0))
    monkeypatch.setattr(long_work, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    clock = Clock()
    assert clock.estimate(0.5) is None  # a file brought that along
    assert clock.estimate(0.52) is None
    assert clock.estimate(0.75) == 10


def test_only_the_last_studies_are_kept():
    shelf = Shelf(Heads("0@", "0", make_study(), "done"))
    for k in range(1, 9):
        shelf = shelf.put(Heads(f"{k}@", str(k), make_study(), "done"))
    assert [heads.key for heads in shelf.kept] == ["7@", "6@", "5@", "4@"]
    assert shelf.find("6@").model == "6"


@pytest.mark.parametrize("name", ["sst2", "snli"])
def test_embedded_checkpoints_come_with_a_study_of_their_weights(name):
    study = load_shipped(name)
    assert study is not None
    faithfulness = json.loads((FOLDER / f"faithfulness-{name}.json").read_text())
    assert study.revision == faithfulness["revision"]
    assert {"attattr", "taylor", "attention"} <= set(study.importances)
    assert {curve.direction for curve in study.curves} == {"least-first", "most-first"}
    assert show_shipped(f"{name}@", name).status == "precomputed"
    assert load_shipped("../results/heads-snli") is None


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (0, [], "No method is chosen"),
        (0, ["no such"], "No method is chosen"),
        (1, 0, "whole number from 1 to 5,000"),
        (1, None, "type a number"),
        (2, 1e300, "whole number"),
        (2, 2.5, "whole number"),
        (3, None, "Neither order"),
        (4, 51, "from 0 to 50"),
        (5, "some", "Unknown steps"),
    ],
)
def test_what_the_fields_hold_is_checked(place, value, sentence):
    assert read_request(*FIELDS, Settings()).every_head
    fields = [*FIELDS[:place], value, *FIELDS[place + 1 :]]
    with pytest.raises(UserError, match=sentence):
        read_request(*fields, Settings())


def test_importances_are_stored_under_all_that_they_depend_on():
    facts = {"model": "sst2@", "data": "f" * 64, "method": "attattr", "n": 5, "settings": Settings()}
    keys = {make_key(**facts), make_key(**{**facts, "n": 6}), make_key(**{**facts, "settings": Settings(rule="left")})}
    assert len(keys) == 3
    store, one = Store(), make_importance()
    for k in range(200):
        store.keep(str(k), one)
    assert store.find("0") is None
    assert store.find("199") is one
    path = store.find_file("work")
    path.write_text("")
    assert store.find_file("work") == path
    store.clear()
    assert not path.exists()


def test_files_of_work_come_and_go_while_others_look_for_theirs(monkeypatch):
    clock, store = SimpleNamespace(now=100.0), Store()
    monkeypatch.setattr(ages, "time", SimpleNamespace(monotonic=lambda: clock.now))
    folder = store.find_file("old").parent
    (folder / "old").touch()
    store.find_file("old")
    clock.now += 3700
    for name in map(str, range(70)):
        (folder / name).touch()
        os.utime(folder / name, (0, 0))  # the time of day was set
    (folder / "0.1-1.new").touch()
    vanished, iterate = folder / "gone", Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: [*iterate(path), vanished])
    store.find_file("mine")
    left = {path.name for path in iterate(folder)}
    assert len(left) == 64 + 1
    assert "0.1-1.new" in left  # somebody writes it
    assert "old" not in left
    clock.now += 3700
    store._tidy()
    assert {path.name for path in iterate(folder)} == {"0.1-1.new"}
    store.clear()


def test_files_of_both_kinds_and_of_the_authors_are_opened(tmp_path):
    shelf = make_shelf()
    path = tmp_path / "study.json"
    save_study(make_study(model="other"), path)
    message, status, opened = open_heads(str(path), shelf, Desk())
    assert (read(message)["model"], status, opened.shown.status) == ("other", "", "opened")
    assert not path.exists()  # it is the visitor's
    assert read(go_back(Chosen, opened, Desk())[0])["model"] == "sst2"
    path = tmp_path / "importance.json"
    save_importance(make_importance("taylor"), path)
    assert [
        part["method"] for part in read(open_heads(str(path), shelf, Desk())[0])["importances"] if part["is_own"]
    ] == ["taylor"]
    path.write_text(json.dumps(list(range(6))))
    assert read(open_heads(str(path), shelf, Desk())[0])["importances"][0]["values"] == list(range(6))


@pytest.mark.parametrize("content", ["", "{}", "[1, 2, 3]", '{"format": "attattr-heads"}', "[[1, 2], [3]]", '["a"]'])
def test_files_that_are_something_else_are_refused(tmp_path, content):
    path = tmp_path / "wrong.json"
    path.write_text(content)
    _, status, _ = open_heads(str(path), make_shelf(), Desk())
    assert read(status)["kind"] == "error"


def test_files_that_are_too_large_are_refused(tmp_path):
    path = tmp_path / "large.json"
    save_importance(make_importance(shape=(65, 2)), path)
    _, status, _ = open_heads(str(path), make_shelf(), Desk())
    assert "65 layers: the page shows up to 64" in read(status)["text"]


@pytest.mark.parametrize("picture", ["grids", "curves", "scatter"])
@pytest.mark.parametrize("file_format", ["svg", "csv", "json"])
def test_everything_is_exported_from_what_is_shown(picture, file_format):
    shelf = make_shelf()
    view = {"pair": ["attattr", "taylor"], "hidden": ["taylor"]}
    asked = {"run": shelf.shown.run, "picture": picture, "format": file_format, "view": view}
    packed, status = export_heads(shelf, Event(asked))
    assert status == ""
    assert read(packed)["name"] == f"attattr-sst2-heads-{picture}.{file_format}"


def test_an_exported_study_is_the_one_shown(tmp_path):
    shelf = make_shelf()
    packed, _ = export_heads(shelf, Event({"run": shelf.shown.run, "picture": "curves", "format": "json"}))
    path = tmp_path / "study.json"
    path.write_bytes(base64.b64decode(read(packed)["data"]))
    np.testing.assert_array_equal(load_study(path).importances["taylor"].values, make_importance("taylor", 1).values)


@pytest.mark.parametrize(
    "asked",
    [
        None,
        {"run": "other"},
        {"format": "exe", "picture": "grids"},
        {"format": "csv", "picture": "no"},
        {"format": "svg", "picture": "areas"},
        {"format": "svg", "picture": "scatter", "view": {"pair": ["attattr", "no"]}},
        {"format": "svg", "picture": "scatter", "view": {"pair": [[], {}]}},
        {"format": "svg", "picture": "layerwise"},
    ],
)
def test_what_the_page_asks_is_not_trusted(asked):
    shelf = make_shelf()
    if asked is not None:
        asked = {"run": shelf.shown.run, **asked}
    _, status = export_heads(shelf, Event(asked))
    assert read(status)["kind"] == "error"
