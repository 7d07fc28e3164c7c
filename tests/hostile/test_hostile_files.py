"""Any file of a tree, of heads or of triggers: a sentence that refuses it, or what the page can show and save."""

import json

import gradio as gr
import pytest
from hostile.strategies import DEPTHS, bent_bytes, bent_json, check_sentence, nest, refuse_or, values, write
from hypothesis import given
from hypothesis import strategies as st
from samples import make_attribution
from trigger_samples import make_set, make_study

from attattr_core import build_tree, load_tree
from attattr_core.heads.importance_files import dump_importance, load_importance
from attattr_core.heads.study_files import dump_study as dump_heads
from attattr_core.heads.study_files import load_study as load_heads
from attattr_core.heads.study_files import tabulate_areas, tabulate_curves, tabulate_importances
from attattr_core.results import load_result
from attattr_core.trees.files import dump_graphml, dump_tree
from attattr_core.triggers.files import dump_triggers, load_triggers
from attattr_core.triggers.study_files import dump_study, load_study
from attattr_core.triggers.tables import describe_best, describe_skipped, dump_csv
from attattr_core.ui import Models
from attattr_core.ui.heads_exports import export_heads
from attattr_core.ui.heads_files import open_heads
from attattr_core.ui.heads_payload import Heads, Shelf, load_shipped, show_shipped
from attattr_core.ui.long_work import Desk
from attattr_core.ui.triggers_exports import export_triggers
from attattr_core.ui.triggers_payload import Shown
from attattr_core.ui.triggers_shown import open_file, use_flip

TREE = json.loads(dump_tree(build_tree(make_attribution(n_layers=4), n_edges=4)))
STUDY = load_shipped("sst2")
SMALL = json.loads(dump_heads(STUDY))
SMALL = {**SMALL, "curves": SMALL["curves"][:2], "layerwise": SMALL["layerwise"][:1]}
IMPORTANCE = json.loads(dump_importance(next(iter(STUDY.importances.values()))))
TRIGGERS = json.loads(dump_triggers(make_set()))
EVALUATED = json.loads(dump_study(make_study(flips=1), triggers=make_set()))
FAITHFULNESS = {"format": "attattr-faithfulness", "version": 1, "n": 3, "counts": [1, 2], "modes": {}}
KINDS = {
    "tree": (TREE, load_tree),
    "heads": (SMALL, load_heads),
    "importance": (IMPORTANCE, load_importance),
    "triggers": (TRIGGERS, load_triggers),
    "evaluated": (EVALUATED, load_study),
    "faithfulness": (FAITHFULNESS, load_result),
}
kinds = st.sampled_from(sorted(KINDS))


def read_message(message: str) -> None:
    assert "<" not in message
    message.encode()
    json.loads(message, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def read_answer(answer, status: str) -> None:
    """An export's answer: a file, or a sentence."""
    if status:
        check_sentence(json.loads(status)["text"])
    else:
        assert not set(json.loads(answer)["name"]) & set("/\\\0")


def use(work, kind: str, content) -> None:
    """Reads a file as Python, the command line and the page do."""
    path = write(work, "file.json", content)
    found = refuse_or(KINDS[kind][1], path)
    refuse_or(load_importance, path, shape=(3, 4))
    if kind == "tree" and found is not None:
        json.loads(dump_tree(found))
        dump_graphml(found).encode()
    if kind in ("heads", "importance"):
        show_heads(path)
    if kind in ("triggers", "evaluated"):
        show_triggers(path)
    path.unlink(missing_ok=True)


def show_heads(path) -> None:
    shelf = Shelf(show_shipped("snli@", "snli"))
    view, status, shown = open_heads(str(path), shelf, Desk())
    assert not path.exists()
    if not isinstance(shown, Shelf):
        check_sentence(json.loads(status)["text"])
        return
    read_message(view)
    study = shown.shown.study
    for table in (tabulate_importances(study.importances), tabulate_curves(study), tabulate_areas(study)):
        assert table.splitlines()
    for picture, file_format in (("grids", "csv"), ("curves", "json"), ("curves", "csv")):
        asked = {"run": shown.shown.run, "picture": picture, "format": file_format}
        read_answer(*export_heads(shown, gr.EventData(None, asked)))


def show_triggers(path) -> None:
    models = Models()
    choice = models.find("sst2")
    view, status, kept = open_file(str(path), models, choice, None, None, Desk())
    assert not path.exists()
    if status:
        check_sentence(json.loads(status)["text"])
        return
    read_message(view)
    shown = kept[choice.key]
    (mined,) = shown.mined.values()
    if mined.study is not None:
        assert dump_csv(mined.study)
        describe_best(mined.study)
        describe_skipped(mined.study)
    for what, file_format in (("table", "csv"), ("table", "json"), ("result", "csv"), ("result", "json")):
        asked = {"run": shown.run, "what": what, "format": file_format, "mode": shown.mode, "row": 0}
        read_answer(*export_triggers(choice, kept, gr.EventData(None, asked)))


@given(kind=kinds, content=st.binary(max_size=200))
def test_any_bytes(work, kind, content):
    use(work, kind, content)


@given(data=st.data(), kind=kinds)
def test_files_with_bytes_changed(work, data, kind):
    use(work, kind, data.draw(bent_bytes(json.dumps(KINDS[kind][0]).encode())))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_files_with_something_changed(work, kind):
    @given(content=bent_json(KINDS[kind][0]))
    def check(content):
        use(work, kind, content)

    check()


@given(kind=kinds, content=values)
def test_any_json(work, kind, content):
    use(work, kind, content)
    original = KINDS[kind][0]
    for name in original if isinstance(original, dict) else ():
        use(work, kind, {**original, name: content})


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("depth", DEPTHS)
def test_files_that_are_nested(work, kind, depth):
    original = KINDS[kind][0]
    use(work, kind, nest(depth))
    if isinstance(original, dict):
        start, end = json.dumps({**original, next(reversed(original)): "HERE"}).encode().split(b'"HERE"')
        use(work, kind, start + nest(depth) + end)


@given(event=values, row=values)
def test_whatever_a_page_asks_of_heads_and_triggers(event, row):
    heads = Heads("a", "sst2", STUDY, "opened", run="a")
    shown = Shown("a", "idle", {})
    choice = Models().find("sst2")
    for data in (event, {"run": "a", "format": "csv", "picture": event}, {"run": "a", "format": event, "row": row}):
        read_answer(*export_heads(Shelf(heads), gr.EventData(None, data)))
        read_answer(*export_triggers(choice, {choice.key: shown}, gr.EventData(None, data)))
        *_, status = use_flip(choice, {choice.key: shown}, data)
        check_sentence(json.loads(status)["text"])
    pair = {"run": "a", "format": "csv", "picture": "scatter", "view": {"pair": [event, row]}}
    read_answer(*export_heads(Shelf(heads), gr.EventData(None, pair)))
