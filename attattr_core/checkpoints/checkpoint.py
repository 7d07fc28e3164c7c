"""Find, vet and load a fine-tuned sequence classifier."""

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from attattr_core.checkpoints.catalog import check_labels
from attattr_core.checkpoints.loading import load_parts
from attattr_core.engine.devices import choose_device
from attattr_core.engine.families import check_config, find_family
from attattr_core.errors import UserError
from attattr_core.hub import (
    Description,
    HubLimits,
    Progress,
    Reference,
    describe,
    download,
    find_snapshot,
    parse_reference,
)


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
        check_config(model.config)
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

    def identify_weights(self) -> str:
        """The revision or, of weights that have none, their SHA-256: what tells them from any others."""
        if self.revision:
            return self.revision
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

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


def load_checkpoint(
    name_or_folder: str | Path,
    *,
    device: str | torch.device | None = None,
    limits: HubLimits | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Checkpoint:
    """Loads an embedded checkpoint, a folder in Hugging Face format or a model of the Hub, as float32 in eval mode.

    Args:
        name_or_folder: ``"sst2"``, ``"snli"``, a folder with ``config.json`` and safetensors weights, a Hub id with or
            without ``@revision``, or a model's address on the Hub; a LoRA adapter is merged with its base.
        device: Where to; by default CUDA, else MPS, else the CPU (see `attattr_core.engine.devices`).
        limits: What may be loaded from where; None takes them from the environment.
        on_progress: Called while files are downloaded; what it raises stops the download, which can be resumed.

    Returns:
        The checkpoint; for the Hub its revision is the commit, for an adapter ``"commit+commit of the base"``.

    Raises:
        UserError: When there is no such checkpoint or it is not a usable classifier.
        UnsupportedModelError: When its family cannot be attributed; no weights are read then.
    """
    place = choose_device(device)
    reference = parse_reference(name_or_folder)
    description = fetch(reference, limits=limits, on_progress=on_progress)
    return load_described(description, name=reference.name, device=place)


def load_described(description: Description, *, name: str = "", device: str | torch.device | None = None) -> Checkpoint:
    """Loads what `attattr_core.hub.describe` vetted and `attattr_core.hub.download` brought here; asks no network.

    Args:
        description: What to load.
        name: What the user called it, if not by the name in the description.
        device: Where to, as in `load_checkpoint`.

    Raises:
        UserError: When a file is missing or broken, or it is not a usable classifier.
        UnsupportedModelError: When its family cannot be attributed; no weights are read then.
    """
    place = choose_device(device)
    parts = [part for part in (description, description.base) if part is not None]
    folders = [find_snapshot(part) for part in parts]
    model, tokenizer = load_parts(*folders, name=description.name)
    model = model.to(place).requires_grad_(False)
    revision = "+".join(part.revision for part in parts) if description.revision else _read_revision(folders[::-1])
    return Checkpoint.from_model(model, tokenizer, name=name or description.name, revision=revision)


def fetch(
    reference: Reference,
    *,
    limits: HubLimits | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    has_head: bool = True,
    is_attributed: bool = True,
) -> Description:
    """Vets a model and brings its files here.

    Args:
        reference: From `attattr_core.hub.parse_reference`.
        limits: What may be loaded from where; None takes them from the environment.
        on_progress: Called while files are downloaded.
        has_head: Whether it has to be a classifier.
        is_attributed: Whether its family has to be one that can be attributed.

    Returns:
        What it is; `attattr_core.hub.find_snapshot` tells where.

    Raises:
        UserError: When there is no such model, or it may not be loaded.
    """
    limits = limits or HubLimits.from_environment()
    description = describe(reference, limits=limits, has_head=has_head, is_attributed=is_attributed)
    with closing(download(description)) as steps:
        for progress in steps:
            if on_progress is not None:
                on_progress(progress)
    return description


def silence_loading() -> None:
    """Turns off transformers' own progress bars and reports, for programs that show their own."""
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _read_revision(folders: list[Path]) -> str:
    """Identifies weights by the beginning of the SHA-256 of the SHA-256 of their files."""
    digests = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.safetensors"))):
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]
