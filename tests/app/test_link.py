"""What an address or a bundle may ask of the page: checked, told where it is unknown, never a load or a download."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from samples import make_attribution

from attattr_core import Settings, load_attribution, save_attribution, save_bundle
from attattr_core.ui import Models
from attattr_core.ui.examples import FOLDER
from attattr_core.ui.link import FIELDS, name_fields, open_bundle, restore_link
from attattr_core.ui.link_fields import TAB_FIELDS, write_value
from attattr_core.ui.models import LINKED

ALL_FIELDS = (*FIELDS, *TAB_FIELDS)
N_VALUES = 5 + len(ALL_FIELDS)


def restore(query=None, text=None, pair=None, may_start=True):
    """What the page is told: the link's message, the tab, the texts, and the fields that change."""
    return read(restore_link(Models(), {"query": query, "text": text, "pair": pair, "may_start": may_start}))


def read(values):
    link, tabs, text, pair, _, *fields = values
    named = {name: value for name, value in zip(ALL_FIELDS, fields, strict=True) if not is_skipped(value)}
    texts = None if is_skipped(text) else (text, pair)
    return json.loads(link), None if is_skipped(tabs) else tabs.selected, texts, named


def is_skipped(value):
    return isinstance(value, dict) and value.get("__type__") == "update"


def test_an_address_sets_the_fields_and_the_tab():
    query = {
        "model": "sst2",
        "target": "negative",
        "function": "logit",
        "baseline": "uniform",
        "quadrature": "fixed nodes",
        "nodes": "12",
        "rule": "left",
        "tab": "tree",
        "layer": "3",
    }
    message, tab, texts, fields = restore(query)
    assert (tab, texts, message["note"], message["start"]) == ("tree", None, "", False)
    expected = {name: value for name, value in query.items() if name not in ("tab", "layer")}
    assert fields == {**expected, "nodes": 12}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"function": "loss"}, "function 'loss'"),
        ({"baseline": "<img src=x>"}, "baseline '<img src=x>'"),
        ({"quadrature": "guess"}, "quadrature 'guess'"),
        ({"rule": "simpson"}, "rule 'simpson'"),
        ({"tolerance": "nan"}, "tolerance 'nan'"),
        ({"tolerance": "0"}, "tolerance '0'"),
        ({"nodes": "100000"}, "nodes '100000'"),
        ({"nodes": "9" * 5000}, "nodes '9999"),
        ({"tab": "../admin"}, "tab '../admin'"),
        ({"model": "sst2", "target": "happy"}, "label 'happy'"),
        ({"heads-methods": "attattr,__proto__"}, "heads-methods 'attattr,__proto__'"),
        ({"heads-methods": ""}, "heads-methods ''"),
        ({"heads-ranking": "5001"}, "heads-ranking '5001'"),
        ({"heads-curves": "1e3"}, "heads-curves '1e3'"),
        ({"heads-seeds": "-1"}, "heads-seeds '-1'"),
        ({"heads-points": "<img src=x>"}, "heads-points '<img src=x>'"),
        ({"triggers-draws": "٣"}, "triggers-draws '٣'"),
        ({"triggers-random": "yes"}, "triggers-random 'yes'"),
        ({"triggers-second": " " * 9}, "triggers-second '   "),
        ({"model": "sst2", "labels": "bad"}, "label names 'bad'"),
        ({"model": "sst2", "labels": "same\nsame"}, "label names 'same"),
        ({"model": "sst2", "labels": "a\n" + "b" * 2000}, "label names 'a"),
    ],
)
def test_what_is_not_known_is_left_out_and_told(query, said):
    message, tab, _, fields = restore(query)
    assert said in message["note"]
    assert len(message["note"]) < 200
    assert tab is None
    assert set(fields) <= {"model"}


def test_the_fields_of_the_tabs_are_settings():
    query = {
        "heads-methods": "attention,ablation",
        "heads-ranking": "7",
        "heads-orders": "most-first",
        "heads-points": "every head",
        "triggers-way": "pooled",
        "triggers-least": "3",
        "triggers-leave": "1",
        "triggers-second": "org/other",
    }
    *_, fields = restore(query)
    assert fields == {
        **query,
        "heads-methods": ["ablation", "attention"],
        "heads-orders": ["most-first"],
        "heads-ranking": 7,
        "triggers-least": 3,
        "triggers-leave": True,
    }


def test_what_the_fields_hold_at_first_is_read_from_an_address_as_well():
    for name, field in TAB_FIELDS.items():
        written = write_value(field.first)
        assert len(written) <= 200
        if field.first is not None:
            assert field.read(written) == field.first, name


def test_own_label_names_are_for_the_checkpoint_of_the_link():
    models = Models()
    link, _, _, _, names, *_ = restore_link(
        models, {"query": {"model": "sst2", "labels": "bad\nfine", "target": "fine"}}, {"other": ("x",)}
    )
    assert json.loads(link)["note"] == "", "a label of these names is known"
    assert names == {"other": ("x",), LINKED + "sst2": ("bad", "fine")}
    assert models.find_own(models.find("sst2"), names) == ("bad", "fine")
    assert models.find_labels(models.find("snli"), names) == models.find_labels(models.find("snli"), None)
    assert models.find_own(models.find("sst2"), {LINKED + "sst2": ("one", "two", "three")}) == (), "there are two"


@pytest.mark.parametrize("asked", [None, [], "x", {"query": [1]}, {"query": {"model": 5, "layer": None}}, {"text": 5}])
def test_what_is_no_address_changes_nothing(asked):
    message, tab, texts, fields = read(restore_link(Models(), asked))
    assert (message["note"], message["start"], tab, texts, fields) == ("", False, None, None, {})


def test_a_model_of_the_hub_is_named_and_neither_asked_for_nor_loaded(monkeypatch):
    monkeypatch.setattr(Models, "find", lambda *_: pytest.fail("the Hub is asked by the field, as when it is typed"))
    message, _, texts, fields = restore({"model": "some/classifier@abc", "target": "yes"}, "A text.")
    assert fields == {"model": "some/classifier@abc", "target": "yes"}
    assert texts == ("A text.", "")
    assert not message["start"]
    assert message["note"] == "The link brought a text: press Run to explain it."


@pytest.mark.parametrize(
    ("query", "text", "starts"),
    [
        ({"model": "sst2"}, "A fine film.", True),
        ({"model": "sst2", "quadrature": "fixed nodes", "nodes": "64"}, "A fine film.", True),
        ({"model": "sst2", "quadrature": "fixed nodes", "nodes": "65"}, "A fine film.", False),
        ({"model": "sst2", "tolerance": "0.0001"}, "A fine film.", False),
        ({"model": "sst2", "rule": "simpson"}, "A fine film.", False),
        ({"model": "sst2"}, "word " * 300, False),
        ({"model": "sst2"}, "   ", False),
        ({"model": "sst2"}, None, False),
        ({}, "A fine film.", False),
    ],
)
def test_only_a_small_run_of_an_embedded_checkpoint_starts_by_itself(query, text, starts):
    assert restore(query, text)[0]["start"] is starts
    assert restore(query, text, may_start=False)[0]["start"] is False, "in another site's frame nothing starts"


def test_a_text_beyond_all_limits_is_left_out():
    message, _, texts, _ = restore({"model": "sst2"}, "a" * 20_001)
    assert texts is None
    assert "text of more than 20,000 characters" in message["note"]


def test_messages_hold_no_markup():
    link, *_ = restore_link(Models(), {"query": {"rule": "</script><script>alert(1)"}})
    assert "<" not in link


def test_a_bundle_brings_fields_texts_and_view(tmp_path):
    result = load_attribution(FOLDER / "contradiction.npz")
    view = {"tab": "tree", "layer": "3", "head": "sum", "edges": "24"}
    save_bundle(result, tmp_path / "bundle.zip", view=view)
    _, status, session, *filled = open_bundle(Models(), str(tmp_path / "bundle.zip"))
    message, tab, texts, fields = read(filled)
    assert (status, tab, texts) == ("", "tree", result.texts)
    assert (message["query"], message["run"], message["start"]) == (view, session.run, False)
    assert (fields["model"], fields["target"], fields["rule"]) == ("snli", "contradiction", "automatic")
    assert not (tmp_path / "bundle.zip").exists(), "it holds a visitor's text"


def test_a_plain_result_leaves_the_header_alone(tmp_path):
    save_attribution(make_attribution(), tmp_path / "result.npz")
    _, _, session, *filled = open_bundle(Models(), str(tmp_path / "result.npz"))
    assert session.result.texts == make_attribution().texts
    assert len(filled) == N_VALUES
    assert all(map(is_skipped, filled))


def test_a_damaged_bundle_is_one_sentence_and_changes_nothing(tmp_path):
    Path(tmp_path / "bundle.zip").write_bytes(b"PK\x03\x04")
    view, status, session, *filled = open_bundle(Models(), str(tmp_path / "bundle.zip"))
    assert "'bundle.zip' is cut off, or no ZIP" in json.loads(status)["text"]
    assert all(map(is_skipped, (view, session, *filled)))


def test_a_result_names_its_commit_and_its_convention():
    settings = Settings("logit", "unk", "left", 8)
    commit = "0123456789abcdef0123456789abcdef01234567"
    result = replace(make_attribution(), settings=settings, model="org/name", revision=f"{commit}+{commit}")
    fields = name_fields(result)
    assert fields["model"] == f"org/name@{commit}"
    assert (fields["quadrature"], fields["nodes"], fields["rule"]) == ("fixed nodes", "8", "left")
    assert "model" not in name_fields(replace(result, revision="123"))
