"""The checkpoints that come with the repository: they load, predict, are complete, and need nothing of ours."""

import json
import shutil
import subprocess
from functools import cache

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from attattr_core import Checkpoint, Settings, attribute, load_checkpoint
from attattr_core.checkpoints.catalog import EMBEDDED, find_folder

ROOT = find_folder("sst2").parent.parent.parent
MAX_BYTES = 46e6
LABELS = {"sst2": {"negative", "positive"}, "snli": {"entailment", "neutral", "contradiction"}}
CLEAR = [
    ("sst2", ("a warm , funny and deeply moving film .",), "positive"),
    ("sst2", ("one of the best performances of the year .",), "positive"),
    ("sst2", ("a dull , lifeless mess that wastes its cast .",), "negative"),
    ("sst2", ("the plot is boring and the jokes are not funny .",), "negative"),
    ("snli", ("A man is playing a guitar on a stage.", "A man is playing music."), "entailment"),
    ("snli", ("Two dogs are running through a field.", "The dogs are asleep on a sofa."), "contradiction"),
    ("snli", ("A woman is reading a book in a park.", "The woman is waiting for her sister."), "neutral"),
]

every_checkpoint = pytest.mark.parametrize("name", EMBEDDED)


@cache
def load(name: str) -> Checkpoint:
    if not any(find_folder(name).glob("*.safetensors")):
        pytest.skip(f"the embedded checkpoint {name!r} is not in this working tree")
    return load_checkpoint(name, device="cpu")


@every_checkpoint
def test_it_is_float32_in_eval_mode_and_knows_its_labels(name):
    checkpoint = load(name)
    assert {parameter.dtype for parameter in checkpoint.model.parameters()} == {torch.float32}
    assert not any(module.training for module in checkpoint.model.modules())
    assert not any(parameter.requires_grad for parameter in checkpoint.model.parameters())
    assert set(checkpoint.labels) == LABELS[name]
    assert len(checkpoint.revision) == 12


@pytest.mark.parametrize(("name", "texts", "label"), CLEAR)
def test_it_gets_clear_cases_right_and_is_complete_to_one_percent(name, texts, label):
    result = attribute(load(name), *texts)
    assert result.labels[result.prediction] == label
    assert result.finished.all()
    change = np.abs(result.output - result.baseline_output)
    gap = np.abs(result.attribution.sum((1, 2, 3), dtype=np.float64) - (result.output - result.baseline_output))
    assert (gap <= np.maximum(0.01 * change, 2e-5)).all()
    assert result.notice == ""


@every_checkpoint
def test_plain_transformers_and_peft_give_the_same_logits(name, monkeypatch):
    monkeypatch.chdir(ROOT)  # an adapter names its base from there
    folder = find_folder(name)
    texts = [case[1] for case in CLEAR if case[0] == name]
    columns = [list(column) for column in zip(*texts, strict=True)]
    inputs = AutoTokenizer.from_pretrained(folder)(*columns, padding=True, return_tensors="pt")
    adapter = folder / "adapter_config.json"
    base = json.loads(adapter.read_text())["base_model_name_or_path"] if adapter.is_file() else folder
    model = AutoModelForSequenceClassification.from_pretrained(
        base, config=AutoConfig.from_pretrained(folder), dtype=torch.float32, ignore_mismatched_sizes=True
    )
    model = PeftModel.from_pretrained(model, folder) if adapter.is_file() else model
    with torch.no_grad():
        expected = model.eval()(**inputs).logits
        found = load(name).model(**inputs).logits
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)
    for index, text in enumerate(texts):
        result = attribute(load(name), *text, settings=Settings(n_steps=1))
        np.testing.assert_allclose(result.probabilities, expected.softmax(-1)[index], atol=1e-5)


def test_the_repository_stays_small():
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a git working tree")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    assert sum(path.stat().st_size for path in paths if path.is_file()) < MAX_BYTES
