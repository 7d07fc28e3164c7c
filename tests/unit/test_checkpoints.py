"""Folders that are damaged, unfit or hostile are refused in one sentence, and loading is otherwise exact."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import pytest
import torch
from random_models import build_model, build_tokenizer, save_tiny_classifier
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceTrainer
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

from attattr_core import Checkpoint, UnsupportedModelError, UserError, load_checkpoint
from attattr_core.checkpoints.catalog import EMBEDDED_FOLDER, read_labels
from attattr_core.engine.encoding import encode


@pytest.fixture
def folder(tmp_path) -> Path:
    """A tiny fine-tuned classifier on disk."""
    save_tiny_classifier(tmp_path / "tiny", hidden=16, inner=32, n_positions=64)
    return tmp_path / "tiny"


@pytest.fixture
def adapter(tmp_path) -> Path:
    """Copies of the embedded adapter and its base, side by side."""
    shutil.copytree(EMBEDDED_FOLDER / "sst2", tmp_path / "sst2")
    shutil.copytree(EMBEDDED_FOLDER / "snli", tmp_path / "snli")
    return tmp_path / "snli"


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refuse(folder: Path, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        load_checkpoint(folder, device="cpu")
    assert "\n" not in str(caught.value)


def test_a_good_folder_loads(folder):
    checkpoint = load_checkpoint(folder, device="cpu")
    assert checkpoint.labels == ("no", "yes")
    assert checkpoint.model.dtype == torch.float32
    assert not checkpoint.model.training


def test_a_missing_tokenizer_is_refused(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    refuse(folder, "tokenizer")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"architectures": ["BertForMaskedLM"]}, "not a sequence classifier"),
        ({"architectures": 5}, "of no stated kind"),
        ({"num_hidden_layers": 1}, "weights of layers"),
        ({"num_hidden_layers": 3}, "lacks weights"),
        ({"num_attention_heads": 0}, "could not be loaded"),
        ({"id2label": {"5": "no", "7": "yes"}}, "label names|could not be loaded"),
        ({"id2label": {"0": "yes", "1": "yes"}}, "label names"),
        ({"id2label": ["no", "yes"]}, "could not be loaded|label names"),
        ({"quantization_config": {"quant_method": "gptq"}}, "is quantised"),
    ],
)
def test_a_config_that_lies_is_refused(folder, changes, sentence):
    edit(folder / "config.json", **changes)
    refuse(folder, sentence)


def test_weights_of_another_shape_are_refused(folder):
    weights = load_file(folder / "model.safetensors")
    save_file(
        weights | {"classifier.weight": weights["classifier.weight"][:, :5].clone()}, folder / "model.safetensors"
    )
    refuse(folder, "lacks weights that fit its config.json .classifier.weight.")


def test_names_that_are_numbers_are_read_as_texts(folder):
    edit(folder / "config.json", id2label={"0": 0, "1": 1}, label2id={"0": 0, "1": 1})
    assert load_checkpoint(folder, device="cpu").labels == ("0", "1")


def test_no_number_of_labels_means_two(folder):
    edit(folder / "config.json", id2label=None, label2id=None)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_labels": None}))
    assert load_checkpoint(folder, device="cpu").labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize("key", ["masked_bias", "bias"])
def test_constants_that_older_versions_saved_are_no_lost_layers(tmp_path, key):
    build_model("gpt_neo").save_pretrained(tmp_path)
    build_tokenizer(token_types=False).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors") | {f"transformer.h.0.attn.attention.{key}": torch.zeros(1)}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert load_checkpoint(tmp_path, device="cpu").model.config.model_type == "gpt_neo"


def test_a_tokenizer_in_sentence_pieces_alone_is_converted(tmp_path):
    content = BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(["the film is not good", "two men play music in the park"] * 20),
        model_writer=content,
        vocab_size=40,
        hard_vocab_limit=False,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        pad_piece="[PAD]",
        bos_piece="[CLS]",
        eos_piece="[SEP]",
        unk_piece="[UNK]",
        minloglevel=2,
    )
    build_model("deberta-v2").save_pretrained(tmp_path)
    (tmp_path / "spm.model").write_bytes(content.getvalue())
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false, "vocab_type": "spm"}')
    encoded = encode(load_checkpoint(tmp_path, device="cpu"), "the film", "two men")
    assert (encoded.tokens[0], encoded.tokens.count("[SEP]")) == ("[CLS]", 2)
    assert encoded.word_labels == ("the", "film", "two", "men")


def test_an_unsupported_family_is_refused_before_weights_are_read(folder):
    edit(folder / "config.json", model_type="longformer")
    (folder / "model.safetensors").write_bytes(b"never read")
    with pytest.raises(UnsupportedModelError, match="'longformer' cannot be attributed: its attention is approximate"):
        load_checkpoint(folder)


def test_a_damaged_weights_file_is_refused(folder):
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    refuse(folder, "could not be loaded")


def test_pickled_weights_are_refused(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    refuse(folder, "no safetensors weights")


def test_labels_are_read_without_weights(folder):
    (folder / "model.safetensors").unlink()
    assert read_labels(folder) == ("no", "yes")


def test_a_pickled_adapter_is_refused(adapter):
    torch.save(load_file(adapter / "adapter_model.safetensors"), adapter / "adapter_model.bin")
    (adapter / "adapter_model.safetensors").unlink()
    refuse(adapter, "no safetensors weights")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"peft_type": "NOPE"}, "choose a LORA adapter"),
        ({"task_type": "CAUSAL_LM"}, "choose a LORA adapter"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"base_model_name_or_path": "../../elsewhere"}, "elsewhere.* is missing"),
    ],
)
def test_an_adapter_that_asks_for_more_is_refused(adapter, changes, sentence):
    edit(adapter / "adapter_config.json", **changes)
    refuse(adapter, sentence)


def test_an_adapter_on_an_incomplete_base_is_refused(adapter):
    path = adapter.parent / "sst2" / "model.safetensors"
    weights = {name: tensor for name, tensor in load_file(path).items() if ".layer.2." not in name}
    save_file(weights, path, metadata={"format": "pt"})
    refuse(adapter, "lacks weights")


def test_the_revision_of_an_adapter_tells_its_base_too(adapter):
    before = load_checkpoint(adapter, device="cpu").revision
    path = adapter.parent / "sst2" / "model.safetensors"
    weights = load_file(path)
    weights["bert.encoder.layer.0.output.dense.weight"] *= 2
    save_file(weights, path, metadata={"format": "pt"})
    assert load_checkpoint(adapter, device="cpu").revision != before


def test_models_in_memory_are_vetted():
    config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    with pytest.raises(UserError, match="BertForMaskedLM is not a sequence classifier"):
        Checkpoint.from_model(BertForMaskedLM(config), build_tokenizer())
    with pytest.raises(UserError, match="bfloat16"):
        Checkpoint.from_model(BertForSequenceClassification(config).to(torch.bfloat16), build_tokenizer())


@pytest.mark.parametrize("target", ["9" * 5000, "-1", "2", "maybe"])
def test_a_target_that_does_not_exist_is_named(folder, target):
    with pytest.raises(UserError, match="no label") as caught:
        load_checkpoint(folder, device="cpu").find_target(target, 0)
    assert len(str(caught.value)) < 300
