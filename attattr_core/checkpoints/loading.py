"""Build a classifier from a folder that is not trusted: vetted, in safetensors, with nothing but transformers' code."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from attattr_core.checkpoints.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS, count_classes, merge_adapter, vet_adapter
from attattr_core.checkpoints.catalog import read_json
from attattr_core.checkpoints.tokenizer_vetting import vet_backend, vet_tokenizer
from attattr_core.checkpoints.vetting import clean_config, list_weights, vet_config, vet_index, vet_links
from attattr_core.engine.families import check_config, find_family
from attattr_core.errors import UserError, is_memory_error

_MAX_BUFFER_BYTES = 1 << 30
#: Constants of a layer that older versions of transformers saved among the weights.
_LEFTOVERS = re.compile(r".*\.(masked_bias|inv_freq|attn\.bias|attention\.bias)")
_HEAD_ALLOWANCE = 1 << 24  # parameters of a head that a base need not have


@contextmanager
def explaining(name: str, done: str = "loaded") -> Iterator[None]:
    """Turns whatever untrusted files make the libraries raise into one sentence: that it could not be ``done``."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if is_memory_error(error):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(" .:")
        readable = "".join(letter if letter.isprintable() else "?" for letter in reason)
        raise UserError(f"{name[:80]!r} could not be {done}: {readable}.") from error


def load_parts(
    folder: Path, base: Path | None = None, *, name: str, is_attributed: bool = True
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Loads a classifier and its tokenizer from local files, as float32 and in eval mode, on the CPU.

    Args:
        folder: A full checkpoint, or an adapter.
        base: The folder of the adapter's base, for an adapter.
        name: What it is called in sentences.
        is_attributed: Whether its family has to be one that can be attributed.

    Returns:
        The model, an adapter merged into its base, and the tokenizer; an adapter without one has that of its base.

    Raises:
        UserError: When something in the folder is missing, damaged, unfit or hostile.
        UnsupportedModelError: When its family cannot be attributed; no weights are read then.
    """
    with explaining(name):
        if base is None:
            vet_links(name, folder)
            model = load_model(folder, name=name, is_attributed=is_attributed)
        else:
            model = _load_adapted(folder, base, name=name, is_attributed=is_attributed)
        places = [folder] if base is None else [folder, base]
        home = next((place for place in places if (place / "tokenizer_config.json").is_file()), folder)
        return model.eval(), load_tokenizer(home, name=name, config=model.config)


def load_tokenizer(folder: Path, *, name: str, config: PretrainedConfig) -> PreTrainedTokenizerBase:
    """Loads a folder's tokenizer.

    Raises:
        UserError: When there is none, or it asks for code or files from elsewhere.
    """
    vet_tokenizer(name, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, config=config, local_files_only=True, trust_remote_code=False)
    if not isinstance(tokenizer, PreTrainedTokenizerBase) or set(tokenizer.get_vocab()) <= set(
        tokenizer.all_special_tokens
    ):
        raise UserError(f"{name!r} has no tokenizer: save the tokenizer beside the model.")
    vet_backend(name, tokenizer)
    return tokenizer


def build_config(described: dict[str, Any]) -> PretrainedConfig:
    """Builds transformers' configuration from what a vetted ``config.json`` may decide."""
    return CONFIG_MAPPING[described["model_type"]].from_dict(clean_config(described))


def load_model(
    folder: Path,
    *,
    name: str,
    config: PretrainedConfig | None = None,
    replaced: Sequence[str] = (),
    is_attributed: bool = True,
) -> PreTrainedModel:
    """Vets and loads a folder's model; weights under the modules in ``replaced`` may be missing or of another shape.

    Raises:
        UserError: When the folder is no whole classifier in safetensors.
    """
    described = read_json(folder / "config.json")
    n_bytes = sum(path.stat().st_size for path in list_weights(folder))
    vet_config(name, described, n_bytes=n_bytes, has_head=config is None, is_attributed=is_attributed)
    vet_index(name, folder)
    config = config or build_config(described)
    if is_attributed:
        check_config(config)
    _vet_parameters(name, config, read_shapes(list_weights(folder)))
    model, info = AutoModelForSequenceClassification.from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        attn_implementation="eager",
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are looked at below
    )
    mismatched = [entry[0] for entry in info["mismatched_keys"]]
    lost = [key for key in (*info["missing_keys"], *mismatched) if not set(key.split(".")) & set(replaced)]
    if lost:
        raise UserError(
            f"{name!r} lacks weights that fit its config.json ({', '.join(sorted(lost)[:3])}): it is damaged, so "
            "fetch or save it again."
        )
    if is_attributed:
        layers = f"{model.base_model_prefix}.{find_family(model.config.model_type).layers.split('.*')[0]}."
        if any(key.startswith(layers) and not _LEFTOVERS.fullmatch(key) for key in info["unexpected_keys"]):
            raise UserError(
                f"{name!r} has weights of layers that its config.json leaves out: it is damaged, so "
                "fetch or save it again."
            )
    return model


def read_shapes(paths: Sequence[Path]) -> dict[str, tuple[int, ...]]:
    """Reads the shapes of all weights from the headers of safetensors files."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in paths:
        with safe_open(path, framework="numpy") as file:
            shapes |= {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    return shapes


def _vet_parameters(name: str, config: PretrainedConfig, shapes: dict[str, tuple[int, ...]]) -> None:
    """Refuses a configuration whose model would be far larger than its weights, before memory is taken for it."""
    with torch.device("meta"):
        skeleton = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager")
    n_asked = sum(parameter.numel() for parameter in skeleton.parameters())
    n_there = sum(torch.Size(shape).numel() for shape in shapes.values())
    buffers = sum(buffer.numel() * buffer.element_size() for buffer in skeleton.buffers())
    if n_asked > 2 * n_there + _HEAD_ALLOWANCE or buffers > _MAX_BUFFER_BYTES + 4 * n_there:
        raise UserError(
            f"config.json of {name!r} asks for a model of {n_asked:,} parameters, but the weights hold {n_there:,}: it "
            "is damaged, so fetch or save it again."
        )


def _load_adapted(folder: Path, base: Path, *, name: str, is_attributed: bool) -> PreTrainedModel:
    """Loads the base of a LoRA adapter and merges the adapter into it; label names come from its config.json."""
    for place in (folder, base):
        vet_links(name, place)
    adapter = read_json(folder / ADAPTER_CONFIG)
    vet_adapter(name, adapter)
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise UserError(f"The adapter {name!r} has no safetensors weights: save it with save_pretrained first.")
    if (base / ADAPTER_CONFIG).is_file():
        raise UserError(f"The base of {name!r} is itself an adapter: choose an adapter of a whole model.")
    shapes = read_shapes([folder / ADAPTER_WEIGHTS])
    config = _build_adapted_config(folder, base, name=name, n_classes=count_classes(name, shapes))
    replaced = [str(part) for part in adapter.get("modules_to_save") or ("classifier", "score")]
    model = load_model(base, name=name, config=config, replaced=replaced, is_attributed=is_attributed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peft: what matters of them is an error here
        return merge_adapter(model, folder, name=name, adapter=adapter, shapes=shapes)


def _build_adapted_config(folder: Path, base: Path, *, name: str, n_classes: int) -> PretrainedConfig:
    """The adapter's own configuration where it has one, else its base's with labels LABEL_0, LABEL_1 …"""
    described = read_json(base / "config.json")
    if not (folder / "config.json").is_file():
        described = {key: value for key, value in described.items() if key not in ("id2label", "label2id")}
        return build_config({**described, "num_labels": n_classes})
    own = read_json(folder / "config.json")
    n_bytes = sum(path.stat().st_size for path in list_weights(base))
    vet_config(name, own, n_bytes=n_bytes, has_head=False, is_attributed=False)
    if own.get("model_type") != described.get("model_type"):
        raise UserError(
            f"The adapter {name!r} is for {str(own.get('model_type'))[:80]!r}, its base is "
            f"{str(described.get('model_type'))[:80]!r}: put the right base beside it."
        )
    config = build_config(own if own.get("id2label") else {**own, "num_labels": n_classes})
    if config.num_labels != n_classes:
        raise UserError(
            f"The head of the adapter {name!r} has {n_classes} classes, its config.json names {config.num_labels}: it "
            "is damaged, so fetch or save it again."
        )
    return config
