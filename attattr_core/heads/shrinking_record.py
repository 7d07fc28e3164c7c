"""What a folder of a smaller model says about itself in ``removal.json``: which heads went, why, and from what."""

import platform
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.datasets import ExampleSet
from attattr_core.errors import UserError
from attattr_core.heads.removal import SmallerModel
from attattr_core.heads.results import HeadImportance
from attattr_core.heads.sizes import SizeComparison
from attattr_core.hub import parse_reference

RECORD_FILE = "removal.json"
FORMAT, VERSION = "attattr-removal", 1


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
        why["settings"] = importance.settings.as_dict() if importance.settings else None
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
