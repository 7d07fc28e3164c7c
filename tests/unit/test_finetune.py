"""Fine-tuning: it learns, saves plain Hugging Face folders, survives a kill, repeats itself, and cuts vocabularies.

The encoder is a random BERT of two layers, the task a word that decides the class.
"""

import json
import os
import random
import signal
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertModel

from attattr_core.__main__ import main
from attattr_core.datasets import read_examples
from attattr_core.errors import UserError
from attattr_core.finetuning.evaluation import load_folder
from attattr_core.finetuning.finetune import PROGRESS_FOLDER, _find_progress, finetune, measure
from attattr_core.finetuning.model_card import CardFacts, read_record
from attattr_core.finetuning.settings import FinetuneSettings
from attattr_core.finetuning.vocabulary import cut_vocabulary
from attattr_core.intervals import compute_wilson

WORDS = ["the", "a", "film", "plot", "cast", "story", "is", "was", "felt", "rather", "quite", "very", "long", "short"]
PIECES = ["good", "bad", "fine", "poor", "##ly", "##ing", "##er", "inter", "##est", "unused", "rare"]
LABELS = ("negative", "positive")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A random BERT with a WordPiece vocabulary, special tokens not at its start, as in real ones."""
    from transformers import BertTokenizer

    characters = [character for character in string.printable if not character.isspace() and not character.isupper()]
    pieces = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += [*characters, *("##" + character for character in characters), *WORDS, *PIECES]
    folder = tmp_path_factory.mktemp("base")
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    BertTokenizer(vocab=vocabulary, do_lower_case=True).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def write_task(path: Path, n: int, seed: int) -> Path:
    draw = random.Random(seed)
    lines = ["sentence\tlabel\tkind"]
    for row in range(n):
        label = row % 2
        words = draw.choices(WORDS, k=draw.randint(2, 7))
        words.insert(draw.randint(0, len(words)), draw.choice([("bad", "poor"), ("good", "fine")][label]))
        lines.append(f"{' '.join(words)}\t{LABELS[label]}\t{'short' if len(words) < 5 else 'long'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def task(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("task")
    return write_task(folder / "train.tsv", 320, 1), write_task(folder / "eval.tsv", 80, 2)


def quick(**changes) -> FinetuneSettings:
    return FinetuneSettings(
        **({"labels": LABELS, "epochs": 5, "learning_rate": 3e-3, "batch_size": 16, "max_length": 32} | changes)
    )


@pytest.fixture(scope="module")
def full(base, task, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("full") / "sentiment"
    train, held_out = task
    finetune(str(base), train, folder, settings=quick(), eval_sets={"toy": held_out}, show_progress=False)
    return folder


def predict(model, tokenizer, path: Path) -> float:
    examples = read_examples(path, labels=LABELS).examples
    inputs = tokenizer([example.text for example in examples], padding=True, return_tensors="pt")
    with torch.no_grad():
        classes = model.eval()(**inputs).logits.argmax(-1).tolist()
    return sum(example.label == label for example, label in zip(examples, classes, strict=True)) / len(examples)


def test_full_finetuning_learns_and_loads_with_plain_transformers(full, task):
    model = AutoModelForSequenceClassification.from_pretrained(full)

    assert predict(model, AutoTokenizer.from_pretrained(full), task[1]) > 0.95
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert model.config.label2id == {"negative": 0, "positive": 1}
    state = json.loads((full / "tokenizer.json").read_text())
    assert (state["truncation"], state["padding"]) == (None, None)
    assert sorted(path.name for path in full.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "training.json",
    ]


def test_the_card_tells_data_settings_and_measured_figures(full, task):
    card = (full / "README.md").read_text(encoding="utf-8")
    evaluation = read_record(full)["evaluations"][0]
    digest = read_examples(task[0]).sha256

    assert card.startswith("---\nlicense: other\n")
    assert "base_model: " in card
    assert "- accuracy" in card
    assert digest in card
    assert "320 used" in card
    assert "learning_rate `0.003`" in card
    assert f"| toy | `eval.tsv` | 80 | {evaluation['n_correct'] / 80:.1%} |" in card
    assert "| toy, short |" in card
    assert "toy" in card.split("While training:")[1]
    losses = read_record(full)["stages"][0]["losses"]
    assert losses[-1][1] < losses[0][1]


def test_an_adapter_loads_with_plain_transformers_and_peft(full, base, task, tmp_path):
    from peft import PeftModel

    output = tmp_path / "adapter"
    settings = quick(method="lora", lora_rank=8, lora_alpha=16, save_dtype="float16", learning_rate=1e-2, epochs=6)
    result = finetune(str(base), task[0], output, settings=settings, eval_sets={"toy": task[1]}, show_progress=False)

    config = AutoConfig.from_pretrained(output)
    model = AutoModelForSequenceClassification.from_pretrained(base, config=config)
    adapted = PeftModel.from_pretrained(model, output)
    accuracy = predict(adapted, AutoTokenizer.from_pretrained(output), task[1])
    assert accuracy > 0.9
    assert result.evaluations[0].accuracy == pytest.approx(accuracy)
    assert config.id2label == {0: "negative", 1: "positive"}
    assert json.loads((output / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)
    weights = load_file(output / "adapter_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    assert any("classifier" in name for name in weights)
    assert any("pooler.dense.weight" in name for name in weights)
    assert not (output / "model.safetensors").exists()
    assert "A LoRA adapter for" in (output / "README.md").read_text()


def test_an_adapter_for_another_number_of_classes_stands_on_a_finished_checkpoint(full, tmp_path):
    data = tmp_path / "pairs.tsv"
    rows = [f"the {word}\ta {other}\t{(i + j) % 3}" for i, word in enumerate(WORDS) for j, other in enumerate(WORDS)]
    data.write_text("\n".join(["premise\thypothesis\tlabel", *rows]) + "\n")
    labels = ("entailment", "neutral", "contradiction")

    settings = quick(method="lora", epochs=0.5, labels=labels)
    finetune(str(full), data, tmp_path / "pairs", settings=settings, show_progress=False)

    model, _ = load_folder(tmp_path / "pairs")
    assert tuple(model.config.id2label.values()) == labels
    assert model.classifier.out_features == 3
    record = read_record(tmp_path / "pairs")
    assert [stage["data"]["file"] for stage in record["stages"]] == ["train.tsv", "pairs.tsv"]
    with pytest.raises(UserError, match="is an adapter"):
        finetune(str(tmp_path / "pairs"), data, tmp_path / "more", show_progress=False)


def test_two_runs_with_one_seed_are_identical_and_another_seed_differs(base, task, tmp_path):
    weights = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        settings = quick(epochs=0.5, seed=seed, max_examples=100)
        finetune(str(base), task[0], tmp_path / name, settings=settings, show_progress=False)
        weights.append(load_file(tmp_path / name / "model.safetensors"))

    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())
    assert not all(torch.equal(weight, weights[2][name]) for name, weight in weights[0].items())


def test_a_killed_run_resumes_to_what_it_would_have_been(base, task, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    options = ["--labels", "negative,positive", "--epochs", "12", "--batch-size", "16", "--max-length", "32"]
    options += ["--learning-rate", "1e-3", "--checkpoint-every", "25"]
    options += ["--base", str(base), "--data", str(task[0]), "--output", str(killed)]
    process = subprocess.Popen(
        [sys.executable, "-m", "attattr_core", "finetune", *options],
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 300
        while _find_progress(killed) is None:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (killed / "model.safetensors").exists()
    with pytest.raises(UserError, match="unfinished run"):
        finetune(str(base), task[0], killed, show_progress=False)

    settings = quick(epochs=12.0, learning_rate=1e-3)
    with pytest.raises(UserError, match=r"other settings \(seed\)"):
        finetune(str(base), task[0], killed, settings=quick(epochs=12.0, learning_rate=1e-3, seed=3), resume=True)
    finetune(str(base), task[0], killed, settings=settings, resume=True, show_progress=False)
    finetune(str(base), task[0], whole, settings=settings, show_progress=False)

    assert not (killed / PROGRESS_FOLDER).exists()
    resumed, uninterrupted = (load_file(folder / "model.safetensors") for folder in (killed, whole))
    for name, weight in uninterrupted.items():
        torch.testing.assert_close(resumed[name], weight, rtol=0, atol=1e-5)


def test_progress_that_was_not_saved_whole_is_passed_over(tmp_path):
    for step in (25, 100):
        folder = tmp_path / PROGRESS_FOLDER / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "optimizer.pt").touch()
    (tmp_path / PROGRESS_FOLDER / "checkpoint-25" / "trainer_state.json").write_text("{}")
    (tmp_path / PROGRESS_FOLDER / "checkpoint-100" / "trainer_state.json").write_text("{")

    assert _find_progress(tmp_path).name == "checkpoint-25"


def test_a_cut_vocabulary_keeps_rows_and_spells_every_printable_text(base, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    before, old_ids = model.get_input_embeddings().weight.clone(), tokenizer.get_vocab()

    cut = cut_vocabulary(model, tokenizer, ["the good film was interesting"] * 3, n_pieces=len(old_ids) - 18)
    cut.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    cut, model = AutoTokenizer.from_pretrained(tmp_path), AutoModelForSequenceClassification.from_pretrained(tmp_path)

    ids = cut.get_vocab()
    assert len(ids) == len(old_ids) - 18 == model.config.vocab_size
    assert {"good", "film", "inter", "##est", "##ing"} <= set(ids)
    assert not {"rare", "[unused0]"} & set(ids)
    rows = model.get_input_embeddings().weight
    assert all(torch.equal(rows[index], before[old_ids[piece]]) for piece, index in ids.items())
    for text in (string.printable, "An UNSEEN word-list: $4.20 & <b>it's</b>!", "~" * 30):
        assert cut.unk_token_id not in cut(text)["input_ids"]
    assert cut.decode(cut("The good film!")["input_ids"], skip_special_tokens=True) == "the good film!"
    assert cut("good", "bad")["input_ids"][0] == cut.cls_token_id == ids["[CLS]"]
    assert cut("good", "bad")["input_ids"][-1] == cut.sep_token_id == ids["[SEP]"]
    assert cut("good", "film")["token_type_ids"] == [0, 0, 0, 1, 1]
    assert (cut.unk_token_id, cut.pad_token_id, cut.mask_token_id) == (ids["[UNK]"], 0, ids["[MASK]"])
    assert tokenizer.get_vocab() == old_ids


def test_a_vocabulary_that_cannot_be_cut_is_refused(base):
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(base), AutoTokenizer.from_pretrained(base)

    with pytest.raises(UserError, match="cuts nothing"):
        cut_vocabulary(model, tokenizer, [], n_pieces=30_000)


def test_the_command_line_cuts_trains_and_measures_again(base, task, tmp_path, capsys):
    output, notes = tmp_path / "out", tmp_path / "notes.md"
    notes.write_text("Words that decide.")
    options = ["finetune", "--base", str(base), "--data", str(task[0]), "--output", str(output), "--epochs", "1"]
    options += ["--vocabulary-size", "155", "--vocabulary-data", str(task[1]), "--precision", "bfloat16"]
    options += ["--save-dtype", "float16", "--min-words", "3", "--max-examples", "64", "--eval", f"toy={task[1]}"]

    assert main(options) == 0
    assert "toy: " in capsys.readouterr().out
    assert load_file(output / "model.safetensors")["classifier.weight"].dtype == torch.float16
    model = AutoModelForSequenceClassification.from_pretrained(output)
    assert model.dtype == torch.float32
    assert len(AutoTokenizer.from_pretrained(output)) == model.config.vocab_size == 155

    again = ["finetune", "--evaluate-only", "--output", str(output), "--eval", f"again={task[1]}", "--license", "mit"]
    assert main([*again, "--notes", str(notes), "--title", "Toy", "--dataset", "toy/data"]) == 0
    card = (output / "README.md").read_text()
    assert card.startswith("---\nlicense: mit\n")
    assert "# Toy" in card
    assert "Words that decide." in card
    assert "- toy/data" in card
    assert "| again |" in card
    assert "| toy |" not in card
    measure(output, {})
    assert (output / "README.md").read_text() == card


def test_mistakes_are_one_sentence(base, task, full, tmp_path, capsys):
    from transformers import GPT2Config

    train, _ = task
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "pytorch_model.bin").touch()
    decoder = tmp_path / "decoder"
    GPT2Config().save_pretrained(decoder)
    (decoder / "model.safetensors").touch()
    out = tmp_path / "out"
    for wrong, message in (
        ({"base": str(tmp_path / "none")}, "There is no checkpoint"),
        ({"base": str(pickled)}, "no .safetensors"),
        ({"base": str(decoder)}, "'gpt2' model, not an encoder"),
        ({"data": tmp_path / "none.tsv"}, "no file"),
        ({"settings": quick(labels=("yes", "no"))}, "none of yes, no"),
        ({"settings": quick(min_words=50)}, "fewer than two classes"),
        ({"output": full}, "finished checkpoint"),
        ({"output": train}, "is a file"),
        ({"output": base}, "the base itself"),
    ):
        with pytest.raises(UserError, match=message):
            finetune(**({"base": str(base), "data": train, "output": out} | wrong), show_progress=False)
    for wrong in ({"epochs": 0}, {"method": "prefix"}, {"warmup": 1.0}, {"max_length": 2}, {"save_dtype": "int8"}):
        with pytest.raises(UserError, match=f"setting {next(iter(wrong))}"):
            quick(**wrong)
    with pytest.raises(UserError, match="adapter cannot cut"):
        quick(method="lora", vocabulary_size=100)
    with pytest.raises(UserError, match=r"no training\.json"):
        measure(base, {}, facts=CardFacts())
    assert main(["finetune", "--output", str(out), "--base", str(base)]) == 2
    assert main(["finetune", "--output", str(out), "--eval", "nothing"]) == 2
    assert "--data is missing" in capsys.readouterr().err


def test_missing_packages_are_named(base, task, tmp_path, monkeypatch):
    monkeypatch.setattr("attattr_core.finetuning.finetune.find_spec", lambda name: None)

    with pytest.raises(UserError, match="needs accelerate and peft: run 'pip install accelerate peft'"):
        finetune(str(base), task[0], tmp_path / "out", settings=quick(method="lora"))


def test_wilson_interval_matches_hand_values():
    assert compute_wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert compute_wilson(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
