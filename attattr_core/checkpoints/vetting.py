"""What may be in a checkpoint's files: none of them is trusted, wherever they come from; no weights are read here."""

import re
from pathlib import Path
from typing import Any

from attattr_core.checkpoints.catalog import read_json
from attattr_core.engine.families import find_family
from attattr_core.errors import UserError

INDEX_FILE = "model.safetensors.index.json"
HEAD = "ForSequenceClassification"
MAX_LABELS = 10_000
#: What other heads are for, by the end of the architecture's name.
_OTHER_HEADS = {
    "ForMaskedLM": "fills in masked words",
    "ForPreTraining": "fills in masked words",
    "ForCausalLM": "continues a text",
    "LMHeadModel": "continues a text",
    "ForConditionalGeneration": "writes a text",
    "ForTokenClassification": "labels single tokens",
    "ForQuestionAnswering": "finds answers in a text",
    "ForMultipleChoice": "chooses between texts",
    "ForNextSentencePrediction": "tells whether a sentence follows another",
    "Model": "is an encoder without a head",
}
#: The largest numbers that are let pass, by what the name has in it: far above any model, and so few modules that
#: building one from them takes no long time.
_MOST = {"size": 1 << 24, "group": 16, "network": 8, "layer": 512, "block": 512, "head": 4096, "num_labels": MAX_LABELS}
_MOST |= dict.fromkeys(("dim", "position", "n_embd", "d_model", "d_ff"), 1 << 24)

#: Endings of the files that transformers reads.
_READ = (".json", ".safetensors", ".txt", ".model", ".codes", ".jinja")

#: What a configuration may not decide: code, the way attention is computed, what a call returns, other files.
_IGNORED = {
    "auto_map",
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "_attn_implementation_autoset",
    "experts_implementation",
    "_experts_implementation",
    "_experts_implementation_internal",
    "_name_or_path",
    "name_or_path",
    "_commit_hash",
    "_output_attentions",
    "chunk_size_feed_forward",
    "distributed_config",
    "dtype",
    "torch_dtype",
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "use_return_dict",
    "torchscript",
    "trust_remote_code",
}


def vet_config(
    name: str, config: dict[str, Any], *, n_bytes: int, has_head: bool = True, is_attributed: bool = True
) -> None:
    """Refuses a configuration that is no sequence classifier, needs more than transformers, or asks for absurd sizes.

    Args:
        name: What the checkpoint is called in the sentence.
        config: Its ``config.json``.
        n_bytes: Size of its weights, or 0 where there are none.
        has_head: Whether it has to be a classifier; the base of an adapter need not be.
        is_attributed: Whether its family has to be one that can be attributed; for training it need not be.

    Raises:
        UserError: When it may not be loaded.
        UnsupportedModelError: When its family cannot be attributed.
    """
    architectures = _list_architectures(config)
    _refuse_code(name, config, architectures)
    if config.get("quantization_config") is not None:
        raise UserError(f"{name!r} is quantised, which needs other libraries: choose its full version.")
    if has_head and not any(architecture.endswith(HEAD) for architecture in architectures):
        raise UserError(
            f"{name!r} is not a sequence classifier (it is {_name_kind(architectures)}): choose a checkpoint "
            "fine-tuned for classification."
        )
    if is_attributed:
        find_family(str(config.get("model_type"))[:80])
    _refuse_absurd_sizes(name, config, n_bytes)


def clean_config(config: dict[str, Any]) -> dict[str, Any]:
    """Leaves out of a configuration, and of those inside it, what only the program decides."""
    return {
        key: clean_config(value) if isinstance(value, dict) and key not in ("id2label", "label2id") else value
        for key, value in config.items()
        if key not in _IGNORED and (key, value) != ("num_labels", None)
    }


def _list_architectures(config: dict[str, Any]) -> list[str]:
    named = config.get("architectures")
    return [re.sub(r"[^\w.-]", "?", str(name)[:80]) for name in named] if isinstance(named, list) else []


def _name_kind(architectures: list[str]) -> str:
    if not architectures:
        return "of no stated kind"
    does = next((does for ending, does in _OTHER_HEADS.items() if architectures[0].endswith(ending)), "")
    return f"{architectures[0]}, which {does}" if does else ", ".join(architectures[:3])


def _refuse_code(name: str, config: dict[str, Any], architectures: list[str]) -> None:
    """Refuses what transformers cannot load without code from the repository; where it can, auto_map is ignored."""
    if not config.get("auto_map"):
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES

    model_type = str(config.get("model_type"))
    own = CLASSES.get(model_type)
    classifiers = [architecture for architecture in architectures if architecture.endswith(HEAD)]
    if model_type not in CONFIG_MAPPING_NAMES or any(classifier != own for classifier in classifiers):
        raise UserError(
            f"{name!r} needs code from its repository, which is never run here: choose a model whose code is part of "
            "transformers."
        )


def _refuse_absurd_sizes(name: str, config: dict[str, Any], n_bytes: int) -> None:
    for key, value in config.items():
        limit = next((limit for part, limit in _MOST.items() if part in key), None)
        if limit is not None and isinstance(value, int | float) and abs(value) > limit:
            raise UserError(f"config.json of {name!r} says {key[:80]!r} is {str(value)[:30]}: no model is like that.")
    if _count_repeated(config.get("attention_types")) > _MOST["layer"]:  # GPT-Neo spells them out in a list
        raise UserError(
            f"config.json of {name!r} says 'attention_types' is for far too many layers: it is damaged, so "
            "fetch or save it again."
        )
    # Every model holds its embeddings, and each number takes a byte at least.
    widths = ("embedding_size", "word_embed_proj_dim", "hidden_size", "d_model", "dim", "n_embd")
    width = next((config[key] for key in widths if isinstance(config.get(key), int)), 0)
    vocabulary = config.get("vocab_size")
    if n_bytes and isinstance(vocabulary, int) and vocabulary * width > n_bytes:
        raise UserError(
            f"config.json of {name!r} asks for {vocabulary} pieces of {width} numbers, but the weights have only "
            f"{n_bytes} bytes: it is damaged, so fetch or save it again."
        )


def _count_repeated(kinds: Any) -> float:
    """Counts what ``[[["global", "local"], 6], …]`` stands for; infinitely many where it is nothing of the kind."""
    try:
        return sum(len(names) * abs(n) for names, n in kinds or ())
    except (TypeError, ValueError):
        return float("inf")


def vet_links(name: str, folder: Path) -> None:
    """Refuses files of a folder that are links to somewhere else; a snapshot in a Hub cache links to its blobs.

    Raises:
        UserError: When a link leads out.
    """
    home = folder.resolve()
    allowed = [home]
    if home.parent.name == "snapshots":  # cache/models--org--name/snapshots/sha, and blobs that repositories share
        allowed += [home.parents[1] / "blobs", home.parents[2] / "blobs"]
    for path in sorted(folder.iterdir()):
        if path.suffix in _READ and path.is_symlink():
            target = path.resolve()
            if not any(target.is_relative_to(place) for place in allowed):
                raise UserError(
                    f"{path.name[:80]!r} of {name!r} is a link out of its folder: put the file itself there."
                )


def vet_index(name: str, folder: Path) -> None:
    """Refuses an index of weights that names anything but safetensors files in its folder.

    Raises:
        UserError: When it does, or a file that it names is missing.
    """
    if (folder / "model.safetensors").is_file():
        return
    if not (folder / INDEX_FILE).is_file():
        raise UserError(f"{name!r} has no safetensors weights: save it with save_pretrained first.")
    weights = read_json(folder / INDEX_FILE, max_bytes=64 << 20).get("weight_map")
    names = set(map(str, weights.values())) if isinstance(weights, dict) else {""}
    for file_name in sorted(names):
        if not re.fullmatch(r"[\w.-]+\.safetensors", file_name) or not (folder / file_name).is_file():
            raise UserError(f"{INDEX_FILE} of {name!r} names {file_name[:80]!r}, which is not among its weights.")


def list_weights(folder: Path) -> list[Path]:
    """Lists the files that hold a model's weights, as transformers chooses them."""
    single = folder / "model.safetensors"
    return [single] if single.is_file() else sorted(folder.glob("model-*-of-*.safetensors"))
