"""The contestants of the benchmark of head importance measure the same thing; nothing is timed."""

from dataclasses import replace

import numpy as np
import pytest

from attattr_core import load_checkpoint
from attattr_core.checkpoints.catalog import find_folder
from attattr_core.datasets import read_examples
from tests.benchmarks import heads


def test_all_ways_find_the_same_importance():
    if not any(find_folder("sst2").glob("*.safetensors")):
        pytest.skip("the embedded checkpoint 'sst2' is not in this working tree")
    checkpoint = load_checkpoint("sst2", device="cpu")
    examples = read_examples(heads.DATA, labels=checkpoint.labels)
    examples = replace(examples, examples=examples.examples[:1])
    timings = heads.measure(checkpoint, examples)
    adaptive = [timing.importance for name, timing in timings.items() if "left" not in name]
    left = [timing.importance for name, timing in timings.items() if "left" in name]
    assert (len(adaptive), len(left)) == (2, 4)
    for same in (adaptive, left):
        for importance in same[1:]:
            np.testing.assert_allclose(importance, same[0], atol=2e-5 * np.abs(same[0]).max(), rtol=0)
    gaps, changes = heads.measure_misses(checkpoint, examples, heads.LEFT)
    assert gaps.shape == changes.shape == (6,)
