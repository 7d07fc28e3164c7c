"""Find, vet and load a fine-tuned sequence classifier."""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from attattr_core.catalog import EMBEDDED, check_labels, find_folder, read_json
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
        if not type(model).__name__.endswith("ForSequenceClassification"):
            raise UserError(f"A {type(model).__name__} is not a sequence classifier: give one with that head.")
        if model.dtype not in (torch.float32, torch.float64):
            raise UserError(f"The model computes in {model.dtype}: convert it with model.float() first.")
        labels = check_labels(model.config.id2label)
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
        numbers = [str(index) for index in range(len(self.labels))]
        if str(target) in numbers:
            return numbers.index(str(target))
        raise UserError(
            f"The model has no label {str(target)[:80]!r}: choose 'predicted', an index below {len(self.labels)}, or "
            f"one of {', '.join(self.labels)}."
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
    with _explaining(folder):
        is_adapter = (folder / "adapter_config.json").is_file()
        model, weights = _load_adapted(folder) if is_adapter else (_load_model(folder), [folder])
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
            raise UserError(f"{folder.name!r} has no tokenizer: save the tokenizer beside the model.")
        model = model.to(device).requires_grad_(False)
        return Checkpoint.from_model(model, tokenizer, name=name, revision=_read_revision(weights))


@contextmanager
def _explaining(folder: Path) -> Iterator[None]:
    """Turns whatever an untrusted folder makes the libraries raise into one sentence."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UserError(f"{folder.name[:80]!r} could not be loaded: {reason}") from error


def silence_loading() -> None:
    """Turns off transformers' own progress bars and reports, for programs that show their own."""
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _load_model(
    folder: Path, *, config: PretrainedConfig | None = None, replaced: Sequence[str] = ()
) -> PreTrainedModel:
    """Loads a folder's model; weights under the modules named in ``replaced`` may be missing or of another shape."""
    described = read_json(folder / "config.json")
    find_family(str(described.get("model_type")))
    architectures = [str(name) for name in described.get("architectures") or []]
    if config is None and not any(name.endswith("ForSequenceClassification") for name in architectures):
        kind = ", ".join(architectures) or "of no stated kind"
        raise UserError(
            f"{folder.name!r} is not a sequence classifier (it is {kind}): choose a checkpoint fine-tuned for "
            "classification."
        )
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder.name!r} has no safetensors weights: save it with save_pretrained first.")
    model, info = AutoModelForSequenceClassification.from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        attn_implementation="eager",
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
        ignore_mismatched_sizes=bool(replaced),
    )
    mismatched = [entry[0] for entry in info["mismatched_keys"]]
    lost = [name for name in (*info["missing_keys"], *mismatched) if not set(name.split(".")) & set(replaced)]
    if lost:
        raise UserError(f"{folder.name!r} lacks weights ({', '.join(sorted(lost)[:3])}): it was saved incompletely.")
    layers = f"{model.base_model_prefix}.{find_family(model.config.model_type).layers.split('.*')[0]}."
    if any(name.startswith(layers) for name in info["unexpected_keys"]):
        raise UserError(f"{folder.name!r} has weights of layers that its config.json leaves out: it is damaged.")
    return model


def _load_adapted(folder: Path) -> tuple[PreTrainedModel, list[Path]]:
    """Loads the base of a LoRA adapter and merges the adapter into it; label names come from its config.json.

    Returns:
        The merged model and the folders whose weights it is made of.
    """
    from peft import PeftModel

    adapter = read_json(folder / "adapter_config.json")
    _check_adapter(folder, adapter)
    named = Path(str(adapter.get("base_model_name_or_path"))[:1000])
    base = next((path for path in (folder.parent / named.name, named) if path.is_dir()), None)
    if base is None:
        raise UserError(f"The base {str(named)!r} of the adapter {folder.name!r} is missing: put its folder beside it.")
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model = _load_model(base, config=config, replaced=[str(name) for name in adapter.get("modules_to_save") or ()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft's use of transformers, nothing a user can change
        model = PeftModel.from_pretrained(model, folder, local_files_only=True).merge_and_unload()
    return model, [base, folder]


def _check_adapter(folder: Path, adapter: dict[str, Any]) -> None:
    """Refuses an adapter that is not plain LoRA for classification in safetensors."""
    kind = (adapter.get("peft_type"), adapter.get("task_type"))
    if kind != ("LORA", "SEQ_CLS"):
        raise UserError(
            f"The adapter {folder.name!r} is {kind[0]!r} for {kind[1]!r}: choose a LORA adapter for classification "
            "(SEQ_CLS)."
        )
    if not (folder / "adapter_model.safetensors").is_file():
        raise UserError(f"The adapter {folder.name!r} has no safetensors weights: save it with save_pretrained first.")
    changing = ("megatron_config", "layer_replication", "loftq_config", "eva_config", "corda_config")
    unusual = [name for name in changing if adapter.get(name)]
    if not isinstance(adapter.get("init_lora_weights", True), bool):
        unusual.append("init_lora_weights")
    if unusual:
        raise UserError(f"The adapter {folder.name!r} sets {', '.join(unusual)}, which would change its base at load.")


def _read_revision(folders: list[Path]) -> str:
    """Identifies weights by the beginning of the SHA-256 of the SHA-256 of their files."""
    digests = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.safetensors"))):
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]
