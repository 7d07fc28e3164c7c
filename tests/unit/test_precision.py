"""Less precise nodes: what stays float32, what is refused, and what is kept of the choice in files."""

import json
import threading

import numpy as np
import pytest
import torch
from engine_cases import EXAMPLES, TEXT
from importance_cases import build_examples
from random_models import build_checkpoint

from attattr_core import Settings, UserError, attribute, attribute_batch, load_attribution, save_attribution
from attattr_core.__main__ import main
from attattr_core.engine.passes import attend_plainly
from attattr_core.engine.precision import computing
from attattr_core.engine.stopping import ask, asking
from attattr_core.heads.importance import measure_importance
from attattr_core.heads.importance_files import dump_importance, load_importance
from attattr_core.settings import GAP_FLOOR

FIXED = {"rule": "gauss-lobatto", "n_steps": 5}
CARD = torch.device("cuda")


def read_switches() -> tuple[str, str]:
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision


needs_switches = pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="this PyTorch has the older switches only"
)


@pytest.mark.parametrize("family", ["bert", "mpnet", "modernbert", "squeezebert", "gpt2", "mistral", "t5", "bart"])
def test_only_the_nodes_are_less_precise(family):
    checkpoint = build_checkpoint(family, dtype=torch.float32)
    exact = attribute_batch(checkpoint, EXAMPLES[:4], settings=Settings(**FIXED))
    found = attribute_batch(checkpoint, EXAMPLES[:4], settings=Settings(**FIXED, precision="bfloat16"))
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_array_equal(one.attention, other.attention)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert one.output == other.output
        np.testing.assert_allclose(one.baseline_output, other.baseline_output, atol=1e-6, rtol=0)
        difference = np.abs(one.attribution - other.attribution).max() / np.abs(other.attribution).max()
        assert 1e-4 < difference < 0.1


def test_the_delta_tells_what_bfloat16_costs():
    checkpoint = build_checkpoint("bert", dtype=torch.float32)
    result = attribute(checkpoint, TEXT, settings=Settings(rule="gauss-lobatto", n_steps=33, precision="bfloat16"))
    sums = result.attribution.astype(np.float64).sum((1, 2, 3))
    change = result.output - result.baseline_output
    np.testing.assert_allclose(result.convergence_delta, sums - change, atol=1e-6, rtol=0)
    assert 1e-5 < np.abs(result.convergence_delta).max() < 0.02


def test_rounding_does_not_raise_the_nodes_in_vain():
    """A tolerance that float32 meets with at most 33 nodes; in bfloat16 no number of them does."""
    checkpoint = build_checkpoint("roberta", dtype=torch.float32)
    found = attribute_batch(checkpoint, EXAMPLES, settings=Settings(tolerance=1e-6, precision="bfloat16"))
    open_layers = np.concatenate([~result.converged for result in found])
    nodes = np.concatenate([result.n_nodes for result in found])
    assert open_layers.any()
    assert nodes.max() < 65
    exact = attribute_batch(checkpoint, EXAMPLES, settings=Settings(tolerance=1e-6))
    assert nodes.mean() < np.concatenate([result.n_nodes for result in exact]).mean()


def test_the_floor_of_the_gap_is_that_of_the_precision():
    one = np.float64(0.5)
    assert Settings().compute_largest_gap(one, one) == GAP_FLOOR
    assert Settings(precision="tf32").compute_largest_gap(one, one) == pytest.approx(1e-4)
    assert Settings(precision="bfloat16").compute_largest_gap(one, one) == pytest.approx(1e-3)
    assert Settings(precision="bfloat16").compute_largest_gap(one, -one) == pytest.approx(1e-2)


def test_a_query_that_may_attend_to_nothing_attends_to_all_alike():
    query, key, value = torch.randn(3, 1, 2, 4, 8).bfloat16().unbind()
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 1, :] = torch.finfo(torch.float32).min
    with torch.autocast("cpu", torch.bfloat16):
        found = attend_plainly(query, key, value, mask, 0.5)
    exact = attend_plainly(query.float(), key.float(), value.float(), mask, 0.5)
    torch.testing.assert_close(found.float(), exact, atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    ("precision", "family", "dtype", "sentence"),
    [
        ("tf32", "bert", torch.float32, "device 'cpu' does not compute in tf32.*choose the precision float32"),
        ("bfloat16", "bert", torch.float64, r"The model is float64.*model\.float\(\)"),
        ("bfloat16", "deberta-v2", torch.float32, "'deberta-v2' do not compute in bfloat16: choose tf32 or float32"),
    ],
)
def test_what_cannot_be_had_is_refused(precision, family, dtype, sentence):
    with pytest.raises(UserError, match=sentence):
        attribute(build_checkpoint(family, dtype=dtype), TEXT, settings=Settings(precision=precision))


def test_an_unknown_precision():
    with pytest.raises(UserError, match="Unknown precision 'half': choose one of float32, tf32, bfloat16"):
        Settings(precision="half")


@needs_switches
@pytest.mark.parametrize(("precision", "value"), [("float32", "ieee"), ("tf32", "tf32"), ("bfloat16", "ieee")])
def test_a_cards_switches_are_set_and_set_back(precision, value):
    before, found = read_switches(), []

    def fail() -> None:
        with computing(precision, CARD):
            found.append(read_switches())
            with computing("float32", CARD):
                found.append(read_switches())
            found.append(read_switches())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert found == [(value, value), ("ieee", "ieee"), (value, value)]
    assert read_switches() == before


@needs_switches
def test_work_that_waits_for_its_turn_keeps_no_switch_from_others():
    before, found = read_switches(), []

    def other() -> None:
        with computing("tf32", CARD):
            found.append(read_switches())

    def wait() -> None:
        found.append(read_switches())
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "who has the turn waits for the switches of one who waits for the turn"

    with asking(wait), computing("tf32", CARD), computing("float32", CARD):
        ask()
        assert read_switches() == ("ieee", "ieee")
    assert found == [before, ("tf32", "tf32")]
    assert read_switches() == before


@needs_switches
def test_threads_do_not_find_each_others_switch():
    inside, found = threading.Event(), []

    def run() -> None:
        inside.wait(10)
        with computing("float32", CARD):
            found.append(read_switches()[0])

    thread = threading.Thread(target=run)
    thread.start()
    with computing("tf32", CARD):
        inside.set()
        thread.join(0.2)
        assert thread.is_alive()  # it waits
        assert not found
    thread.join(10)
    assert found == ["ieee"]


def test_files_keep_the_precision_and_old_ones_are_float32(tmp_path):
    assert "precision" not in Settings().as_dict()
    assert Settings(**Settings().as_dict()) == Settings()
    assert Settings(precision="tf32").as_dict()["precision"] == "tf32"
    settings = Settings(n_steps=1, precision="bfloat16")
    checkpoint = build_checkpoint("bert", dtype=torch.float32)
    for suffix in (".npz", ".json"):
        save_attribution(attribute(checkpoint, TEXT, settings=settings), tmp_path / f"result{suffix}")
        assert load_attribution(tmp_path / f"result{suffix}").settings == settings
    *_, last = measure_importance(checkpoint, build_examples(), settings=settings)
    (tmp_path / "importance.json").write_text(dump_importance(last.importance))
    assert load_importance(tmp_path / "importance.json").settings == settings


def test_a_job_does_not_go_on_in_another_precision(tmp_path):
    checkpoint, state = build_checkpoint("bert", dtype=torch.float32), tmp_path / "state"
    steps = measure_importance(checkpoint, build_examples(), settings=Settings(n_steps=1), state=state)
    list(steps)
    assert "precision" not in json.loads(state.read_text())["key"]["settings"]  # files of before go on
    with pytest.raises(UserError, match="keeps other work than this"):
        measure_importance(
            checkpoint, build_examples(), settings=Settings(n_steps=1, precision="bfloat16"), state=state
        )


def test_the_command_line(tmp_path, capsys):
    path = tmp_path / "out.json"
    arguments = ["attribute", "--model", "sst2", "--text", "A small miracle.", "--output", str(path)]
    assert main([*arguments, "--n-steps", "1", "--precision", "bfloat16"]) == 0
    assert load_attribution(path).settings == Settings(n_steps=1, precision="bfloat16")
    assert main([*arguments, "--precision", "tf32", "--device", "cpu"]) == 2
    assert "error: The device 'cpu' does not compute in tf32" in capsys.readouterr().err
    heads = ["heads", "--model", "sst2", "--method", "taylor", "--output", str(path)]
    assert main([*heads, "--precision", "bfloat16"]) == 2
    assert "--precision belong to attattr, not to taylor" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("tf32", 1e-2), ("bfloat16", 0.1)])
def test_a_gpu_gives_what_the_cpu_gives_in_float64(precision, tolerance):
    exact = attribute_batch(build_checkpoint("bert"), EXAMPLES, settings=Settings(**FIXED))
    checkpoint = build_checkpoint("bert", dtype=torch.float32)
    checkpoint.model.to("cuda")
    before = read_switches()
    found = attribute_batch(checkpoint, EXAMPLES, settings=Settings(**FIXED, precision=precision))
    assert read_switches() == before
    for one, other in zip(found, exact, strict=True):
        difference = np.abs(one.attribution - other.attribution).max() / np.abs(other.attribution).max()
        assert difference < tolerance
        assert abs(one.output - other.output) < 1e-6
