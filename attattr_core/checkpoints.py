"""Find, vet and load a fine-tuned sequence classifier."""

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from attattr_core.catalog import EMBEDDED, find_folder, read_json
from attattr_core.errors import UserError
from attattr_core.families import find_family


@dataclass(frozen=True)
class Checkpoint:
    """A classifier ready for attribution: in eval mode, float32 when loaded by `load_checkpoint`.

    Attributes:
        model: The classifier.
        tokenizer: Its tokenizer.
        labels: Label names by class index.
        name: What the user called it.
        revision: What identifies the weights, or "".
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    labels: tuple[str, ...]
    name: str
    revision: str = ""

    @classmethod
    def from_model(
        cls, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, name: str = "", revision: str = ""
    ) -> "Checkpoint":
        """Wraps a model that is already in memory.

        Raises:
            UnsupportedModelError: When its family cannot be attributed.
        """
        find_family(model.config.model_type)
        names = model.config.id2label or {}
        labels = tuple(str(names.get(index, f"LABEL_{index}")) for index in range(model.config.num_labels))
        if model.config.pad_token_id is None:  # decoders look for the last token that is not padding
            model.config.pad_token_id = -1
        return cls(model.eval(), tokenizer, labels, name or model.config.name_or_path, revision)

    @property
    def device(self) -> torch.device:
        """The device that the model lives on."""
        return self.model.device

    def find_target(self, target: str | int, predicted: int) -> int:
        """Turns ``"predicted"``, a label name or a class index into a class index.

        Raises:
            UserError: When no label has that name or index.
        """
        if isinstance(target, str) and target in self.labels:
            return self.labels.index(target)
        if target == "predicted":
            return predicted
        folded = [label.casefold() for label in self.labels]
        if isinstance(target, str) and folded.count(target.casefold()) == 1:
            return folded.index(target.casefold())
        if str(target).isdecimal() and int(target) < len(self.labels):
            return int(target)
        raise UserError(
            f"The model has no label {target!r}: choose 'predicted', an index below {len(self.labels)}, or one of "
            f"{', '.join(self.labels)}."
        )


def load_checkpoint(name_or_folder: str | Path, *, device: str | torch.device | None = None) -> Checkpoint:
    """Loads an embedded checkpoint or a folder in Hugging Face format, as float32 and in eval mode.

    Args:
        name_or_folder: ``"sst2"``, ``"snli"``, or a folder with ``config.json`` and safetensors weights; a folder with
            a LoRA adapter is merged with its base, which has to lie beside it or at the path that it names.
        device: Where to; CUDA if there is one, else the CPU.

    Returns:
        The checkpoint.

    Raises:
        UserError: When there is no such checkpoint or it is not a usable classifier.
        UnsupportedModelError: When its family cannot be attributed; no weights are read then.
    """
    name = str(name_or_folder)
    folder = find_folder(name)
    if not folder.is_dir():
        raise UserError(
            f"There is no checkpoint {name!r}: give a folder in Hugging Face format or one of {', '.join(EMBEDDED)}."
        )
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    is_adapter = (folder / "adapter_config.json").is_file()
    model = _load_adapted(folder) if is_adapter else _load_model(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return Checkpoint.from_model(
        model.to(device).requires_grad_(False), tokenizer, name=name, revision=_read_revision(folder)
    )


def silence_loading() -> None:
    """Turns off transformers' own progress bars and reports, for programs that show their own."""
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _load_model(folder: Path, **options: Any) -> PreTrainedModel:
    config = read_json(folder / "config.json")
    find_family(str(config.get("model_type")))
    architectures = config.get("architectures") or []
    if not options and not any(str(name).endswith("ForSequenceClassification") for name in architectures):
        kind = ", ".join(map(str, architectures)) or "of no stated kind"
        raise UserError(
            f"{folder.name!r} is not a sequence classifier (it is {kind}): choose a checkpoint fine-tuned for "
            "classification."
        )
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder.name!r} has no safetensors weights: save it with save_pretrained first.")
    try:
        model, info = AutoModelForSequenceClassification.from_pretrained(
            folder,
            dtype=torch.float32,
            attn_implementation="eager",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise UserError(f"{folder.name!r} could not be loaded: {str(error).splitlines()[0]}") from error
    if info["missing_keys"] and not options:
        missing = ", ".join(sorted(info["missing_keys"])[:3])
        raise UserError(f"{folder.name!r} lacks weights ({missing}): it was not fine-tuned or was saved incompletely.")
    return model


def _load_adapted(folder: Path) -> PreTrainedModel:
    """Loads the base of a LoRA adapter and merges the adapter into it; label names come from its config.json."""
    from peft import PeftModel

    adapter = read_json(folder / "adapter_config.json")
    if adapter.get("task_type") != "SEQ_CLS":
        raise UserError(
            f"The adapter {folder.name!r} is for {adapter.get('task_type')!r}: choose one for classification (SEQ_CLS)."
        )
    named = Path(str(adapter.get("base_model_name_or_path")))
    base = next((path for path in (folder.parent / named.name, named) if path.is_dir()), None)
    if base is None:
        raise UserError(f"The base {str(named)!r} of the adapter {folder.name!r} is missing: put its folder beside it.")
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model = _load_model(base, config=config, ignore_mismatched_sizes=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft's use of transformers, nothing a user can change
            model = PeftModel.from_pretrained(model, folder, local_files_only=True).merge_and_unload()
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise UserError(f"The adapter {folder.name!r} could not be merged: {str(error).splitlines()[0]}") from error
    return model


def _read_revision(folder: Path) -> str:
    """Identifies local weights by the beginning of the SHA-256 of their files."""
    digests = []
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]
