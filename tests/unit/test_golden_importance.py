"""Head importance as the authors' own scripts measured it on the first 16 dev examples of two tasks, batch size 1.

The files are read from ``../shared/golden`` and are no part of the repository.
"""

import json

import numpy as np
import pytest

from attattr_core import Settings, load_checkpoint
from attattr_core.datasets import read_examples
from attattr_core.heads.importance import measure_importance

FILES = {"sst-2": "dev.tsv", "mnli": "dev_matched.tsv"}
LEFT = Settings(rule="left", n_steps=20)


@pytest.mark.parametrize("task", FILES)
@pytest.mark.parametrize(
    ("method", "settings", "name"), [("attattr", LEFT, "attr"), ("taylor-authors", None, "taylor")], ids=str
)
def test_importance_is_that_of_the_authors_code(golden, task, method, settings, name):
    folder = golden / task
    checkpoint = load_checkpoint(folder / "checkpoint", device="cpu")
    examples = read_examples(folder / "data" / FILES[task], labels=checkpoint.labels)
    *_, last = measure_importance(checkpoint, examples, method, n_examples=16, settings=settings)
    expected = np.reshape(json.loads((folder / f"head_importance_{name}.json").read_text("utf-8")), (12, 12))
    assert last.n_done == last.n_total == last.importance.n_examples == 16
    np.testing.assert_allclose(last.importance.values, expected, atol=1e-6 * np.abs(expected).max(), rtol=0)
