"""The jobs of the benchmark give what loops give, its operations are what they say, and growth is drawn; no timing."""

import json

import numpy as np
import pytest

from attattr_core import Settings
from attattr_core.checkpoints.catalog import find_folder
from tests.benchmarks import growth, jobs, operations
from tests.benchmarks.floor import count_layer, count_operations, count_replay
from tests.benchmarks.job_cases import CASES
from tests.benchmarks.models import build_bert

needs_weights = pytest.mark.skipif(
    not any(find_folder("sst2").glob("*.safetensors")),
    reason="the embedded checkpoint 'sst2' is not in this working tree",
)


@pytest.fixture(scope="module")
def model():
    return build_bert(n_layers=3, n_heads=4, hidden=32)


@needs_weights
@pytest.mark.parametrize("name", sorted(set(CASES) - {"mining"}))  # which takes some seconds, and is tested for parity
def test_a_job_gives_what_the_loop_gives(name):
    timing = jobs.measure(name, 2, 1)
    assert len(timing.job) == len(timing.loop) == len(timing.engine) == 1
    assert timing.share_of_loop > 0
    assert timing.share_of_engine == pytest.approx(
        timing.operations / timing.engine_operations * timing.engine[0] / timing.job[0]
    )
    assert jobs.format_row(timing).startswith(f"| {jobs.WORDS[name]} | 2 | ")


def test_other_results_are_refused():
    case = jobs.Case(job=None, loop=None, operations=1, tolerance=0.1)
    with pytest.raises(RuntimeError, match="must not be compared"):
        jobs._check(case, np.array([0.0, 1.0]), np.array([0.0, 1.2]))


def test_an_attribution_with_left_nodes_is_the_floor(model):
    settings = Settings(rule="left", n_steps=5)
    floor = count_operations(model, 7, 5, first_token_only=True)
    spared = sum(count_replay(model, 7, 1, layer, backward=False) for layer in range(3))  # F(A′) is that of α = 0
    spared += 3 * count_layer(model, 7, 7, backward=False) - operations.count_pass(model, 7, 3)  # of the top layer
    assert operations.count_attribution(model, 7, [5, 5, 5], settings) == floor - spared


def test_the_node_at_the_end_is_one_way_back(model):
    lobatto, left = Settings(rule="gauss-lobatto", n_steps=3), Settings(rule="left", n_steps=2)
    way_back = count_replay(model, 7, 1, 0, backward=True) - count_replay(model, 7, 1, 0, backward=False)
    found = [operations.count_attribution(model, 7, [n] * 3, one) for n, one in ((3, lobatto), (2, left))]
    assert found[0] - found[1] == way_back


def test_pruned_passes_share_their_lowest_layers(model):
    masks = np.ones((3, 3, 4), bool)
    masks[1:, 1, 0] = False  # from the second layer on
    masks[2, 2, 0] = False  # the third alone
    passes = [operations.count_pass(model, 7, n) for n in (3, 2, 1)]
    assert operations.count_pruned(model, 7, masks) == sum(passes)


def test_growth_is_measured_panel_by_panel_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setitem(growth.SIZES, "tokens", (3, 6))
    monkeypatch.setitem(growth.SIZES, "layers", (1, 2))
    file, picture = tmp_path / "growth.json", tmp_path / "growth.png"
    growth.main(["--panels", "tokens", "--json", str(file)])
    growth.main(["--panels", "layers", "--json", str(file), "--picture", str(picture)])
    panels = json.loads(file.read_text())
    assert list(panels) == ["tokens", "layers"]
    assert panels["layers"]["sizes"] == [1, 2]
    panel = growth.Panel(**panels["layers"])
    assert panel.measured[0] == panel.predicted[0] == 1
    assert panel.predicted[1] > 2
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(growth.draw({name: growth.Panel(**one) for name, one in panels.items()}).axes) == 2


@needs_weights
def test_growth_with_examples():
    panel = growth.measure("examples", (1, 2), 1)
    assert panel.predicted[1] > 1
    assert min(panel.seconds) > 0
