"""Faithfulness of a data set as a file: what is saved is loaded, what is damaged is refused, what is shipped fits."""

import json

import numpy as np
import pytest
from test_tree_pictures import make_dataset

from attattr_core import Settings, UserError, load_checkpoint
from attattr_core.checkpoints.catalog import EMBEDDED, find_folder
from attattr_core.results import (
    ORDERS,
    FaithfulnessFigures,
    dump_result,
    find_result,
    load_result,
    save_result,
    summarise_distances,
    summarise_mode,
)


def make_figures() -> FaithfulnessFigures:
    measured = make_dataset()
    return FaithfulnessFigures(
        checkpoint="sst2",
        revision="abc",
        data="sst2.tsv",
        data_sha256="0" * 64,
        n=5,
        seed=0,
        modes={mode: summarise_mode(measured) for mode in ("flow", "paper")},
        receptive_field=summarise_distances(measured.distances),
        settings=Settings(),
        versions={"python": "3.12"},
    )


def test_saved_figures_are_loaded_as_they_were(tmp_path):
    figures = make_figures()
    save_result(figures, tmp_path / "result.json")
    loaded = load_result(tmp_path / "result.json")
    assert dump_result(loaded) == dump_result(figures)
    for name in ("checkpoint", "revision", "data", "n", "seed", "settings", "versions"):
        assert getattr(loaded, name) == getattr(figures, name)
    for order in ORDERS:
        expected = figures.modes["paper"].curves[order]
        np.testing.assert_allclose(loaded.modes["paper"].curves[order].low, expected.low, atol=1e-6)
    np.testing.assert_array_equal(loaded.receptive_field.histogram, figures.receptive_field.histogram)
    assert np.isnan(loaded.receptive_field.quantiles[1]).all()


def test_distances_are_counted():
    field = summarise_distances(np.array([[[1, 3]], [[3, np.nan]]], float))
    assert field.histogram.tolist() == [[1, 0, 2]]
    np.testing.assert_allclose(field.quantiles[0], np.percentile([1, 3, 3], (5, 25, 50, 75, 95)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.clear(),
        lambda content: content.update(version=99),
        lambda content: content.update(counts=[0, 0, 1]),
        lambda content: content.update(counts=[]),
        lambda content: content.update(n=0),
        lambda content: content.update(modes={}),
        lambda content: content["modes"].update(oak=content["modes"]["flow"]),
        lambda content: content["modes"]["flow"]["tree"]["mean"].pop(),
        lambda content: content["modes"]["flow"]["tree"]["mean"].__setitem__(0, None),
        lambda content: content["modes"]["flow"]["wins"].update(random=1.5),
        lambda content: content["modes"]["flow"].update(n_edges_mean=float("inf")),
        lambda content: content["receptive_field"]["histogram"].pop(),
        lambda content: content["receptive_field"]["histogram"][0].__setitem__(0, -1),
        lambda content: content["settings"].update(rule="magic"),
        lambda content: content.update(versions=[]),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, spoil):
    content = json.loads(dump_result(make_figures()))
    spoil(content)
    (tmp_path / "result.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"^'result.json' is not a faithfulness result of this program"):
        load_result(tmp_path / "result.json")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="There is no file"):
        load_result(tmp_path / "none.json")
    for name, content in {"deep.json": b"[" * 100_000, "binary.json": b"\xff\xfe", "list.json": b"[]"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="is not a faithfulness result"):
            load_result(tmp_path / name)


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_shipped_results_belong_to_the_embedded_checkpoints(name):
    figures = load_result(find_result(name))
    assert (figures.checkpoint, figures.data, figures.n, figures.seed) == (name, f"{name}.tsv", 100, 0)
    assert set(figures.modes) == {"flow", "paper"}
    for mode in figures.modes.values():
        assert mode.whole["tree"].low > max(mode.whole["attention"].high, mode.whole["random"].high)
    if any(find_folder(name).glob("*.safetensors")):
        assert figures.revision == load_checkpoint(name, device="cpu").revision
