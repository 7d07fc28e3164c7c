"""Any name of a model and any address of the page: one sentence, or something that leads nowhere outside."""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import gradio as gr
import pytest
from hostile.strategies import check_sentence, names, refuse_or, texts, values
from huggingface_hub import constants
from hypothesis import example, given
from hypothesis import strategies as st
from samples import make_attribution

from attattr_core.checkpoints.catalog import EMBEDDED, check_labels, read_labels
from attattr_core.datasets.hub_sets import parse_dataset_id
from attattr_core.errors import UserError
from attattr_core.hub import HubLimits, parse_reference
from attattr_core.hub.client import build_address
from attattr_core.hub.reference import is_revision
from attattr_core.storage import clean_text
from attattr_core.ui import Models
from attattr_core.ui.api.fields import check_field, clean_value
from attattr_core.ui.exports import export_view
from attattr_core.ui.limits import PageLimits
from attattr_core.ui.link import FIELDS, TABS, restore_link
from attattr_core.ui.model_picker import look_up
from attattr_core.ui.running import Session, prepare_job, read_settings

pieces = st.sampled_from(
    [
        "org",
        "name",
        "sst2",
        "..",
        ".",
        "",
        "~",
        "tree",
        "resolve",
        "%2e%2e",
        "%2F",
        "%00",
        "%0a",
        "refs",
        "pr",
        "1",
        "--",
    ]
)
marks = st.sampled_from(["/", "@", ":", "\\", "//", "?", "#", "/tree/", "\n", " "])
starts = st.sampled_from(
    ["", "https://huggingface.co/", "http://hf.co/", "huggingface.co/", "file:///", "https://[", "hub:"]
)
addresses = st.builds(
    lambda start, parts: start + "".join(piece + mark for piece, mark in parts)[:-1],
    starts,
    st.lists(st.tuples(pieces, marks), min_size=1, max_size=6),
)
references = texts | addresses | st.text("ab./@:-_~%\\ \n\u202e", max_size=20)


def check_place(name: str, revision: str | None) -> None:
    """Checks that neither leads out of the cache's folder, nor of an address's path."""
    for part in (name, revision or "main"):
        place = PurePosixPath("/cache") / part
        assert part.isprintable()
        assert ".." not in place.parts
        assert place.is_relative_to("/cache")
    address = build_address(name, revision or "main", "config.json")
    assert address.startswith(f"{constants.ENDPOINT}/{name}/resolve/")
    assert not set(address) & set("\\\n\r\0 ")


@given(text=references)
def test_a_name_is_a_hub_id_or_one_sentence(text):
    for parse in (lambda name: parse_reference(name, folders=False), parse_dataset_id):
        found = refuse_or(parse, text)
        if found is not None and found.name not in EMBEDDED:
            assert found.kind == "hub"
            check_place(found.name, found.revision)
    assert not is_revision(text) or ".." not in text


@given(text=references)
def test_no_name_leads_to_a_folder_where_strangers_type(work, text):
    models = Models(HubLimits(offline=True))
    choice = refuse_or(models.find, text)
    assert choice is None or choice.description.name in EMBEDDED
    for status, _, card in look_up(models, text, None, {}):
        for part in (status, card):
            if isinstance(part, str) and part:
                assert "<" not in part
                json.loads(part)


@given(text=references)
def test_a_folder_that_is_named_is_refused_or_read(work, text):
    (work / "name").mkdir(exist_ok=True)
    refuse_or(Models(HubLimits(offline=True), folders=True).find, text)
    (work / "name").rmdir()


@given(labels=values | st.dictionaries(st.sampled_from("01234") | st.integers(0, 3), texts | values, max_size=4))
@example(labels={"0": "a\ud800", "1": "b"})
@example(labels="\ud800")
def test_label_names_of_a_configuration(work, labels):
    (work / "config.json").write_text(json.dumps({"id2label": labels}))
    for read, given_labels in ((check_labels, labels), (read_labels, work)):
        found = refuse_or(read, given_labels)
        assert found is None or len(set(found)) == len(found) > 0
        "".join(found or ()).encode()
    (work / "config.json").unlink()


queries = st.dictionaries(
    st.sampled_from([*FIELDS, "tab", "layer", "head", "edges"]) | names, texts | values, max_size=6
)


@given(query=queries | values, text=texts | values, pair=texts | values, may_start=values)
@example(query={"model": "org/name", "target": "\ud800"}, text="\ud800", pair="\udfff", may_start=True)
def test_an_address_of_the_page_sets_only_what_is_known(query, text, pair, may_start):
    asked = {"query": query, "text": text, "pair": pair, "may_start": may_start}
    link, tabs, *others = restore_link(Models(), asked)
    assert "<" not in link
    message = json.loads(link)
    assert len(message["note"]) < 900
    assert set(message["values"]) <= set(FIELDS)
    assert message["start"] is False or may_start is True
    assert isinstance(tabs, dict) or tabs.selected in TABS
    for value in others:
        json.dumps(value if not isinstance(value, dict) else "", ensure_ascii=False).encode()
    restore_link(Models(), query)


@given(function=values, baseline=values, precision=values, tolerance=values, nodes=values, rule=values)
def test_any_convention(function, baseline, precision, tolerance, nodes, rule):
    for quadrature in (precision, "to a tolerance", "fixed nodes"):
        read = refuse_or(read_settings, function, baseline, quadrature, tolerance, nodes, rule)
        assert read is None or (0 < read.tolerance <= 1 and (read.n_steps or 1) <= 256)


@given(text=texts, pair=texts | st.none(), target=values)
def test_any_header(text, pair, target):
    fields = ("probability", "zero", "to a tolerance", 0.01, 64, "automatic")
    models = Models(HubLimits(offline=True), page=PageLimits(max_characters=100))
    made = refuse_or(prepare_job, models, "sst2", (text, pair), target, fields, None, None)
    assert made is None or max(map(len, made[1].texts)) <= 100


@given(
    value=values, hint=st.sampled_from([str, int, bool, float | None, int | None, list[dict], str | list[dict] | None])
)
def test_any_value_of_a_field(value, hint):
    taken = clean_value("field", value)
    json.dumps(taken, ensure_ascii=False).encode()
    refuse_or(check_field, "field", taken, hint)


def test_a_value_that_is_nested_too_deeply_is_refused():
    value = []
    for _ in range(10_000):
        value = [value]
    with pytest.raises(UserError) as caught:
        clean_value("data", value)
    check_sentence(str(caught.value))


@given(model=texts)
def test_a_name_in_a_result_is_no_path(model):
    result = replace(make_attribution(), model=clean_text(model))
    event = gr.EventData(None, {"run": "a", "format": "npz"})
    name = json.loads(export_view(Session(result, "a", "opened"), event)[0])["name"]
    assert Path(name).name == name
    assert name.isprintable()
