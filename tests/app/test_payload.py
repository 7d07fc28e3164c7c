"""The message to the browser: exact to 16 bits, small, and never markup."""

import base64
import json
import zlib
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
from samples import make_attribution, make_large_attribution

from attattr_core.ui import payload
from attattr_core.ui.payload import build_payload, build_whole_map
from attattr_core.ui.running import Session, send_whole_map
from attattr_core.ui.trial_payload import Trial


def build(attribution, **options):
    return json.loads(build_payload(attribution, run="r", status="done", seconds=0.5, **options))


def unpack(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


@pytest.mark.parametrize("name", ["attention", "attribution"])
def test_maps_come_back_within_half_a_level(name):
    attribution = make_attribution()
    message = build(attribution)
    for layer in range(attribution.n_layers):
        part = message["maps"][str(layer)][name]
        scale = np.array(part["scale"])[:, None, None]
        values = unpack(part["data"], "<i2").reshape(3, 8, 8) / 32767 * scale
        expected = getattr(attribution, name)[layer]
        assert np.abs(values - expected).max() <= scale.max() / 32767 * 0.51
        assert np.abs(expected).max() > 0


def test_layers_to_come_are_null_and_not_sent():
    message = build(make_attribution(unfinished=0))
    assert set(message["maps"]) == {"1"}
    for name in ("delta", "nodes", "converged", "head_max", "baseline_output"):
        assert message[name][0] is None
        assert message[name][1] is not None


def test_the_precision_is_sent():
    result = make_attribution()
    settings = replace(result.settings, precision="bfloat16")
    assert build(result)["precision"] == "float32"
    assert build(replace(result, settings=settings))["precision"] == "bfloat16"


def test_only_the_layers_named_are_sent():
    assert set(build(make_attribution(), layers=[1])["maps"]) == {"1"}


def test_long_texts_send_their_strongest_entries(monkeypatch):
    monkeypatch.setattr(payload, "MAX_DENSE_BYTES", 100)
    monkeypatch.setattr(payload, "MAX_SPARSE_BYTES", 8 * 2 * 3 * 16)  # 16 entries of each head
    attribution = make_attribution()
    layer = build(attribution)["maps"]["1"]
    places = unpack(layer["index"], "<u4").reshape(3, 16)
    maps = {name: getattr(attribution, name)[1].reshape(3, -1) for name in ("attention", "attribution")}
    for head in range(3):
        attended = set(np.argsort(-maps["attention"][head])[:8].tolist())
        others = [place for place in np.argsort(-np.abs(maps["attribution"][head])) if place not in attended]
        assert places[head].tolist() == sorted(attended | set(others[:8]))
    for name, values in maps.items():
        part = layer[name]
        sent = unpack(part["data"], "<i2").reshape(3, 16) / 32767 * np.array(part["scale"])[:, None]
        np.testing.assert_allclose(sent, np.take_along_axis(values, places, 1), atol=1e-4)


def measure_maps(message):
    return sum(len(part) for part in list_texts(message["maps"]))


def list_texts(value):
    if isinstance(value, dict):
        return [text for part in value.values() for text in list_texts(part)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    ("n_heads", "n_tokens", "n_bytes"), [(72, 104, 4 << 20), (144, 73, 4 << 20), (144, 512, 2 << 20)]
)
def test_messages_are_bounded(n_heads, n_tokens, n_bytes):
    """The largest maps that are sent whole, and BERT-base with 512 tokens; random numbers hardly deflate."""
    attribution = make_large_attribution(n_heads // 12, 12, n_tokens)
    text = build_payload(attribution, run="r", status="done", seconds=0.5)
    n_maps = measure_maps(json.loads(text))
    assert n_bytes / 2 < n_maps < 1.01 * n_bytes
    assert len(text) < n_maps + 100_000
    layers = [measure_maps(build(attribution, layers=[layer])) for layer in range(attribution.n_layers)]
    assert sum(layers) == n_maps


def test_every_head_of_a_huge_model_is_sent_within_the_bound():
    attribution = make_large_attribution(64, 64, 16)  # as many as the page shows
    message = build(attribution)
    assert measure_maps(message) < 1.05 * (2 << 20)  # each of many short texts is rounded up
    assert message["maps"]["63"]["k"] > 0


@pytest.mark.parametrize("head", [2, None])
def test_the_whole_map_of_one_head_or_of_their_sum(head):
    attribution = make_large_attribution(2, 3, 40)
    message = json.loads(build_whole_map(attribution, run="r", layer=1, head=head))
    attention, values = attribution.attention[1], attribution.attribution[1]
    expected = (attention.mean(0), values.sum(0)) if head is None else (attention[head], values[head])
    for name, maps in zip(("attention", "attribution"), expected, strict=True):
        (scale,) = message[name]["scale"]
        sent = unpack(message[name]["data"], "<i2").reshape(40, 40) / 32767 * scale
        np.testing.assert_allclose(sent, maps, atol=0.51 * scale / 32767)
    assert (message["run"], message["layer"], message["head"]) == ("r", 1, head)


def test_the_whole_map_of_a_long_text_is_bounded():
    text = build_whole_map(make_large_attribution(1, 1, 512), run="r", layer=0, head=0)
    assert 512 * 512 * 2 < len(text) < 1.41 * (1 << 20)


def ask(**content):
    event = gr.EventData(None, None)
    event._data = content
    return event


def test_only_the_owner_of_a_result_gets_its_maps():
    session = Session(make_attribution(unfinished=0), "r", "running")
    assert json.loads(send_whole_map(session, ask(run="r", layer=1, head=2)))["head"] == 2
    for asked in (
        {"run": "another", "layer": 1, "head": 2},
        {"run": "r", "layer": 0, "head": 2},  # not computed yet
        {"run": "r", "layer": 1, "head": 3},
        {"run": "r", "layer": True, "head": 0},
        {"run": "r", "layer": 1, "head": 1.0},
        {"run": "r", "layer": -1, "head": None},
        {"run": "r"},
    ):
        assert send_whole_map(session, ask(**asked)) == gr.skip()
    assert send_whole_map(None, ask(run="r", layer=1, head=2)) == gr.skip()


def test_the_comparison_of_long_texts_is_bounded_and_shows_what_changed_most():
    clean = make_large_attribution(12, 2, 200)
    attribution = clean.attribution.copy()
    attribution[3, :, 7, 9] += 5.0
    trial = Trial(((),), clean=clean, triggered=replace(clean, attribution=attribution), status="done")
    message = json.loads(trial.build_message())
    assert (message["is_summed"], message["is_cut"]) == (False, True)
    assert 2 << 20 < measure_maps({"maps": {"all": dict(enumerate(message["maps"]))}}) < 1.01 * (4 << 20)
    layer = message["maps"][3]
    places = unpack(layer["index"], "<u4").reshape(2, -1)
    at = [np.flatnonzero(row == 7 * 200 + 9)[0] for row in places]
    values = {}
    for name in ("clean", "triggered"):
        scale = np.array(layer[name]["scale"])
        sent = unpack(layer[name]["data"], "<i2").reshape(2, -1) / 32767 * scale[:, None]
        values[name] = sent[[0, 1], at]
    np.testing.assert_allclose(values["triggered"] - values["clean"], 5.0, atol=1e-3)


def test_tokens_are_never_markup_on_the_way():
    text = build_payload(make_attribution(), run="r", status="done", seconds=0.5)
    assert "<" not in text
    assert json.loads(text)["tokens"][3] == "<b>"
