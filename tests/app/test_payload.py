"""The message to the browser: exact to 16 bits, small, and never markup."""

import base64
import json
import zlib

import numpy as np
import pytest
from samples import make_attribution

from attattr_core.ui import payload
from attattr_core.ui.payload import build_payload


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


def test_only_the_layers_named_are_sent():
    assert set(build(make_attribution(), layers=[1])["maps"]) == {"1"}


def test_long_texts_send_their_strongest_entries(monkeypatch):
    monkeypatch.setattr(payload, "MAX_DENSE_BYTES", 100)
    monkeypatch.setattr(payload, "_SPARSE_ENTRIES_PER_TOKEN", 2)
    attribution = make_attribution()
    part = build(attribution)["maps"]["1"]["attribution"]
    places = unpack(part["index"], "<u4").reshape(3, part["k"])
    flat = np.abs(attribution.attribution[1].reshape(3, -1))
    strongest = np.sort(np.argsort(-flat, axis=1)[:, :16], axis=1)
    np.testing.assert_array_equal(places, strongest)
    values = unpack(part["data"], "<i2").reshape(3, 16) / 32767 * np.array(part["scale"])[:, None]
    np.testing.assert_allclose(
        values, np.take_along_axis(attribution.attribution[1].reshape(3, -1), strongest, 1), atol=1e-4
    )


def test_tokens_are_never_markup_on_the_way():
    text = build_payload(make_attribution(), run="r", status="done", seconds=0.5)
    assert "<" not in text
    assert json.loads(text)["tokens"][3] == "<b>"
