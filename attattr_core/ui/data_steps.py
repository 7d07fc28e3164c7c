"""What happens as data are chosen: a source, an upload, a data set that is looked up and downloaded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from attattr_core.datasets import EMBEDDED_SETS
from attattr_core.datasets.hub_sets import HubDataset, choose_split, find_dataset, list_splits
from attattr_core.errors import UserError
from attattr_core.ui.data_choice import (
    DataChoice,
    describe_data,
    describe_dataset,
    describe_refusal,
    describe_wait,
    suggest_set,
)
from attattr_core.ui.long_work import follow_download
from attattr_core.ui.model_picker import Names
from attattr_core.ui.models import Choice, Models

FILE, HUB = "file", "hub"
_HINTS = {
    FILE: "Upload a table with a header (.tsv, .csv), JSON lines or parquet: columns sentence or text, or premise and "
    "hypothesis, or sentence1 and sentence2 …, and label. It is deleted after an hour.",
    HUB: "Name a data set such as nyu-mll/glue; its parquet files are read, never its scripts.",
}
_MAX_CHOICES = 300
_LIKED = ("validation", "validation_matched", "dev", "test", "train")

#: A data set that was looked up, and what stood in the field then.
Found = tuple[str, HubDataset]


def pick_source(models: Models, source: str, path: str | None) -> tuple[Any, ...]:
    """Shows the fields of a source; an embedded set is chosen at once, and a file that was uploaded before.

    Returns:
        Values for the glance, the choice, the rows of file and Hub, and the data set looked up.
    """
    if source in EMBEDDED_SETS:
        shown = _show(DataChoice("embedded", source, limits=models.data))
    elif source == FILE and path and Path(path).is_file():
        shown = take_file(models, path)
    else:
        shown = describe_wait(_HINTS.get(source, "")), None
    return *shown, gr.Row(visible=source == FILE), gr.Row(visible=source == HUB), gr.skip() if source == HUB else None


def take_file(models: Models, path: str | None) -> tuple[Any, Any]:
    """Takes an upload, which Gradio has vetted to be one: values for the glance and the choice."""
    if not path:
        return describe_wait(_HINTS[FILE]), None
    return _show(DataChoice(FILE, Path(path).name, str(path), limits=models.data))


def look_up_set(models: Models, text: str | None) -> tuple[Any, ...]:
    """Finds a data set: values for the glance, the choice, the data set, its configurations and their parts."""
    text = str(text or "").strip()
    if not text:
        return describe_wait(_HINTS[HUB]), None, None, gr.skip(), gr.skip()
    try:
        dataset = find_dataset(text, limits=models.limits)
    except UserError as error:
        return describe_refusal(str(error)), None, None, gr.Dropdown([], value=None), gr.Dropdown([], value=None)
    configs = list(list_splits(dataset))
    found = text, dataset
    config = gr.Dropdown(configs[:_MAX_CHOICES], value=configs[0])
    return describe_dataset(dataset), None, found, config, list_parts(found, configs[0])


def list_parts(found: Found | None, config: str | None) -> Any:
    """Lists the parts of a configuration; one for validation is proposed."""
    parts = list_splits(found[1]).get(str(config), ()) if found else ()
    names = [part.name for part in parts]
    proposed = next((name for name in (*_LIKED, *names) if name in names), None)
    return gr.Dropdown([(_name_part(part), part.name) for part in parts[:_MAX_CHOICES]], value=proposed)


def load_set(
    models: Models, text: str | None, config: str | None, split: str | None, found: Found | None
) -> Iterator[tuple[Any, Any]]:
    """Downloads a part of a data set and shows it.

    Yields:
        Values for the glance and the choice.
    """
    text = str(text or "").strip()
    try:
        yield describe_wait(f"Looking {text[:200]} up …"), None
        dataset = found[1] if found and found[0] == text else find_dataset(text, limits=models.limits)
        chosen = choose_split(dataset, str(config or ""), str(split or ""), limits=models.data)
        for progress, rate in follow_download(chosen):
            yield describe_wait(f"Downloading {chosen.title} …", progress, rate), None
        yield describe_wait(f"Reading {chosen.title} …"), None
        yield _show(DataChoice(HUB, chosen.title, split=chosen, limits=models.data))
    except UserError as error:
        yield describe_refusal(str(error)), None


def stop_loading(choice: DataChoice | None) -> tuple[Any, Any]:
    """Says that a download was stopped; what had arrived stays."""
    if choice is not None:
        return gr.skip(), gr.skip()
    return describe_wait("Stopped: Load goes on from there."), None


def follow_checkpoint(models: Models, choice: Choice | None, source: str) -> tuple[Any, Any, Any]:
    """Turns to the embedded set that fits another checkpoint, unless the visitor has data of their own."""
    fitting = suggest_set(models, choice) if choice is not None else None
    if source not in EMBEDDED_SETS or fitting in (None, source):
        return gr.skip(), gr.skip(), gr.skip()
    return fitting, *_show(DataChoice("embedded", fitting, limits=models.data))


def tell_meanings(models: Models, choice: Choice | None, names: Names | None, data: DataChoice | None) -> Any:
    """Says how the labels of a visitor's own data are taken for the checkpoint: a value for the glance."""
    if choice is None or data is None or data.kind == "embedded":
        return gr.skip()
    try:
        return describe_data(data, models.find_labels(choice, names))
    except UserError as error:
        return describe_refusal(str(error))


def _show(choice: DataChoice) -> tuple[str, DataChoice | None]:
    try:
        return describe_data(choice), choice
    except UserError as error:
        return describe_refusal(str(error)), None


def _name_part(part: Any) -> str:
    rows = f"{part.n_rows:,} rows, " if part.n_rows else ""
    return f"{part.name} ({rows}{part.n_bytes / 1e6:.1f} MB)"
