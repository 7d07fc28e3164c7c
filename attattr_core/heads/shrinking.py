"""Save a classifier without some heads as a folder that loads like any other, with what it gained and cost."""

import copy
import json
import platform
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from attattr_core.checkpoints import Checkpoint
from attattr_core.datasets import ExampleSet
from attattr_core.errors import UserError
from attattr_core.families import find_family
from attattr_core.finetuning.model import save_tokenizer
from attattr_core.heads.removal import SmallerModel, can_cut, read_sizes, remove_heads
from attattr_core.heads.results import HeadImportance
from attattr_core.heads.shrinking_card import render_card
from attattr_core.heads.sizes import (
    DEFAULT_ROUNDS,
    DEFAULT_TIMED,
    SizeComparison,
    compact,
    count_bytes,
    count_steps,
    measure_smaller,
)
from attattr_core.hub import parse_reference
from attattr_core.loading import load_parts

RECORD_FILE = "removal.json"
FORMAT, VERSION = "attattr-removal", 1
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
    _check_target(target, overwrite=overwrite)
    smaller = remove_heads(checkpoint, heads)
    n_total = 1 + (count_steps(2 + _can_cut_more(smaller, checkpoint), n_rounds) if examples else 0)
    yield ShrinkSoFar("saving", 0, n_total, smaller)
    comparison = None
    with _building(target, overwrite=overwrite) as place:
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
        with _explaining_disk(path), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(folder.iterdir()):
                archive.write(part, f"{folder.name}/{part.name}")
    yield ShrinkSoFar("done", step.n_total, step.n_total, step.smaller, step.comparison)


def build_record(
    checkpoint: Checkpoint,
    smaller: SmallerModel,
    importance: HeadImportance | None,
    examples: ExampleSet | None,
    comparison: SizeComparison | None,
) -> dict[str, Any]:
    """Gathers what ``removal.json`` keeps: which heads, why, from what, and what was measured."""
    name, is_hub_id = _name_source(checkpoint.name)
    names = [field.name for field in fields(HeadImportance) if field.name not in ("values", "settings")]
    why = None
    if importance is not None:
        why = {name: getattr(importance, name) for name in names}
        why["settings"] = asdict(importance.settings) if importance.settings else None
        n_heads = importance.values.shape[1]
        lowest = importance.list_order()[: len(smaller.heads)].tolist()
        why["are_least"] = {layer * n_heads + head for layer, head in smaller.heads} == set(lowest)
    measured = None
    if comparison is not None:
        measured = {"data": examples.file_name, "data_sha256": examples.sha256, **asdict(comparison)}
    counts = ("n_heads", "n_cut", "n_zeroed", "n_zeros")
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": name,
        "revision": checkpoint.revision,
        "is_hub_id": is_hub_id,
        "family": checkpoint.model.config.model_type,
        "n_heads_left": smaller.checkpoint.model.config.num_attention_heads,
        "heads": [list(head) for head in smaller.heads],
        **{name: getattr(smaller, name) for name in counts},
        "importance": why,
        "measured": measured,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "transformers")},
        },
    }


def _name_source(name: str) -> tuple[str, bool]:
    """What to call the model in public, and whether that is an id of the Hub; a folder's place is nobody's business."""
    try:
        reference = parse_reference(name)
    except UserError:
        return name, False
    return (Path(name).name, False) if reference.kind == "folder" else (reference.name, reference.kind == "hub")


# ---------------------------------------------------------------------------------------------------- the folder


def _check_target(target: Path, *, overwrite: bool) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UserError(f"{str(target)!r} is not a folder: choose another --output.")
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not overwrite:
        raise UserError(f"The folder {str(target)!r} is there already: choose another one, or say to overwrite it.")
    if not (target / RECORD_FILE).is_file():
        raise UserError(
            f"The folder {str(target)!r} was not made by this command ({RECORD_FILE} is missing), so it is not "
            "overwritten: choose another one."
        )


@contextmanager
def _building(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Gives a folder beside the target that takes its place in the end, or vanishes."""
    place = target.absolute().with_name(f".{target.absolute().name}-{secrets.token_hex(4)}")
    old = place.with_name(place.name + "-old")
    try:
        with _explaining_disk(target):
            place.mkdir(parents=True)
            yield place
            _check_target(target, overwrite=overwrite)  # somebody else may have made it meanwhile
            if target.exists():
                target.rename(old)
            place.rename(target)
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for leftover in (place, old):
            shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _explaining_disk(target: Path) -> Iterator[None]:
    """Turns a full or read-only disk into one sentence."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:120]
        raise UserError(f"{str(target)!r} cannot be written ({reason}): choose another place.") from error


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
