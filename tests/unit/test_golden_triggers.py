"""The authors' own triggers and what they do, on two tasks: the same patterns, and accuracies within one example.

They are read from ``../shared/golden`` and are no part of the repository.
"""

import json

import numpy as np
import pytest
from test_golden import FILES, load

from attattr_core.datasets import read_examples
from attattr_core.engine import chunks
from attattr_core.triggers.entries import read_trigger, write_trigger
from attattr_core.triggers.evaluation import evaluate_triggers
from attattr_core.triggers.mining import mine_triggers
from attattr_core.triggers.results import TriggerSet

LEAST = {"sst-2": 15, "mnli": 0}


@pytest.mark.parametrize("task", FILES)
def test_patterns_are_those_of_the_authors_code(golden, task, monkeypatch):
    monkeypatch.setattr(chunks, "CPU_TOKENS", 1 << 14)  # for a model this small, larger chunks are faster
    folder = golden / task
    expected = json.loads((folder / "trigger_patterns_top10_of_20.json").read_text(encoding="utf-8"))
    checkpoint = load(folder)
    examples = read_examples(folder / "data" / "train.tsv", labels=checkpoint.labels)
    *_, last = mine_triggers(checkpoint, examples, n_examples=20, min_tokens=LEAST[task])
    assert last.n_done == last.n_total
    entries = [write_trigger(trigger) for trigger in last.triggers.triggers[:10]]
    for entry, theirs in zip(entries, expected, strict=True):
        assert {name: entry[name] for name in theirs if name != "max_combined_attr"} == {
            name: value for name, value in theirs.items() if name != "max_combined_attr"
        }
        np.testing.assert_allclose(entry["max_combined_attr"], theirs["max_combined_attr"], atol=2e-7, rtol=0)


@pytest.mark.parametrize("task", FILES)
def test_accuracies_are_those_of_the_authors_code(golden, task):
    folder = golden / task
    (path,) = folder.glob("trigger_evaluation_first_*.json")
    expected = json.loads(path.read_text(encoding="utf-8"))
    checkpoint = load(folder)
    examples = read_examples(folder / "data" / FILES[task][0], labels=checkpoint.labels)
    triggers = TriggerSet(tuple(map(read_trigger, expected)), mode="paper", labels=checkpoint.labels)
    *_, last = evaluate_triggers(checkpoint, examples, triggers, n_seeds=0)
    assert len(last.study.results) == len(expected)
    for theirs, result in zip(expected, last.study.results, strict=True):
        accuracies = np.array([theirs[label] for label in checkpoint.labels])
        gaps = np.abs(result.after.accuracy - accuracies) * last.study.n_by_class
        assert gaps.max() < 1 + 1e-9
        assert gaps.sum() < 1 + 1e-9
    assert last.study.n_by_class.sum() == 200
