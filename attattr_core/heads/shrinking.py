"""Save a classifier without some heads as a folder that loads like any other, with what it gained and cost."""

import copy
import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.checkpoints.loading import load_parts
from attattr_core.datasets import ExampleSet
from attattr_core.engine.families import find_family
from attattr_core.errors import UserError
from attattr_core.files.whole_files import replacing
from attattr_core.files.whole_folders import building, check_target
from attattr_core.finetuning.model import save_tokenizer
from attattr_core.heads.removal import SmallerModel, can_cut, read_sizes, remove_heads
from attattr_core.heads.results import HeadImportance
from attattr_core.heads.shrinking_card import render_card
from attattr_core.heads.shrinking_record import RECORD_FILE, build_record
from attattr_core.heads.sizes import (
    DEFAULT_ROUNDS,
    DEFAULT_TIMED,
    SizeComparison,
    compact,
    count_bytes,
    count_steps,
    measure_smaller,
)

#: The most that is packed for a download.
MAX_ZIP_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class ShrinkSoFar:
    """How far a smaller model is.

    Attributes:
        stage: ``"saving"``, ``"measuring"``, ``"packing"`` or ``"done"``.
        n_done: Steps done.
        n_total: All of them.
        smaller: The model, its heads counted.
        comparison: What was measured; None before it is, and without examples.
    """

    stage: str
    n_done: int
    n_total: int
    smaller: SmallerModel
    comparison: SizeComparison | None = None


def save_smaller(
    checkpoint: Checkpoint,
    heads: Iterable[Sequence[int]],
    folder: str | Path,
    *,
    importance: HeadImportance | None = None,
    overwrite: bool = False,
) -> SmallerModel:
    """Saves a classifier without some heads, unmeasured; see `shrink`."""
    *_, last = shrink(checkpoint, heads, folder, importance=importance, overwrite=overwrite)
    return last.smaller


def shrink(
    checkpoint: Checkpoint,
    heads: Iterable[Sequence[int]],
    folder: str | Path,
    *,
    importance: HeadImportance | None = None,
    examples: ExampleSet | None = None,
    overwrite: bool = False,
    n_rounds: int = DEFAULT_ROUNDS,
    n_timed: int = DEFAULT_TIMED,
) -> Iterator[ShrinkSoFar]:
    """Saves a classifier without some heads as a Hugging Face folder, and measures what that changes.

    The folder loads with transformers alone and gives the logits of the classifier with these heads masked.

    Args:
        checkpoint: The classifier, which stays as it is.
        heads: The heads, (layer, head).
        folder: Where to; it appears once everything is in it.
        importance: What chose the heads, for the record.
        examples: What to measure on, read with the checkpoint's label names.
        overwrite: Whether the folder may be replaced if this function made it.
        n_rounds: Rounds of timing.
        n_timed: Sentences timed in each.

    Yields:
        Progress; closing the generator leaves no folder behind.

    Raises:
        UserError: When a head does not exist, the folder is there, or it cannot be written.
    """
    target = Path(folder)
    check_target(target, mark=RECORD_FILE, overwrite=overwrite)
    smaller = remove_heads(checkpoint, heads)
    n_total = 1 + (count_steps(2 + _can_cut_more(smaller, checkpoint), n_rounds) if examples else 0)
    yield ShrinkSoFar("saving", 0, n_total, smaller)
    comparison = None
    with building(target, mark=RECORD_FILE, overwrite=overwrite) as place:
        _write(smaller, place)
        if examples:
            after = _load_after(smaller, checkpoint, place)
            steps = measure_smaller(checkpoint, after, examples, smaller.heads, n_rounds=n_rounds, n_timed=n_timed)
            for step in steps:
                comparison = step.comparison
                yield ShrinkSoFar("measuring", 1 + step.n_done, n_total, smaller, comparison)
        record = build_record(checkpoint, smaller, importance, examples, comparison)
        _write_record(record, smaller, checkpoint, place, target.absolute().name)
    yield ShrinkSoFar("done", n_total, n_total, smaller, comparison)


def pack_smaller(
    checkpoint: Checkpoint,
    heads: Iterable[Sequence[int]],
    path: str | Path,
    *,
    importance: HeadImportance | None = None,
    examples: ExampleSet | None = None,
    max_bytes: int = MAX_ZIP_BYTES,
    n_rounds: int = DEFAULT_ROUNDS,
    n_timed: int = DEFAULT_TIMED,
) -> Iterator[ShrinkSoFar]:
    """Saves a classifier without some heads as a zip file of the folder that `shrink` makes.

    Args:
        checkpoint: The classifier, which stays as it is.
        heads: The heads, (layer, head).
        path: The file to write, ``….zip``; the folder in it has its name.
        importance: What chose the heads, for the record.
        examples: What to measure on, or None.
        max_bytes: The most that its weights may take before they are packed.
        n_rounds: Rounds of timing.
        n_timed: Sentences timed in each.

    Yields:
        Progress; the file is whole once the stage is ``"done"``.

    Raises:
        UserError: As `shrink`, and when the model is too large.
    """
    path = Path(path)
    n_bytes = count_bytes(checkpoint.model)
    if n_bytes > max_bytes:
        raise UserError(
            f"The weights of {checkpoint.name!r} take {n_bytes / 1e6:,.0f} MB, more than the {max_bytes / 1e6:,.0f} MB "
            "that are packed here: use python -m attattr_core shrink on your own machine."
        )
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / path.stem
        steps = shrink(
            checkpoint, heads, folder, importance=importance, examples=examples, n_rounds=n_rounds, n_timed=n_timed
        )
        for step in steps:
            if step.stage != "done":
                yield step
        yield ShrinkSoFar("packing", step.n_total, step.n_total, step.smaller, step.comparison)
        with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(folder.iterdir()):
                archive.write(part, f"{folder.name}/{part.name}")
    yield ShrinkSoFar("done", step.n_total, step.n_total, step.smaller, step.comparison)


def _write(smaller: SmallerModel, place: Path) -> None:
    """Writes configuration, weights and tokenizer."""
    model, checkpoint = smaller.checkpoint.model, smaller.checkpoint
    names = dict(enumerate(checkpoint.labels))
    model.config.id2label, model.config.label2id = names, {name: index for index, name in names.items()}
    padding = model.config.pad_token_id
    converted: dict[tuple[int, torch.Size], torch.Tensor] = {}
    weights = {
        name: converted.setdefault((tensor.data_ptr(), tensor.shape), compact(tensor).cpu())  # ties stay ties
        for name, tensor in model.state_dict().items()
    }
    try:
        if padding == -1:  # what `Checkpoint` says for None, which other programs would not understand
            model.config.pad_token_id = None
        model.save_pretrained(place, state_dict=weights)
        mode = (place / "config.json").stat().st_mode
        for path in place.glob("*.safetensors"):  # which are written for their owner only
            path.chmod(mode)
    finally:
        model.config.pad_token_id = padding
    save_tokenizer(copy.deepcopy(checkpoint.tokenizer), place)


def _load_after(smaller: SmallerModel, checkpoint: Checkpoint, place: Path) -> dict[str, Checkpoint]:
    """Loads the saved folder as anybody would; zeroed heads of it are cut in memory where that is possible."""
    model, tokenizer = load_parts(place, name=checkpoint.name)
    after = {"saved": Checkpoint.from_model(model.to(checkpoint.device), tokenizer, name=checkpoint.name)}
    if _can_cut_more(smaller, checkpoint):
        after["cut"] = remove_heads(checkpoint, smaller.heads, uneven=True).checkpoint
    return after


def _can_cut_more(smaller: SmallerModel, checkpoint: Checkpoint) -> bool:
    return smaller.n_zeroed > 0 and can_cut(checkpoint.model.config, uneven=True)


def _write_record(
    record: dict[str, Any], smaller: SmallerModel, checkpoint: Checkpoint, place: Path, name: str
) -> None:
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (place / RECORD_FILE).write_text(text, encoding="utf-8")
    card = render_card(record, name, width=_find_card_width(smaller, checkpoint))
    (place / "README.md").write_text(card, encoding="utf-8")


def _find_card_width(smaller: SmallerModel, checkpoint: Checkpoint) -> int | None:
    """The width of a head where the card's few lines cut zeroed heads: no shared layers, no grouped queries."""
    sizes = read_sizes(smaller.checkpoint.model)
    is_plain = sizes.n_heads == sizes.n_groups and "*" not in find_family(checkpoint.model.config.model_type).layers
    return sizes.width if is_plain and _can_cut_more(smaller, checkpoint) else None
