"""LoRA adapters from the Hub and from folders: both parts are vetted and pinned, and the merge is exact."""

import shutil
from pathlib import Path

import pytest
import torch
from hub.editing import edit, write_weights
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, BertModel

from attattr_core import load_checkpoint
from attattr_core.hub import HubLimits, describe, parse_reference

TEXT = "two men play music"


@pytest.fixture
def adapter(tiny, tmp_path):
    """Makes random adapters with three classes for the tiny model."""

    def make(name: str = "adapter", *, base: str = "org/tiny", weights: dict | None = None, **changes) -> Path:
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=3, ignore_mismatched_sizes=True)
        settings = {"r": 4, "lora_alpha": 8, "target_modules": ["query", "value"], "init_lora_weights": False}
        adapted = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", **settings, **changes))
        folder = tmp_path / "served" / name
        adapted.save_pretrained(folder)
        edit(folder / "adapter_config.json", base_model_name_or_path=base, init_lora_weights=True)
        if weights is not None:
            path = folder / "adapter_model.safetensors"
            write_weights(path, {key: value for key, value in load_file(path).items() if key not in weights} | weights)
        return folder

    return make


def compute_logits(model, tokenizer) -> torch.Tensor:
    with torch.no_grad():
        return model(**tokenizer(TEXT, return_tensors="pt")).logits


@pytest.mark.parametrize("changes", [{}, {"use_dora": True}, {"use_rslora": True}, {"bias": "lora_only"}])
def test_an_adapter_loads_with_its_base(hub, tiny, adapter, changes):
    base, own = hub.add("org/tiny", tiny), hub.add("org/adapter", adapter(**changes))
    description = describe(parse_reference("org/adapter"))
    assert (description.revision, description.base.revision) == (own.refs["main"], base.refs["main"])
    assert (description.model_type, description.base.name) == ("bert", "org/tiny")
    assert description.n_bytes > (tiny / "model.safetensors").stat().st_size
    checkpoint = load_checkpoint("org/adapter", device="cpu")
    assert checkpoint.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert checkpoint.revision == f"{own.refs['main']}+{base.refs['main']}"
    plain = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=3, ignore_mismatched_sizes=True)
    plain = PeftModel.from_pretrained(plain, next(iter(own.folders.values()))).eval()
    expected = compute_logits(plain, checkpoint.tokenizer)
    torch.testing.assert_close(compute_logits(checkpoint.model, checkpoint.tokenizer), expected, atol=1e-5, rtol=0)
    assert load_checkpoint("org/adapter", limits=HubLimits(offline=True)).labels == checkpoint.labels


def test_labels_come_from_the_adapters_own_configuration(hub, tiny, adapter):
    folder = adapter()
    shutil.copy(tiny / "config.json", folder / "config.json")
    edit(folder / "config.json", id2label={"0": "a", "1": "b", "2": "c"}, label2id={"a": 0, "b": 1, "c": 2})
    hub.add("org/tiny", tiny)
    hub.add("org/adapter", folder)
    assert describe(parse_reference("org/adapter")).labels == ("a", "b", "c")
    assert load_checkpoint("org/adapter", device="cpu").labels == ("a", "b", "c")


def test_a_base_need_not_be_a_classifier(hub, tiny, adapter, tmp_path):
    encoder = tmp_path / "served" / "encoder"
    shutil.copytree(tiny, encoder)
    (encoder / "model.safetensors").unlink()
    BertModel.from_pretrained(tiny).save_pretrained(encoder)
    hub.add("org/tiny", encoder)
    hub.add("org/adapter", adapter(modules_to_save=["classifier", "pooler"]))
    assert len(load_checkpoint("org/adapter", device="cpu").labels) == 3


def test_the_revision_of_the_base_is_kept_to(hub, tiny, copy, adapter):
    base = hub.add("org/tiny", tiny)
    wanted = base.refs["main"]
    folder = adapter()
    edit(folder / "adapter_config.json", revision=wanted)
    hub.add("org/tiny", copy(hidden_act="relu"))
    hub.add("org/adapter", folder)
    assert base.refs["main"] != wanted
    assert describe(parse_reference("org/adapter")).base.revision == wanted


def test_an_adapter_on_disk_stands_on_the_hub_or_on_a_folder(hub, tiny, adapter, tmp_path):
    hub.add("org/tiny", tiny)
    folder = adapter()
    from_hub = load_checkpoint(folder, device="cpu")
    shutil.copytree(tiny, tmp_path / "served" / "tiny")
    hub.requests.clear()
    beside = load_checkpoint(folder, device="cpu")
    assert not hub.requests, "what lies beside it goes first"
    assert torch.equal(*(compute_logits(c.model, c.tokenizer) for c in (from_hub, beside)))


@pytest.mark.parametrize(
    ("base", "sentence"),
    [
        ("../tiny", "The base '../tiny' of the adapter 'org/adapter' is missing: it has to be the id of a model"),
        ("/etc", "The base '/etc' of the adapter 'org/adapter' is missing: it has to be the id of a model"),
        ("https://evil.example/x", "has to be the id of a model on the Hub"),
        ("org/none", "There is no model 'org/none' on the Hub"),
        ("org/adapter", "The base of 'org/adapter' is itself an adapter"),
        ("", "The adapter 'org/adapter' does not name its base"),
    ],
)
def test_a_base_that_cannot_be(hub, tiny, adapter, refuse, base, sentence, home):
    shutil.copytree(tiny, home / "org" / "none")  # a folder of that name is not what an adapter from the Hub means
    hub.add("org/adapter", adapter(base=base))
    refuse("org/adapter", sentence)


def test_the_base_is_vetted_too(hub, copy, adapter, refuse):
    hub.add("org/adapter", adapter())
    hub.add("org/tiny", copy("long", model_type="longformer"))
    refuse("org/adapter", "Models of the family 'longformer' cannot be attributed")
    hub.add("org/tiny", copy("pickled", without=("model.safetensors",)))
    refuse("org/adapter", "'org/tiny' has pickled weights only")
    hub.add("org/tiny", copy("gated"), gated=True)
    refuse("org/adapter", "'org/tiny' is gated")
    hub.add("org/tiny", copy("large"), gated=False)
    refuse("org/adapter", "'org/adapter' needs 0.. MB, more than the limit", limits=HubLimits(max_bytes=100_000))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"peft_type": "PREFIX_TUNING"}, "is 'PREFIX_TUNING' for 'SEQ_CLS': choose a LORA adapter"),
        ({"task_type": "CAUSAL_LM"}, "is 'LORA' for 'CAUSAL_LM': choose a LORA adapter"),
        ({"init_lora_weights": "pissa"}, "sets init_lora_weights"),
        ({"loftq_config": {"bits": 4}}, "sets loftq_config"),
        ({"megatron_config": {"x": 1}, "megatron_core": "os"}, "sets megatron_config"),
        ({"alora_invocation_tokens": [1]}, "sets alora_invocation_tokens"),
        ({"target_modules": "(.*)*x"}, r"sets target_modules to '\(\.\*\)\*x': list plain module names"),
        ({"target_modules": ["(a+)+$"]}, "list plain module names"),
        ({"rank_pattern": {"(a+)+$": 4}}, "list plain module names"),
        ({"r": 10**9}, "has weights of rank 4, not .1000000000.: it is damaged"),
        ({"r": 2}, "could not be loaded|is damaged"),
        ({"target_modules": ["query"]}, "are not those that it announces"),
        ({"target_modules": ["query", "key", "value"]}, "are not those that it announces"),
    ],
)
def test_an_adapter_that_asks_for_more_is_refused(hub, tiny, adapter, refuse, changes, sentence):
    folder = adapter()
    edit(folder / "adapter_config.json", **changes)
    hub.add("org/tiny", tiny)
    hub.add("org/adapter", folder)
    refuse("org/adapter", sentence)


def test_a_pickled_adapter_is_refused(hub, tiny, adapter, refuse):
    folder = adapter()
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    hub.add("org/adapter", folder)
    refuse("org/adapter", r"'org/adapter' has pickled weights only \(adapter_model.bin\)")


def test_an_adapter_without_a_head_is_refused(hub, tiny, adapter, refuse):
    folder = adapter()
    path = folder / "adapter_model.safetensors"
    write_weights(path, {key: value for key, value in load_file(path).items() if "classifier" not in key})
    hub.add("org/tiny", tiny)
    hub.add("org/adapter", folder)
    refuse("org/adapter", "The adapter 'org/adapter' has no classification head")


@pytest.mark.parametrize("shape", [(10**9, 0), (0, 64), (2,)])
def test_a_head_without_numbers_is_refused(hub, tiny, adapter, refuse, shape):
    folder = adapter()
    path = folder / "adapter_model.safetensors"
    weights = load_file(path)
    (key,) = (key for key in weights if key.endswith("classifier.weight"))
    write_weights(path, weights | {key: torch.zeros(shape)})
    hub.add("org/tiny", tiny)
    hub.add("org/adapter", folder)
    refuse("org/adapter", "The classification head of the adapter 'org/adapter' has the shape .*: it is damaged")


def test_an_adapter_for_another_family_is_refused(hub, tiny, adapter, refuse):
    folder = adapter()
    shutil.copy(tiny / "config.json", folder / "config.json")
    edit(folder / "config.json", model_type="electra")
    hub.add("org/tiny", tiny)
    hub.add("org/adapter", folder)
    refuse("org/adapter", "The adapter 'org/adapter' is for 'electra', its base is 'bert'")


def test_names_that_do_not_fit_the_head_are_refused(hub, tiny, adapter, refuse):
    folder = adapter()
    shutil.copy(tiny / "config.json", folder / "config.json")
    hub.add("org/tiny", tiny)
    hub.add("org/adapter", folder)
    refuse("org/adapter", "has 3 classes, its config.json names 2")
