"""Which data a visitor has chosen, what the page says about them, and how they are read again."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from attattr_core.datasets import APP_LIMITS, EMBEDDED_SETS, DataLimits, ExampleSet, Preview, preview
from attattr_core.datasets.hub_reading import read_split
from attattr_core.datasets.hub_sets import HubDataset, HubSplit, list_splits
from attattr_core.datasets.labelling import label_table
from attattr_core.datasets.reading import read_table
from attattr_core.datasets.tables import Table
from attattr_core.errors import UserError
from attattr_core.hub import Progress
from attattr_core.labels.tasks import read_tasks
from attattr_core.ui.models import Choice, Models

_MAX_CELL = 400  # characters of a text in the table
_MAX_LABELS = 12
_TASKS = {"sst2": "sentiment", "snli": "nli"}


@dataclass(frozen=True)
class DataChoice:
    """The data that a visitor has chosen; `read_choice` reads them.

    Only the server makes these: a path is that of a file which Gradio received from this visitor.

    Attributes:
        kind: ``"embedded"``, ``"file"`` or ``"hub"``.
        name: The embedded name, the file's, or id, configuration and split.
        path: Where an uploaded file lies, or "".
        split: The part of a data set that was downloaded, or None.
        limits: How much is read.
    """

    kind: str
    name: str
    path: str = ""
    split: HubSplit | None = None
    limits: DataLimits = field(default=APP_LIMITS)


def read_choice(choice: DataChoice | None, labels: Sequence[str] | None) -> ExampleSet:
    """Read what was chosen.

    Args:
        choice: From the picker's state.
        labels: Class names by index: the checkpoint's, or None for the data's own.

    Raises:
        UserError: When nothing is chosen, the upload is gone, or data and labels do not fit.
    """
    return label_table(open_choice(choice), labels)


def open_choice(choice: DataChoice | None) -> Table:
    """Read what was chosen, without classes."""
    if choice is None:
        raise UserError("No data are chosen: take an embedded set, upload a file, or load a data set of the Hub.")
    if choice.kind == "embedded":
        return read_table(EMBEDDED_SETS[choice.name], choice.limits)
    if choice.split is not None:
        return read_split(choice.split, choice.limits)
    if not Path(choice.path).is_file():
        raise UserError(
            f"{choice.name!r} is no longer on the server, which keeps uploads for an hour: upload it again."
        )
    if Path(choice.path).stat().st_size > choice.limits.max_bytes:
        raise UserError(
            f"{choice.name!r} is larger than {choice.limits.max_bytes:,} bytes, the limit here: cut it, or raise "
            "ATTATTR_MAX_DATA_BYTES."
        )
    return read_table(choice.path, choice.limits, name=choice.name)


def suggest_set(models: Models, choice: Choice) -> str | None:
    """The embedded set whose classes a checkpoint has, or None."""
    if choice.description.name in EMBEDDED_SETS:
        return choice.description.name
    labels = models.find_labels(choice, None)
    fitting = (name for name, task in _TASKS.items() if read_tasks()[task].find_classes(labels) is not None)
    return next(fitting, None)


def describe_data(choice: DataChoice, labels: Sequence[str] | None = None) -> str:
    """What the page shows of data: JSON whose texts are data, to be shown as text.

    Args:
        choice: The data.
        labels: Class names of a checkpoint: where the data write theirs otherwise, it is said how they are taken.

    Raises:
        UserError: When they cannot be read.
    """
    table = open_choice(choice)
    found = preview(table)
    if labels:
        with suppress(UserError):  # what does not fit is told when it is used
            found = replace(found, notice=label_table(table, labels).notice)
    return _pack(_describe_preview(found))


def describe_dataset(dataset: HubDataset) -> str:
    """What the page shows of a data set before a part of it is loaded."""
    n_configs, n_parts = len(list_splits(dataset)), len(dataset.splits)
    counts = f"{n_configs} configuration{'s' * (n_configs != 1)}, {n_parts} split{'s' * (n_parts != 1)}"
    about = f"{counts}, at {dataset.revision[:7]}. Choose a split and press Load."
    return _pack({"state": "found", "name": dataset.name, "about": about, "notice": dataset.notice})


def describe_wait(sentence: str, progress: Progress | None = None, rate: float = 0.0) -> str:
    """What the page shows while something is looked up, downloaded or missing."""
    shown = [progress.n_bytes, progress.n_total, rate] if progress else None
    return _pack({"state": "waiting", "about": sentence, "progress": shown})


def describe_refusal(sentence: str) -> str:
    """What the page shows when data cannot be used."""
    return _pack({"state": "refused", "error": sentence})


def _describe_preview(found: Preview) -> dict[str, Any]:
    about = [f"{found.n_rows:,} rows", f"columns {', '.join(found.columns)}"]
    if found.n_skipped:
        about.append(f"{found.n_skipped:,} left out (no gold label, or corrupted)")
    if found.n_duplicates:
        about.append(f"{found.n_duplicates:,} repeated")
    return {
        "state": "ready",
        "name": found.name,
        "about": " · ".join(about),
        "rows": [[_cut(cell) for cell in row] for row in found.rows],
        "counts": [[_cut(label), count] for label, count in found.label_counts[:_MAX_LABELS]],
        "n_labels": found.n_labels,
        "n_rows": found.n_rows,
        "problems": list(found.problems),
        "n_problems": found.n_problems,
        "notice": found.notice,
    }


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= _MAX_CELL else text[:_MAX_CELL] + "…"


def _pack(content: dict[str, Any]) -> str:
    return json.dumps(content).replace("<", "\\u003c")
