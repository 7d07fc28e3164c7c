"""The authors' own results: attention, attribution, tokens and predictions of the first four dev examples of two tasks.

They are read from ``../shared/golden`` and are no part of the repository.
"""

import csv
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from attattr_core import Checkpoint, Settings, attribute, attribute_batch, load_checkpoint

AUTHORS = Settings(rule="left", n_steps=64)
FILES = {"sst-2": ("dev.tsv", ("sentence",)), "mnli": ("dev_matched.tsv", ("sentence1", "sentence2"))}

every_example = pytest.mark.parametrize(("task", "index"), [(task, index) for task in FILES for index in range(4)])


@cache
def load(folder: Path) -> Checkpoint:
    return load_checkpoint(folder / "checkpoint", device="cpu")


def read_texts(folder: Path, index: int) -> tuple[str, ...]:
    name, columns = FILES[folder.name]
    with (folder / "data" / name).open(encoding="utf-8", newline="") as file:
        row = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[index]
    return tuple(row[column] for column in columns)


@every_example
def test_attention_and_attribution_are_those_of_the_authors_code(golden, task, index):
    folder = golden / task
    result = attribute(load(folder), *read_texts(folder, index), settings=AUTHORS)
    with np.load(folder / f"example_{index}.npz") as expected:
        assert result.attribution.dtype == result.attention.dtype == np.float32
        np.testing.assert_allclose(result.attribution, expected["attribution"], atol=2e-7, rtol=0)
        np.testing.assert_allclose(result.attention, expected["attention"], atol=1e-6, rtol=0)
        assert np.abs(expected["attribution"]).max() > 1e-3


@every_example
def test_tokens_and_prediction_are_those_of_the_authors_code(golden, task, index):
    folder = golden / task
    expected = json.loads((folder / "tokens_and_pred_40.json").read_text(encoding="utf-8"))[index]
    result = attribute(load(folder), *read_texts(folder, index), settings=Settings(n_steps=1))
    assert list(result.tokens) == expected["tokens"]
    name = result.labels[result.prediction]
    assert expected["pred"] in (name, str(result.prediction))
    logits = np.array(expected["pred_logits"][0])
    probabilities = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(result.probabilities, probabilities, atol=1e-6, rtol=0)
    for target, logit in enumerate(logits):
        logit_only = Settings(n_steps=1, function="logit")
        found = attribute(load(folder), *read_texts(folder, index), target=target, settings=logit_only).output
        assert found == pytest.approx(logit, abs=5e-6)


@pytest.mark.parametrize("task", FILES)
def test_the_authors_numbers_come_out_of_a_batch_as_well(golden, task):
    folder = golden / task
    results = attribute_batch(load(folder), [read_texts(folder, index) for index in range(4)], settings=AUTHORS)
    for index, result in enumerate(results):
        with np.load(folder / f"example_{index}.npz") as expected:
            np.testing.assert_allclose(result.attribution, expected["attribution"], atol=2e-7, rtol=0)


@pytest.mark.parametrize("task", FILES)
def test_the_authors_sum_is_within_its_own_error_of_the_exact_integral(golden, task):
    folder = golden / task
    texts = read_texts(folder, 0)
    theirs = attribute(load(folder), *texts, settings=AUTHORS)
    exact = attribute(load(folder), *texts, settings=Settings(tolerance=1e-3))
    assert exact.converged.all()
    gap = np.abs(theirs.convergence_delta).max()
    assert np.abs(exact.convergence_delta).max() < gap / 5
    difference = np.abs(theirs.attribution.sum((1, 2, 3)) - exact.attribution.sum((1, 2, 3)))
    np.testing.assert_allclose(difference, np.abs(theirs.convergence_delta), atol=gap / 5)
