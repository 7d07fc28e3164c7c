"""The benchmarks of a card and of its precisions run on a processor; nothing is timed."""

import numpy as np
import pytest
import torch

from attattr_core import load_checkpoint
from attattr_core.checkpoints.catalog import find_folder
from tests.benchmarks import gpu
from tests.benchmarks.models import build_bert
from tests.benchmarks.precision import attribute_all, choose_texts, compare, round_to_tf32


def test_the_benchmark_of_a_card_runs(capsys):
    gpu.main(["--device", "cpu", "--quick"])
    printed = capsys.readouterr().out
    assert "tf32: The device 'cpu' does not compute in tf32" in printed
    begin = ("| float32 | 2 |", "| bfloat16 | 2 |")
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith(begin)]
    assert len(rows) == 2
    assert all(float(row[2]) > 0 for row in rows)


def test_operations_by_hand():
    """Of one layer and token: the passes of the nodes below α = 1, the clean one, and F(A′) where no node gives it."""
    model = build_bert(n_layers=1, n_heads=1, hidden=2, inner=4)
    own = 2 * (2 * 2 + 2 * 2 * 4)  # output projection and feed-forward, forward
    clean = own + 2 * 3 * 2 * 2 + 4 * 2  # with Q, K and V, Q Kᵀ and A V
    assert gpu.count_work(model, 1, 5, "float32") == clean + 4 * 2 * own + 4 * 2
    assert gpu.count_work(model, 1, 5, "tf32") == clean + 4 * 2 * own + own + 4 * 2


def test_a_device_that_is_not_there(capsys):
    with pytest.raises(SystemExit):
        gpu.main(["--device", "cuda:99"])
    assert "'cuda:99'" in capsys.readouterr().err


def test_tf32_keeps_ten_bits():
    values = torch.tensor([1.0, 1 + 2**-10, 1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-12, -(1 + 3 * 2**-11), 0.0])
    wanted = torch.tensor([1.0, 1 + 2**-10, 1.0, 1 + 2**-9, 1.0, -(1 + 2**-9), 0.0])
    torch.testing.assert_close(round_to_tf32(values), wanted, atol=0, rtol=0)


def test_precisions_are_ordered_by_what_they_change():
    if not any(find_folder("sst2").glob("*.safetensors")):
        pytest.skip("the embedded checkpoint 'sst2' is not in this working tree")
    checkpoint, texts = load_checkpoint("sst2", device="cpu"), choose_texts("sst2", 1)
    exact, *others = (attribute_all(checkpoint, texts, name) for name in ("float32", "tf32", "bfloat16"))
    tf32, bfloat16 = (compare(exact, found) for found in others)
    assert 0 < tf32.difference[0] < bfloat16.difference[0] < 0.2
    assert 0.9 < bfloat16.importance <= 1
    assert np.all(tf32.kept >= 0.9)
