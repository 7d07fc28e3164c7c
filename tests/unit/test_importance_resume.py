"""A measurement that was stopped or killed goes on to the result that it would have had, bit for bit."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from importance_cases import build_examples
from random_models import build_checkpoint, save_tiny_classifier

from attattr_core import Checkpoint, Settings, UserError, load_checkpoint
from attattr_core.datasets import read_examples
from attattr_core.engine.products import find_product
from attattr_core.heads import importance as importance_module
from attattr_core.heads.importance import measure_importance
from attattr_core.heads.results import METHODS

SETTINGS = Settings(n_steps=2)
KILLED = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from attattr_core import load_checkpoint
from attattr_core.datasets import read_examples
from attattr_core.files import work_files
from attattr_core.heads.importance import measure_importance
work_files._REST = 0  # writes after every batch
model, data, state = sys.argv[1:]
own, n_calls = os.fsync, 0
def sync(file):
    global n_calls
    own(file)
    n_calls += 1
    if n_calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)  # the new file is there, but not in the place of the old one
os.fsync = sync
for step in measure_importance(load_checkpoint(model, device="cpu"), read_examples(data), state=state):
    print(step.n_done, flush=True)
"""


@pytest.fixture
def checkpoint() -> Checkpoint:
    return build_checkpoint("bert", dtype=torch.float32)


def measure(checkpoint: Checkpoint, method="attattr", examples=None, **options) -> np.ndarray:
    settings = SETTINGS if method == "attattr" else None
    steps = measure_importance(checkpoint, examples or build_examples(), method, settings=settings, **options)
    *_, last = steps
    assert last.n_done == last.n_total
    return last.importance.values


def stop_after(n_examples: int, checkpoint: Checkpoint, method: str, state) -> None:
    """Stops as soon as so many examples are done."""
    settings = SETTINGS if method == "attattr" else None
    steps = measure_importance(checkpoint, build_examples(), method, settings=settings, state=state)
    for step in steps:
        if step.n_done >= n_examples:
            break
    steps.close()
    assert 0 < step.n_done < step.n_total


@pytest.mark.parametrize("method", METHODS[:-1])
def test_a_closed_measurement_goes_on_to_the_same_result(checkpoint, tmp_path, monkeypatch, method):
    state, whole = tmp_path / "state", measure(checkpoint, method)
    stop_after(3, checkpoint, method, state)
    n_batches = []
    own = importance_module.measure_batch
    monkeypatch.setattr(importance_module, "measure_batch", lambda *parts: n_batches.append(1) or own(*parts))
    np.testing.assert_array_equal(measure(checkpoint, method, state=state), whole)
    n_left = len(n_batches)
    np.testing.assert_array_equal(measure(checkpoint, method), whole)
    assert 0 < n_left < len(n_batches) - n_left  # what was done was not done again
    np.testing.assert_array_equal(measure(checkpoint, method, state=state), whole)  # all is done
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill that way")
def test_a_killed_job_goes_on_to_the_same_result(tmp_path):
    """Killed at the worst moment, between writing the new state and putting it in the place of the old one."""
    save_tiny_classifier(tmp_path / "model", hidden=32, inner=64, n_positions=64)
    rows = [f"{'the film is good ' * (1 + index % 9)}\t{index % 2}" for index in range(24)]
    data = tmp_path / "data.tsv"
    data.write_text("sentence\tlabel\n" + "\n".join(rows) + "\n", encoding="utf-8")
    state = tmp_path / "state"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "model"), str(data), str(state)]
    killed = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    n_done = int(killed.stdout.split()[-1])
    assert 0 < n_done < 24
    assert list(tmp_path.glob("state.*.new"))
    checkpoint, examples = load_checkpoint(tmp_path / "model", device="cpu"), read_examples(data)
    first, *_, last = measure_importance(checkpoint, examples, state=state)
    assert first.n_done == n_done
    *_, whole = measure_importance(checkpoint, examples)
    np.testing.assert_array_equal(last.importance.values, whole.importance.values)
    assert np.abs(whole.importance.values).max() > 1e-6


def test_the_matrix_product_that_the_work_began_with_is_kept(checkpoint, tmp_path, monkeypatch):
    """Which product is faster is timed anew in every process, and the two round differently."""
    seen = []
    own = importance_module.measure_batch

    def watch(*parts):
        for step in own(*parts):
            seen.append(find_product())
            yield step

    monkeypatch.setattr(importance_module, "measure_batch", watch)
    state = tmp_path / "state"
    stop_after(1, checkpoint, "attention", state)
    content = json.loads(state.read_text())
    for onednn in (False, True):
        seen.clear()
        state.write_text(json.dumps({**content, "onednn": onednn}))
        measure(checkpoint, "attention", state=state)
        assert set(seen) <= {onednn, False}  # False where the processor has no such product
        assert json.loads(state.read_text())["onednn"] is onednn


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda c, e: measure_importance(c, e, "taylor", state=c.state), "method: attention, not taylor"),
        (lambda c, e: measure_importance(c, e, "attention", n_examples=2, state=c.state), "n_examples|data"),
        (lambda c, e: measure_importance(c, e, "attention", seed=1, state=c.state), "data: "),
    ],
)
def test_a_state_of_other_work_is_refused(checkpoint, tmp_path, change, name):
    state = tmp_path / "state"
    stop_after(1, checkpoint, "attention", state)
    object.__setattr__(checkpoint, "state", state)
    with pytest.raises(UserError, match=f"'state' keeps other work than this .*{name}.*delete it to start anew"):
        change(checkpoint, build_examples())


def test_other_weights_data_or_settings_are_other_work(checkpoint, tmp_path):
    state = tmp_path / "state"
    stop_after(1, checkpoint, "attattr", state)
    with pytest.raises(UserError, match="settings"):
        measure_importance(checkpoint, build_examples(), state=state)
    with pytest.raises(UserError, match="data"):
        measure_importance(checkpoint, build_examples(labels=(1, 2, 1, 1, 0, 2)), settings=SETTINGS, state=state)
    with torch.no_grad():
        checkpoint.model.classifier.bias += 1
    with pytest.raises(UserError, match="model"):
        measure_importance(checkpoint, build_examples(), settings=SETTINGS, state=state)
    named = replace(checkpoint, revision="abc")
    with pytest.raises(UserError, match=r"model: .*, not abc"):
        measure_importance(named, build_examples(), settings=SETTINGS, state=state)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: "",
        lambda content: "[]",
        lambda content: '{"format": "attattr-importance-state"}',
        lambda content: json.dumps(content)[:-9],
        lambda content: json.dumps({**content, "key": 3}),
        lambda content: json.dumps({**content, "version": 99}),
        lambda content: json.dumps({**content, "values": content["values"][:-4]}),
        lambda content: json.dumps({**content, "values": "%%%%"}),
        lambda content: json.dumps({**content, "values": "/////////38" * 99}),
        lambda content: json.dumps({**content, "done": [0, 99]}),
        lambda content: json.dumps({**content, "done": [*content["done"][::-1], 0]}),
        lambda content: json.dumps({**content, "shape": [1, -3, -4]}),
        lambda content: json.dumps({**content, "shape": None}),
        lambda content: json.dumps({**content, "onednn": "yes"}),
    ],
)
def test_a_damaged_state_is_one_sentence(checkpoint, tmp_path, damage):
    state = tmp_path / "state"
    stop_after(1, checkpoint, "attention", state)
    state.write_text(damage(json.loads(state.read_text())))
    with pytest.raises(UserError, match="keeps no work of this program, or it is damaged: delete it"):
        measure_importance(checkpoint, build_examples(), "attention", state=state)


def test_a_state_nowhere_is_one_sentence_before_any_work(checkpoint, tmp_path):
    with pytest.raises(UserError, match=r"no folder .* to keep the work in"):
        measure_importance(checkpoint, build_examples(), state=tmp_path / "nowhere" / "state")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="keeps no work"):
        measure_importance(checkpoint, build_examples(), state=tmp_path / "folder")
