"""The authors' own pruning curves, from their own importances: each point within one example of theirs.

They are read from ``../shared/golden`` and are no part of the repository.
"""

import json

import numpy as np
import pytest

from attattr_core import load_checkpoint
from attattr_core.datasets import read_examples
from attattr_core.heads.plan import RATES
from attattr_core.heads.pruning import measure_curves
from attattr_core.heads.results import HeadImportance

FILES = {"sst-2": "dev.tsv", "mnli": "dev_matched.tsv"}


@pytest.mark.parametrize("task", FILES)
def test_the_curves_are_those_of_the_authors_code(golden, task):
    folder = golden / task
    checkpoint = load_checkpoint(folder / "checkpoint", device="cpu")
    examples = read_examples(folder / "data" / FILES[task], labels=checkpoint.labels)
    importances = {}
    for method in ("attr", "taylor"):
        values = json.loads((folder / f"head_importance_{method}.json").read_text(encoding="utf-8"))
        importances[method] = HeadImportance(np.reshape(values, (12, 12)), method)
    *_, last = measure_curves(checkpoint, examples, importances, directions=("least-first",), n_seeds=0)
    assert [curve.method for curve in last.study.curves] == ["attr", "taylor"]
    for curve in last.study.curves:
        expected = json.loads((folder / f"prune_result_{curve.method}.json").read_text(encoding="utf-8"))
        np.testing.assert_allclose(curve.rates, RATES, atol=1 / 144)
        assert np.rint(np.abs(curve.metric - expected) * len(examples)).max() <= 1
        assert np.ptp(expected) > 0.2
