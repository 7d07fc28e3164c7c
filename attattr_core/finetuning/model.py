"""The model side of fine-tuning: vet a base, load it with its labels, wrap it in an adapter, save it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.checkpoints.catalog import read_json
from attattr_core.datasets import Example
from attattr_core.errors import UserError
from attattr_core.finetuning.settings import FinetuneSettings
from attattr_core.finetuning.vocabulary import cut_vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from attattr_core.hub import Progress

#: What tokenizers save of their last call, and of how they were found.
_CALL_SETTINGS = ("max_length", "stride", "truncation_strategy", "pad_to_multiple_of", "is_local", "local_files_only")


def vet_base(base: str, *, on_progress: "Callable[[Progress], None] | None" = None) -> Path:
    """Refuse what is not an encoder in safetensors, before anything large is loaded, and bring it here.

    Args:
        base: Hub id or folder.
        on_progress: Called while its files are downloaded.

    Returns:
        The folder to load it from.

    Raises:
        UserError: For an adapter, another kind of model, or weights in another format.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    from attattr_core.checkpoints.checkpoint import fetch
    from attattr_core.hub import find_snapshot, parse_reference

    if Path(base).is_dir():
        if (Path(base) / "adapter_config.json").is_file():
            raise UserError(f"{base!r} is an adapter; give the checkpoint it stands on as the base.")
        if not any(Path(base).glob("*.safetensors")):
            raise UserError(f"{base!r} holds no .safetensors weights; give a folder that does.")
    description = fetch(parse_reference(base), on_progress=on_progress, has_head=False, is_attributed=False)
    if description.base is not None:
        raise UserError(f"{base!r} is an adapter; give the checkpoint it stands on as the base.")
    folder = find_snapshot(description)
    described = read_json(folder / "config.json")
    is_encoder = description.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if not is_encoder or described.get("is_encoder_decoder") or described.get("is_decoder"):
        raise UserError(f"The base {base!r} is a {description.model_type!r} model, not an encoder; give one like BERT.")
    return folder


def load_base(
    base: str | Path, settings: FinetuneSettings, counted: Sequence[Example]
) -> tuple[Any, "PreTrainedTokenizerBase"]:
    """Load an encoder for training: with its labels, a cut vocabulary and an adapter where the settings ask for them.

    Args:
        base: The folder that ``vet_base`` gave.
        settings: How it will be trained, its labels among them.
        counted: Examples whose pieces count when the vocabulary is cut.

    Returns:
        The model in float32, a peft model for the method ``lora``, and its tokenizer.

    Raises:
        UserError: If it cannot be loaded, or its vocabulary cannot be cut.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, set_seed

    from attattr_core.checkpoints.loading import build_config, explaining, load_tokenizer
    from attattr_core.checkpoints.vetting import vet_index, vet_links

    set_seed(settings.seed)
    names = dict(enumerate(settings.labels or ()))
    folder = Path(base)
    with explaining(folder.name):
        vet_links(folder.name, folder)
        vet_index(folder.name, folder)
        config = build_config(read_json(folder / "config.json"))
        config.num_labels = len(names)
        config.id2label, config.label2id = names, {name: index for index, name in names.items()}
        tokenizer = load_tokenizer(folder, name=folder.name, config=config)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            ignore_mismatched_sizes=True,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
        )
    if settings.vocabulary_size is not None:
        texts = (text for example in counted for text in (example.text, example.text_pair) if text)
        tokenizer = cut_vocabulary(model, tokenizer, texts, n_pieces=settings.vocabulary_size)
    return _add_adapter(model, settings) if settings.method == "lora" else model, tokenizer


def _add_adapter(model: "PreTrainedModel", settings: FinetuneSettings) -> Any:
    """Put LoRA on every linear layer of the encoder; head and pooler are trained and saved whole."""
    import torch
    from peft import LoraConfig, get_peft_model

    encoder = model.base_model
    parts = [(name, part) for name, part in model.named_children() if part is not encoder]
    heads = [name for name, part in parts if next(part.parameters(), None) is not None]
    if getattr(encoder, "pooler", None) is not None:
        heads.append("pooler")
    linear = [
        name
        for name, part in model.named_modules()
        if isinstance(part, torch.nn.Linear) and not set(name.split(".")) & set(heads)
    ]
    config = LoraConfig(
        task_type="SEQ_CLS",
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=0.05,
        target_modules=_shorten_names(linear),
        modules_to_save=heads,
    )
    return get_peft_model(model, config)


def _shorten_names(names: list[str]) -> list[str]:
    """Leave the part of the names that repeats from layer to layer, as adapter files usually give it."""
    return sorted({".".join(part for part in name.split(".")[-2:] if not part.isdecimal()) for name in names})


def save_model(model: Any, tokenizer: Any, output: Path, base: str, settings: FinetuneSettings) -> None:
    """Write weights, configuration and tokenizer; beside an adapter lies the configuration of the whole model.

    Args:
        model: What was trained; its weights are converted in place.
        tokenizer: Its tokenizer.
        output: Folder to write.
        base: What an adapter's configuration names as its base.
        settings: How it was trained.

    Raises:
        UserError: If the weights do not fit the type asked for.
    """
    import torch

    model = model.to(device="cpu", dtype=getattr(torch, settings.save_dtype))
    if not all(bool(torch.isfinite(weight).all()) for weight in model.parameters()):
        raise UserError(f"The weights do not fit {settings.save_dtype}; lower the learning rate or save as float32.")
    model.save_pretrained(output)
    if settings.method == "lora":
        model.base_model.model.config.save_pretrained(output)
        heads = sorted(set(model.peft_config["default"].modules_to_save))
        _edit_json(
            output / "adapter_config.json", base_model_name_or_path=base, inference_mode=True, modules_to_save=heads
        )
    # Plain from_pretrained then computes in float32 whatever the weights were saved in.
    _edit_json(output / "config.json", dtype="float32")
    save_tokenizer(tokenizer, output)


def save_tokenizer(tokenizer: "PreTrainedTokenizerBase", output: Path) -> None:
    """Write a tokenizer without what its last call and this machine left in it.

    Args:
        tokenizer: A tokenizer; a fast one forgets the truncation and padding of its last call.
        output: Folder to write.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()
    tokenizer.save_pretrained(output)
    _edit_json(output / "tokenizer_config.json", without=_CALL_SETTINGS)


def _edit_json(path: Path, *, without: Sequence[str] = (), **values: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) | values
    content = {name: value for name, value in content.items() if name not in without}
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
