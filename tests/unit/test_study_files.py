"""Studies as files and tables: what is saved is loaded, what is damaged is refused in one sentence."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from attattr_core import Settings, UserError, load_checkpoint
from attattr_core.checkpoints.catalog import EMBEDDED, find_folder
from attattr_core.heads.plan import RATES, count_pruned
from attattr_core.heads.results import AreaDifference, HeadImportance, HeadStudy, PruningCurve
from attattr_core.heads.study_files import (
    dump_study,
    find_study,
    load_study,
    save_study,
    tabulate_areas,
    tabulate_curves,
    tabulate_importances,
)


def make_curve(method: str, direction: str, *, n_heads: int = 20, interval: str = "wilson") -> PruningCurve:
    n_pruned = count_pruned(RATES, (4, 5)) if n_heads == 20 else np.arange(n_heads + 1)
    metric = np.linspace(0.9, 0.5, len(n_pruned)) - (0.1 if direction == "most-first" else 0)
    return PruningCurve(
        method=method,
        direction=direction,
        n_pruned=n_pruned,
        n_heads=n_heads,
        metric=metric,
        low=metric - 0.05,
        high=metric + 0.05,
        area=0.7,
        area_low=0.65,
        area_high=0.75,
        interval=interval,
    )


def make_study(**changes) -> HeadStudy:
    values = np.random.default_rng(0).normal(size=(4, 5))
    versions = {"python": "3.12"}
    facts = {"model": "sst2", "revision": "abc", "data": "dev.tsv", "data_sha256": "0" * 64, "n_examples": 200}
    importances = {
        "attattr": HeadImportance(values, "attattr", **facts, settings=Settings(), versions=versions),
        '=two, "x"': HeadImportance(values**2, "taylor", seed=3),
    }
    ways = ("least-first", "most-first")
    random = {"direction": ways[0], "interval": "seeds"}
    study = HeadStudy(
        importances=importances,
        curves=(*(make_curve(name, way) for name in importances for way in ways), make_curve("random", **random)),
        layerwise=(make_curve("attattr", ways[1], n_heads=5), make_curve("random", n_heads=5, **random)),
        metric_name="accuracy",
        **facts,
        n_seeds=3,
        versions=versions,
        differences=(AreaDifference("attattr", "random", ways[0], False, 0.1, 0.05, 0.15),),
    )
    return replace(study, **changes)


def test_a_saved_study_is_loaded_as_it_was(tmp_path):
    study = make_study()
    save_study(study, tmp_path / "study.json")
    loaded = load_study(tmp_path / "study.json")
    assert dump_study(loaded) == dump_study(study)
    for name, importance in study.importances.items():
        np.testing.assert_array_equal(loaded.importances[name].values, importance.values)
        for fact in ("method", "model", "data_sha256", "n_examples", "seed", "settings", "versions"):
            assert getattr(loaded.importances[name], fact) == getattr(importance, fact)
    for name in ("metric_name", "model", "data", "n_examples", "n_seeds", "versions", "differences"):
        assert getattr(loaded, name) == getattr(study, name)
    np.testing.assert_array_equal(loaded.layerwise[0].n_pruned, study.layerwise[0].n_pruned)
    np.testing.assert_allclose(loaded.curves[1].high, study.curves[1].high, atol=1e-6)


def test_rates_and_metric_of_the_first_curve_stand_at_the_top():
    content = json.loads(dump_study(make_study()))
    assert content["rates"] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    np.testing.assert_allclose(content["metric"], make_study().curves[0].metric)
    every_head = make_study(curves=(make_curve("attattr", "least-first", n_heads=5),))
    assert json.loads(dump_study(every_head))["rates"] == [0, 0.2, 0.4, 0.6, 0.8, 1]
    unmeasured = json.loads(dump_study(make_study(curves=(), layerwise=())))
    assert (unmeasured["rates"], unmeasured["metric"]) == ([], [])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.clear(),
        lambda content: content.update(version=99),
        lambda content: content.update(format="attattr-tree"),
        lambda content: content.update(importances={}),
        lambda content: content.update(metric_name="f1"),
        lambda content: content.update(n_examples=-1),
        lambda content: content.update(n_seeds=True),
        lambda content: content.update(versions=[]),
        lambda content: content["importances"]["attattr"].update(head_importance=[[1, 2]]),
        lambda content: content["importances"]["attattr"].update(head_importance=[]),
        lambda content: content["importances"]["attattr"]["head_importance"][0].__setitem__(0, None),
        lambda content: content["importances"]["attattr"]["settings"].update(rule="magic"),
        lambda content: content["importances"]["attattr"].update(n_examples="many"),
        lambda content: content["curves"][0].update(n_heads=21),
        lambda content: content["curves"][0].update(direction="sideways"),
        lambda content: content["curves"][0].update(interval="guess"),
        lambda content: content["curves"][0].update(area=None),
        lambda content: content["curves"][0]["metric"].pop(),
        lambda content: content["curves"][0]["low"].__setitem__(0, None),
        lambda content: content["curves"][0]["n_pruned"].__setitem__(3, 99),
        lambda content: content["curves"][0]["n_pruned"].__setitem__(-1, 21),
        lambda content: content["layerwise"][0].update(n_heads=20),
        lambda content: content["differences"][0].update(low=None),
        lambda content: content["differences"][0].update(layerwise=0),
        lambda content: content["differences"][0].update(direction="up"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, spoil):
    content = json.loads(dump_study(make_study()))
    spoil(content)
    path = tmp_path / "study.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"^'study\.json' is not a study of heads by this program, or it is damaged"):
        load_study(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"format": NaN}'])
def test_no_study_at_all_is_refused(tmp_path, content):
    path = tmp_path / "study.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"'study\.json' is not a study"):
        load_study(path)
    with pytest.raises(UserError, match="There is no file"):
        load_study(tmp_path / "other.json")


def read_table(text: str) -> list[dict[str, str]]:
    rows = list(csv.DictReader(text.splitlines()))
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


def test_tables():
    study = make_study()
    points = read_table(tabulate_curves(study))
    assert len(points) == 5 * 11 + 2 * 6
    assert points[12] == {
        "curve": "model",
        "method": "attattr",
        "direction": "most-first",
        "n_pruned": "2",
        "n_heads": "20",
        "rate": "0.1",
        "accuracy": "0.76",
        "low": "0.71",
        "high": "0.81",
        "interval": "wilson",
    }
    areas = read_table(tabulate_areas(study))
    assert [row["method"] for row in areas[:2]] == ["attattr", "attattr"]
    assert areas[2]["method"] == '\'=two, "x"'  # no formula
    assert (areas[-1]["minus"], areas[-1]["area"]) == ("random", "0.1")
    heads = read_table(tabulate_importances(study.importances))
    assert len(heads) == 20
    assert (heads[7]["layer"], heads[7]["head"]) == ("2", "3")
    assert float(heads[7]["attattr"]) == pytest.approx(study.importances["attattr"].values[1, 2])


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_studies_that_come_with_the_program_are_of_its_checkpoints(name):
    study = load_study(find_study(name))
    assert {"attattr", "taylor", "attention", "ablation"} <= set(study.importances)
    assert study.n_seeds >= 10
    methods = {(curve.method, curve.direction) for curve in study.curves}
    assert {(method, way) for method in study.importances for way in ("least-first", "most-first")} < methods
    assert ("random", "least-first") in methods
    assert study.layerwise
    if any(find_folder(name).glob("*.safetensors")):
        checkpoint = load_checkpoint(name, device="cpu")
        assert {study.revision, *(found.revision for found in study.importances.values())} == {checkpoint.revision}
