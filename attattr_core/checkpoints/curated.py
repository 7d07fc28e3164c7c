"""A short list of Hub checkpoints for the tasks of the paper, with what is known of them; no torch, no network.

The order of the classes is what users, model cards or configurations report, not what was measured: it is shown beside
the checkpoint's own names, and `attattr_core.labels.naming.probe_labels` can test it.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).resolve().parents[2] / "assets" / "curated.json"
DATASETS = ("SST-2", "MNLI", "RTE", "QNLI", "MRPC", "QQP")


@dataclass(frozen=True)
class CuratedCheckpoint:
    """One entry of the list.

    Attributes:
        id: Its Hub id.
        dataset: What it was fine-tuned on, one of `DATASETS`.
        task: What it decides, a name of `attattr_core.labels.tasks`.
        is_pair: Whether it takes two sentences.
        family: Its ``model_type``.
        labels: Label names by class index, one for a single logit; None where the order is to be probed.
        source: Where that order is known from, or "".
        n_parameters: About how many parameters it has, or None.
        has_safetensors: True where it is known to hold safetensors, None where that was not looked up; a checkpoint
            that holds pickle files only is refused when it is chosen.
        remark: What else a user should know, or "".
    """

    id: str
    dataset: str
    task: str
    is_pair: bool
    family: str
    labels: tuple[str, ...] | None
    source: str
    n_parameters: int | None
    has_safetensors: bool | None
    remark: str


@lru_cache(maxsize=1)
def read_curated() -> tuple[CuratedCheckpoint, ...]:
    """Reads the list, in its order."""
    entries = json.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(
        CuratedCheckpoint(**{**entry, "labels": entry["labels"] and tuple(entry["labels"])}) for entry in entries
    )


def find_curated(id: str) -> CuratedCheckpoint | None:
    """Finds an entry by its Hub id, whatever the case; None when it is not in the list."""
    folded = id.strip().casefold()
    return next((entry for entry in read_curated() if entry.id.casefold() == folded), None)
