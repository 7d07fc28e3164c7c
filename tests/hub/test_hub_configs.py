"""Configurations are not trusted: what they ask for beyond a plain classifier is ignored or refused, and never done."""

import json
import shutil
import sys

import pytest
import torch
from hub.editing import edit, write_weights
from safetensors.torch import load_file
from unit.random_models import build_tokenizer

from attattr_core import UserError, load_checkpoint
from attattr_core.engine.encoding import encode, find_max_length

TEXT = "the film is not good"


def compute_logits(checkpoint) -> torch.Tensor:
    with torch.no_grad():
        return checkpoint.model(**checkpoint.tokenizer(TEXT, return_tensors="pt")).logits


@pytest.mark.parametrize(
    "changes",
    [
        {"_attn_implementation": "kernels-community/evil"},
        {"_attn_implementation_internal": "kernels-community/evil"},
        {"attn_implementation": "flash_attention_2"},
        {"_name_or_path": "/etc", "name_or_path": "../../..", "_commit_hash": "../../.."},
        {"auto_map": {"AutoModelForSequenceClassification": "modeling_custom.Evil", "AutoConfig": "evil/repo--x.Y"}},
        {"torch_dtype": "float16", "dtype": "bfloat16"},
        {"return_dict": False, "output_attentions": True, "output_hidden_states": True, "torchscript": True},
        {"chunk_size_feed_forward": 4},
        {"trust_remote_code": True, "custom_pipelines": {"evil": {"impl": "modeling_custom.Evil"}}},
    ],
)
def test_what_only_the_program_decides_is_ignored(hub, tiny, copy, changes):
    hub.add("org/tiny", tiny)
    hub.add("org/asks", copy(**changes))
    plain, asked = (load_checkpoint(name, device="cpu") for name in ("org/tiny", "org/asks"))
    assert torch.equal(compute_logits(plain), compute_logits(asked))
    assert asked.model.config._attn_implementation == "eager"
    assert asked.model.dtype == torch.float32
    assert not any("modeling_custom" in name for name in sys.modules)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tokenizer_class": "BertModel"}, "asks for 'BertModel', which is no tokenizer"),
        ({"tokenizer_class": "pipeline"}, "asks for 'pipeline', which is no tokenizer"),
        ({"tokenizer_class": ["x"]}, "which is no tokenizer"),
        (
            {"tokenizer_class": "EvilTokenizer", "auto_map": {"AutoTokenizer": ["modeling_custom.Evil", None]}},
            "The tokenizer of 'org/asks' needs code from its repository, which is never run here",
        ),
        ({"vocab_file": "/etc/passwd"}, "points outside of its folder"),
        ({"tokenizer_file": "../../../../../../../etc/passwd"}, "points outside of its folder"),
        ({"fast_tokenizer_files": ["tokenizer.1.0.json", "../../evil.json"]}, "points outside of its folder"),
        ({"init_inputs": ["/etc/passwd"]}, "points outside of its folder"),
        ({"vocab": "/etc/passwd", "tokenizer_class": "BertTokenizer"}, "names a file as vocab"),
        ({"merges": "merges.txt", "tokenizer_class": "RobertaTokenizer"}, "names a file as merges"),
        ({"model_input_names": ["labels"]}, "makes no input_ids"),
    ],
)
def test_hostile_tokenizers_are_refused(hub, copy, refuse, changes, sentence):
    folder = copy()
    edit(folder / "tokenizer_config.json", **changes)
    hub.add("org/asks", folder)
    refuse("org/asks", sentence)
    refuse(folder, sentence.replace("org/asks", "copy"))


@pytest.mark.parametrize("with_config", [True, False])
@pytest.mark.parametrize("key", ["vocab", "vocab_file", "tokenizer_file"])
def test_the_map_of_special_tokens_names_no_files_either(hub, copy, refuse, home, with_config, key):
    (home / "secret.txt").write_text("[UNK]\n[PAD]\nsecret")
    folder = copy(without=() if with_config else ("tokenizer_config.json",))
    (folder / "special_tokens_map.json").write_text(json.dumps({key: "secret.txt", "unk_token": "[UNK]"}))
    hub.add("org/asks", folder)
    refuse("org/asks", "special_tokens_map.json of 'org/asks' (names a file|points outside)")


@pytest.mark.parametrize(
    "changes",
    [
        {
            "normalizer": {
                "type": "Sequence",
                "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}] * 3,
            }
        },
        {
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 100,
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {},
            }
        },
    ],
)
def test_a_tokenizer_that_makes_endless_texts_is_refused(hub, copy, refuse, changes):
    folder = copy()
    edit(folder / "tokenizer.json", **changes)
    hub.add("org/asks", folder)
    refuse("org/asks", "The tokenizer of 'org/asks' makes endless texts of short ones")


@pytest.mark.parametrize("length", [-5, "512"])
def test_a_length_that_is_none_is_ignored(hub, copy, length):
    folder = copy()
    edit(folder / "tokenizer_config.json", model_max_length=length)
    hub.add("org/asks", folder)
    assert find_max_length(load_checkpoint("org/asks", device="cpu")) == 512


def test_a_tokenizer_that_fails_on_a_text_is_a_sentence(hub, copy):
    folder = copy()
    slow = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
    edit(folder / "tokenizer.json", pre_tokenizer=slow)
    hub.add("org/slow", folder)
    checkpoint = load_checkpoint("org/slow", device="cpu")
    with pytest.raises(UserError, match="The tokenizer of 'org/slow' fails on this text"):
        encode(checkpoint, "a" * 40 + "!")


def test_a_tokenizer_that_makes_nothing_of_a_text_is_a_sentence(hub, copy):
    folder = copy()
    nothing = {"type": "Replace", "pattern": {"Regex": ".*"}, "content": ""}
    edit(folder / "tokenizer.json", normalizer=nothing, post_processor=None)
    hub.add("org/mute", folder)
    with pytest.raises(UserError, match="makes no token of this text"):
        encode(load_checkpoint("org/mute", device="cpu"), TEXT)


def test_paths_left_from_training_elsewhere_are_harmless(hub, copy):
    folder = copy()
    leftovers = {"vocab_file": "/root/.cache/nowhere/vocab.txt", "special_tokens_map_file": None, "name_or_path": "/x"}
    edit(folder / "tokenizer_config.json", **leftovers)
    hub.add("org/asks", folder)
    assert load_checkpoint("org/asks", device="cpu").tokenizer.tokenize("the film")


def test_templates_are_not_run(hub, copy):
    folder = copy()
    edit(folder / "tokenizer_config.json", chat_template="{{ ''.__class__.__mro__[1].__subclasses__() }}")
    hub.add("org/asks", folder)
    assert load_checkpoint("org/asks", device="cpu").labels == ("no", "yes")


def build_parts(folder, weight_map=None):
    """Splits a model into two files with an index."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    halves = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    for file_name, part in halves.items():
        write_weights(folder / file_name, {name: weights[name] for name in part})
    found = {name: file_name for file_name, part in halves.items() for name in part}
    index = {"metadata": {}, "weight_map": found | (weight_map or {})}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_a_model_in_parts_loads(hub, tiny, copy):
    hub.add("org/tiny", tiny)
    hub.add("org/parts", build_parts(copy()))
    whole, parts = (compute_logits(load_checkpoint(name, device="cpu")) for name in ("org/tiny", "org/parts"))
    torch.testing.assert_close(whole, parts, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "target", ["../../../secret.safetensors", "/etc/passwd", "pytorch_model.bin", "no.safetensors"]
)
def test_an_index_that_leads_elsewhere_is_refused(hub, copy, refuse, tmp_path, target):
    write_weights(tmp_path / "secret.safetensors", {"x": torch.zeros(1)})
    folder = build_parts(copy(), {"classifier.weight": target})
    hub.add("org/parts", folder)
    refuse("org/parts", f"index.json of 'org/parts' names '{target}', which is not among its weights")
    refuse(folder, "which is not among its weights")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_links_out_of_a_local_folder_are_refused(copy, tmp_path, refuse, name):
    folder = copy()
    shutil.move(folder / name, tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    refuse(folder, f"'{name}' of 'copy' is a link out of its folder: put the file itself there")


def test_a_snapshot_in_the_cache_is_a_folder_like_others(hub, tiny, home):
    model = hub.add("org/tiny", tiny)
    load_checkpoint("org/tiny", device="cpu")
    (snapshot,) = (home / "cache").glob(f"models--org--tiny/snapshots/{model.refs['main']}")
    assert load_checkpoint(snapshot, device="cpu").labels == ("no", "yes")


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 500},
        {"intermediate_size": 10**7},
        {"max_position_embeddings": 10**7},
        {"type_vocab_size": 10**7},
        {"num_labels": 1 << 24},
        {"num_labels": 1 << 24, "id2label": None, "label2id": None},
        {"model_type": "gpt_neo", "attention_types": [[["global", "local"], 10**9]]},
        {"id2label": {str(i): f"class {i}" for i in range(30_000)}, "label2id": None, "hidden_size": 64},
    ],
)
def test_sizes_that_the_weights_do_not_have_take_no_memory(hub, copy, refuse, changes):
    import resource

    hub.add("org/absurd", copy(**changes))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refuse(
        "org/absurd",
        "config.json of 'org/absurd' (asks|says)|lacks weights that fit|could not be loaded|makes no sense",
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000, "KiB"


def test_weights_that_are_no_safetensors_are_refused(hub, copy, refuse):
    folder = copy()
    (folder / "model.safetensors").write_bytes(b"\xff" * (folder / "model.safetensors").stat().st_size)
    hub.add("org/junk", folder)
    refuse("org/junk", "'org/junk' could not be loaded")


def test_a_model_without_a_tokenizer_is_refused(hub, copy, refuse):
    hub.add("org/mute", copy(without=("tokenizer.json", "tokenizer_config.json")))
    refuse("org/mute", "'org/mute' has no tokenizer")


def test_a_tokenizer_with_more_pieces_than_the_model_is_no_accident(hub, copy):
    folder = copy()
    tokenizer = build_tokenizer()
    tokenizer.add_tokens(["unheard"])
    tokenizer.save_pretrained(folder)
    hub.add("org/more", folder)
    assert load_checkpoint("org/more", device="cpu").labels == ("no", "yes")
