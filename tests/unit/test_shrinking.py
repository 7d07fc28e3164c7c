"""Smaller models as folders: what is in them, that they load anywhere, what is measured, and what goes wrong."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_cases import EXAMPLES, as_texts, read_inputs
from random_models import build_checkpoint
from safetensors.torch import load_file

from attattr_core import UserError, attribute, load_checkpoint
from attattr_core.__main__ import main
from attattr_core.cli.shrink import parse_heads
from attattr_core.datasets import Example, ExampleSet
from attattr_core.engine.families import count_heads
from attattr_core.engine.replay import instrumented, run_masked
from attattr_core.heads import shrinking
from attattr_core.heads.removal import choose_heads, remove_heads
from attattr_core.heads.results import HeadImportance
from attattr_core.heads.shrinking import pack_smaller, save_smaller, shrink
from attattr_core.heads.sizes import compact, count_attention, measure_smaller

HEADS = [(0, 0), (0, 2), (1, 1), (2, 0), (2, 1), (2, 2), (2, 3)]
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bert():
    return build_checkpoint("bert", dtype=torch.float32)


@pytest.fixture(scope="module")
def examples():
    rows = [Example(*(*as_texts(example), None)[:2], label) for label, example in enumerate(EXAMPLES * 2)]
    rows = [Example(row.text, row.text_pair, row.label % 3) for row in rows]
    return ExampleSet(tuple(rows), ("a", "b", "c"), (), "texts.tsv", "0" * 64, 0)


def mask(checkpoint, inputs, heads):
    masks = torch.ones(1, *count_heads(checkpoint.model.config), 1, 1)
    for layer, head in heads:
        masks[0, layer, head] = 0
    with instrumented(checkpoint.model):
        return run_masked(checkpoint.model, inputs, masks)


@pytest.mark.parametrize("family", ["bert", "llama", "gpt2", "nomic_bert", "xlnet", "t5"])
def test_a_saved_folder_is_a_checkpoint_like_any_other(family, tmp_path):
    checkpoint = build_checkpoint(family, dtype=torch.float32)
    inputs = read_inputs(checkpoint, "the film is good", "two men play")
    smaller = save_smaller(checkpoint, HEADS, tmp_path / "small")
    loaded = load_checkpoint(tmp_path / "small")
    with torch.no_grad():
        logits = loaded.model(**inputs).logits
    torch.testing.assert_close(logits, mask(checkpoint, inputs, HEADS), atol=1e-5, rtol=0)
    assert loaded.labels == checkpoint.labels
    assert count_heads(loaded.model.config) == count_heads(smaller.checkpoint.model.config)
    zeroed = getattr(loaded.model.config, "zeroed_heads", {})
    assert sum(map(len, zeroed.values())) == smaller.n_zeroed
    result = attribute(loaded, "the film is good")
    for layer, heads in zeroed.items():
        assert not np.any(result.attribution[int(layer), heads])
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == [
        *("README.md", "config.json", "model.safetensors", "removal.json", "tokenizer.json", "tokenizer_config.json"),
    ]
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "small").iterdir()}
    assert len(modes) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


START = """
import sys, torch
sys.modules["attattr_core"] = None  # so that an import of it fails
torch.set_num_threads(1)
"""
RUN = """
inputs = tokenizer("the film is not very good", "two men are playing", return_tensors="pt")
with torch.no_grad():
    print(sum(p.numel() for p in model.parameters()), *model(**inputs).logits[0].tolist())
"""


def test_the_model_cards_lines_load_and_cut_it_without_this_program(tmp_path):
    checkpoints = {family: build_checkpoint(family, dtype=torch.float32) for family in ("bert", "opt", "llama")}
    checkpoints["llama"].model.config.pad_token_id = -1  # as for a model without one
    code = START
    for family, checkpoint in checkpoints.items():
        save_smaller(checkpoint, HEADS, tmp_path / family)
        card = (tmp_path / family / "README.md").read_text()
        blocks = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
        assert len(blocks) == (1 if family == "llama" else 2)
        code += "\n".join([*blocks, RUN])
    settings = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for (family, checkpoint), line in zip(checkpoints.items(), done.stdout.splitlines(), strict=True):
        n_parameters, *logits = map(float, line.split())
        inputs = read_inputs(checkpoint, "the film is not very good", "two men are playing")
        np.testing.assert_allclose(logits, mask(checkpoint, inputs, HEADS)[0].numpy(), atol=1e-5)
        cut = remove_heads(checkpoint, HEADS, uneven=family != "llama").checkpoint.model
        assert n_parameters == sum(p.numel() for p in cut.parameters())
        config = json.loads((tmp_path / family / "config.json").read_text())
        if family == "llama":
            assert config["pad_token_id"] is None
            assert (config["num_attention_heads"], config["head_dim"]) == (cut.config.num_attention_heads, 8)
        else:
            assert config["zeroed_heads"] == {"0": [0, 2], "1": [1], "2": [0, 1, 2, 3]}


def test_adapters_are_saved_merged_and_float16_stays_float16(tmp_path):
    for name, n_mb in (("sst2", 32), ("snli", 53)):
        checkpoint = load_checkpoint(name)
        heads = [(layer, head) for layer in range(6) for head in range(0, 12, 2)]
        save_smaller(checkpoint, heads, tmp_path / name)
        weights = load_file(tmp_path / name / "model.safetensors")
        assert sum(w.numel() * w.element_size() for w in weights.values()) < n_mb * 1e6
        assert weights["bert.embeddings.word_embeddings.weight"].dtype == torch.float16
        loaded = load_checkpoint(tmp_path / name)
        inputs = read_inputs(checkpoint, "Two dogs are asleep.", *(["The dogs run."] if name == "snli" else []))
        with torch.no_grad():
            logits = loaded.model(**inputs).logits
        torch.testing.assert_close(logits, mask(checkpoint, inputs, heads), atol=1e-5, rtol=0)
        assert json.loads((tmp_path / name / "config.json").read_text())["dtype"] == "float32"


def test_what_is_measured_is_what_the_models_do(bert, examples, tmp_path):
    steps = list(shrink(bert, HEADS, tmp_path / "small", examples=examples, n_rounds=2, n_timed=3))
    assert [step.stage for step in steps] == ["saving", *["measuring"] * 6, "done"]
    assert [step.n_done for step in steps] == sorted(step.n_done for step in steps)
    assert steps[-1].n_done == steps[-1].n_total
    comparison = steps[-1].comparison
    assert list(comparison.models) == ["before", "saved", "cut"]
    before, saved, cut = comparison.models.values()
    assert comparison.largest_difference < 1e-5
    assert saved.metric == cut.metric
    gold = [
        int(bert.model(**read_inputs(bert, *as_texts(text))).logits.argmax()) == label % 3
        for label, text in enumerate(EXAMPLES * 2)
    ]
    assert before.metric == pytest.approx(np.mean(gold))
    assert (before.n_parameters, before.n_attention) == (saved.n_parameters, saved.n_attention)
    assert before.n_attention == 3 * 4 * (24 * 24 + 24)
    # of a head: 6 rows of three parts with their biases, and 6 columns of the output; one head of the last layer stays
    assert before.n_parameters - cut.n_parameters == 6 * (3 * (24 + 1) * 6 + 24 * 6)
    assert (before.time_ratio, before.time_low, before.time_high) == (1, 1, 1)
    for model in (saved, cut):
        assert 0 < model.time_low <= model.time_ratio <= model.time_high
        assert model.seconds > 0
    record = json.loads((tmp_path / "small" / "removal.json").read_text())
    assert record["measured"]["models"]["cut"]["n_parameters"] == cut.n_parameters
    assert record["heads"] == [list(head) for head in HEADS]
    card = (tmp_path / "small" / "README.md").read_text()
    assert f"{cut.n_parameters:,}" in card
    assert "| 3 | 1, 2, 3, 4 |" in card


def test_a_card_says_what_chose_the_heads_and_nothing_in_a_name_breaks_it(bert, tmp_path):
    importance = HeadImportance(
        np.zeros((3, 4)), "taylor", data="`x`\n# y", data_sha256="ab", n_examples=200, versions={"torch": "1"}
    )
    (tmp_path / "home").mkdir()
    for name in ("evil`\n# name", str(tmp_path / "home")):
        checkpoint = type(bert)(bert.model, bert.tokenizer, bert.labels, name)
        save_smaller(checkpoint, HEADS, tmp_path / "small", importance=importance, overwrite=True)
        card = (tmp_path / "small" / "README.md").read_text()
        assert "Chosen in another order than the least important by Taylor expansion of the loss" in card
        assert "200 examples of `?x??? y`" in card
        assert len(re.findall("^# ", card, re.MULTILINE)) == 1
    assert "`home` without 7 of its 12" in card
    assert str(tmp_path) not in card + (tmp_path / "small" / "removal.json").read_text()
    assert json.loads((tmp_path / "small" / "removal.json").read_text())["importance"]["n_examples"] == 200
    save_smaller(bert, choose_heads(importance, 0.5), tmp_path / "small", importance=importance, overwrite=True)
    assert "The least important ones by Taylor" in (tmp_path / "small" / "README.md").read_text()


def test_a_folder_that_is_there_is_left_alone_unless_it_is_ours_and_may_go(bert, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    for overwrite, sentence in ((False, "is there already"), (True, "was not made by this command")):
        with pytest.raises(UserError, match=sentence):
            save_smaller(bert, HEADS, other, overwrite=overwrite)
    with pytest.raises(UserError, match="is not a folder"):
        save_smaller(bert, HEADS, other / "thesis.txt", overwrite=True)
    assert (other / "thesis.txt").read_text() == "years of work"
    empty = tmp_path / "empty"
    empty.mkdir()
    save_smaller(bert, HEADS, empty)
    with pytest.raises(UserError, match="is there already"):
        save_smaller(bert, HEADS[:1], empty)
    save_smaller(bert, HEADS[:1], empty, overwrite=True)
    assert json.loads((empty / "removal.json").read_text())["heads"] == [[0, 0]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "other"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(bert, tmp_path, monkeypatch):
    save_smaller(bert, HEADS, tmp_path / "small")
    before = (tmp_path / "small" / "removal.json").read_text()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shrinking, "_write_record", fail)
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        save_smaller(bert, HEADS[:1], tmp_path / "small", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
    assert (tmp_path / "small" / "removal.json").read_text() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        save_smaller(bert, HEADS, tmp_path / "file" / "small")


def test_closing_it_midway_leaves_nothing(bert, examples, tmp_path):
    steps = shrink(bert, HEADS, tmp_path / "small", examples=examples)
    while next(steps).stage != "measuring":
        pass
    steps.close()
    assert not list(tmp_path.iterdir())


def test_a_zip_holds_the_folder_and_shrinks_with_the_heads(bert, examples, tmp_path):
    steps = list(pack_smaller(bert, HEADS, tmp_path / "small.zip", examples=examples, n_rounds=1, n_timed=2))
    assert [step.stage for step in steps][-2:] == ["packing", "done"]
    with zipfile.ZipFile(tmp_path / "small.zip") as archive:
        assert "small/model.safetensors" in archive.namelist()
        archive.extractall(tmp_path)
    assert load_checkpoint(tmp_path / "small").labels == bert.labels
    list(pack_smaller(bert, HEADS[:1], tmp_path / "larger.zip"))
    assert (tmp_path / "small.zip").stat().st_size < (tmp_path / "larger.zip").stat().st_size
    with pytest.raises(UserError, match="more than the 0 MB"):
        next(pack_smaller(bert, HEADS, tmp_path / "refused.zip", max_bytes=1000))
    assert not (tmp_path / "refused.zip").exists()


def test_weights_become_no_smaller_than_they_are_exact():
    exact, wide, fine = torch.tensor([0.5, -2.0]), torch.tensor([2.0**100]), torch.tensor([0.1])
    assert compact(exact).dtype == torch.float16
    assert compact(wide).dtype == torch.bfloat16
    assert compact(fine) is fine
    assert compact(torch.tensor([float("nan")])).dtype == torch.float32
    assert compact(torch.tensor([1])).dtype == torch.int64


def test_attention_is_counted_in_layers_of_every_shape():
    for family, per_layer in (
        ("gpt2", 4 * (24 * 24 + 24)),
        ("llama", 24 * (32 + 16 + 16 + 32)),
        ("xlm", 4 * (24 * 24 + 24)),
        ("t5", 4 * 24 * 32),
    ):
        model = build_checkpoint(family).model
        bias = 8 * 4 if family == "t5" else 0  # of relative positions
        assert count_attention(model) == 3 * per_layer + bias, family


def test_no_examples_is_a_sentence(bert):
    with pytest.raises(UserError, match="has no examples"):
        next(measure_smaller(bert, {}, ExampleSet((), ("a", "b", "c"), (), "none.tsv", "", 0), []))


# ---------------------------------------------------------------------------------------------- the command line


def test_the_command_saves_and_measures(tmp_path, capsys):
    data = tmp_path / "data.tsv"
    data.write_text("sentence\tlabel\nA small miracle.\tpositive\nDull and long.\tnegative\n")
    arguments = ["shrink", "--model", "sst2", "--data", str(data), "--output", str(tmp_path / "small")]
    assert main([*arguments, "--heads", "1:2,4:6, 6.12"]) == 0
    printed = capsys.readouterr().err
    assert "3 of 72 heads removed, 0 cut and 3 zeroed" in printed
    assert "cut after loading: 15,4" in printed
    assert load_checkpoint(tmp_path / "small").model.config.zeroed_heads == {"0": [1], "3": [5], "5": [11]}
    assert main([*arguments, "--heads", "1:2"]) == 2
    assert "is there already" in capsys.readouterr().err
    importance = tmp_path / "importance.json"
    importance.write_text(json.dumps({"head_importance": np.arange(72.0).reshape(6, 12).tolist()}))
    assert main([*arguments, "--importance", str(importance), "--rate", "0.1", "--overwrite"]) == 0
    assert load_checkpoint(tmp_path / "small").model.config.zeroed_heads == {"0": [0, 1, 2, 3, 4, 5, 6]}
    importance.write_text(json.dumps([[1.0, 2.0]]))
    assert main([*arguments, "--importance", str(importance), "--rate", "0.5", "--overwrite"]) == 2
    assert "is about 1 layers of 2 heads, but the model has 6 layers of 12 heads" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "either --heads, or --importance with --rate"),
        (["--heads", "1:2", "--importance", "x.json"], "either --heads, or --importance with --rate"),
        (["--importance", "x.json"], "go together"),
        (["--heads", "1:2", "--rate", "0.5"], "go together"),
        (["--heads", "1-2"], "--heads got '1-2'"),
        (["--heads", "0:1"], "counted from 1"),
        (["--heads", "1:99"], "no head 99 in layer 1"),
        (["--heads", "1:2", "--data", "nowhere.tsv"], "nowhere.tsv"),
    ],
)
def test_mistakes_are_one_sentence(options, sentence, tmp_path, capsys):
    assert main(["shrink", "--model", "sst2", "--output", str(tmp_path / "small"), *options]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert sentence in error
    assert not (tmp_path / "small").exists()


def test_a_folder_is_not_made_smaller_in_its_own_place(tmp_path, capsys):
    folder = tmp_path / "small"
    save_smaller(build_checkpoint("bert", dtype=torch.float32), HEADS, folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    arguments = ["--heads", "1:2", "--output", str(tmp_path / "." / "small"), "--overwrite"]
    assert main(["shrink", "--model", str(folder), *arguments]) == 2
    assert "is the model that this command reads" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match="cannot be written"):
        save_smaller(build_checkpoint("bert"), HEADS, tmp_path / ("x" * 300))


def test_ctrl_c_leaves_nothing_and_says_so(tmp_path, capsys, monkeypatch):
    def press(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(shrinking, "measure_smaller", press)
    assert main(["shrink", "--model", "sst2", "--heads", "1:2", "--output", str(tmp_path / "small")]) == 2
    assert "error: Stopped: no folder was written." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_heads_are_read():
    assert parse_heads(" 1:2, 11:3,") == [(0, 1), (10, 2)]
    for text in (",", "1:1;2:3", "a:b", "1:", "٣:1", "0:1"):
        with pytest.raises(UserError, match="--heads got"):
            parse_heads(text)
