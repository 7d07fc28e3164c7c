"""The contestants of the benchmark compute the same thing, and its floor counts what it says; nothing is timed."""

import pytest
import torch

from attattr_core import load_checkpoint
from attattr_core.checkpoints.catalog import find_folder
from attattr_core.settings import Settings
from tests.benchmarks import faithfulness
from tests.benchmarks.contestants import Authors, Captum, Ours
from tests.benchmarks.engine import LARGEST_DIFFERENCE, compare
from tests.benchmarks.floor import count_operations
from tests.benchmarks.models import build_bert

N_TOKENS, N_NODES = 7, 4


@pytest.fixture(scope="module")
def model():
    return build_bert(n_layers=3, n_heads=4, hidden=32, scale=0.25)


@pytest.fixture(scope="module")
def inputs():
    ids = torch.arange(5, 5 + N_TOKENS)[None]
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@pytest.mark.parametrize("plain", [True, False])
def test_authors_procedure_gives_the_engines_attribution(model, inputs, plain):
    ours = Ours(model, inputs, Settings(rule="left", n_steps=N_NODES))
    authors = Authors(model, inputs, N_NODES, plain=plain)
    assert compare({"ours": ours, "authors": authors}, range(3)) < LARGEST_DIFFERENCE
    assert float(next(ours.attribute([0])).abs().max()) > 100 * LARGEST_DIFFERENCE  # so agreement means something


def test_authors_batches_add_up(model, inputs):
    ours = Ours(model, inputs, Settings(rule="left", n_steps=32))
    assert compare({"ours": ours, "authors": Authors(model, inputs, 32, plain=True)}, [1]) < LARGEST_DIFFERENCE


@pytest.mark.parametrize(("method", "rule"), [("riemann_left", "left"), ("gausslegendre", "gauss-legendre")])
def test_captum_gives_the_engines_attribution(model, inputs, method, rule):
    pytest.importorskip("captum", reason="captum is not installed: pip install -r tests/benchmarks/requirements.txt")
    ours = Ours(model, inputs, Settings(rule=rule, n_steps=N_NODES))
    assert compare({"ours": ours, "captum": Captum(model, inputs, N_NODES, method)}, range(3)) < LARGEST_DIFFERENCE


def test_contestants_leave_the_model_as_it_was(model, inputs):
    before = [parameter.requires_grad for parameter in model.parameters()]
    implementation = model.config._attn_implementation
    authors = Authors(model, inputs, N_NODES, plain=True)
    authors.start()
    list(authors.attribute([1]))
    assert [parameter.requires_grad for parameter in model.parameters()] == before
    assert model.config._attn_implementation == implementation


def test_different_results_are_refused(model, inputs):
    few, many = (Ours(model, inputs, Settings(rule="left", n_steps=n)) for n in (2, 50))
    with pytest.raises(RuntimeError, match="must not be compared"):
        compare({"few": few, "many": many}, range(3))


def test_floor_of_one_layer_by_hand():
    model = build_bert(n_layers=1, n_heads=1, hidden=2, inner=4)
    own = 2 * (2 * 2 + 2 * 2 * 4)  # output projection and feed-forward of one row, forward
    clean = 3 * (own + 2 * 3 * 2 * 2) + 4 * 3 * 3 * 2  # three rows, Q, K and V, Q Kᵀ and A V
    assert count_operations(model, 3, 5, first_token_only=True) == clean + 5 * 2 * own + own + 4 * 3 * 3 * 2
    assert count_operations(model, 3, 5, first_token_only=False) == clean + 3 * (5 * 2 * own + own) + 4 * 3 * 3 * 2


def test_curves_and_plain_passes_are_timed():
    if not any(find_folder("sst2").glob("*.safetensors")):
        pytest.skip("the embedded checkpoint 'sst2' is not in this working tree")
    timing = faithfulness.measure(load_checkpoint("sst2", device="cpu"), 9, 1)
    assert abs(timing.n_tokens - 9) <= 1
    assert len(timing.curves) == len(timing.plain) == 1
    assert timing.ratio > 0
