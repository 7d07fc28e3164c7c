"""Choose labelled data: an embedded set, a file of one's own, or a data set of the Hub; with a look at them."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from attattr_core.datasets import EMBEDDED_SETS
from attattr_core.datasets.hub_sets import SUGGESTED, HubDataset, HubSplit, choose_split, find_dataset, list_splits
from attattr_core.errors import UserError
from attattr_core.hub import Progress, download
from attattr_core.ui.data_choice import (
    DataChoice,
    describe_data,
    describe_dataset,
    describe_refusal,
    describe_wait,
    read_choice,
    suggest_set,
)
from attattr_core.ui.examples import EXAMPLES, FIRST
from attattr_core.ui.models import Choice, Models

__all__ = ["DataChoice", "DataPicker", "build_data_picker", "read_choice", "wire_data_picker"]

FILE, HUB = "file", "hub"
_SOURCES = [
    ("embedded sst2", "sst2"),
    ("embedded snli", "snli"),
    ("my file", FILE),
    ("Hub data set", HUB),
]
_FILE_TYPES = [".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".txt", ".gz", ".parquet"]
_HINTS = {
    FILE: "Upload a table with a header (.tsv, .csv), JSON lines or parquet: columns sentence or text, or premise and "
    "hypothesis, or sentence1 and sentence2 …, and label. It is deleted after an hour.",
    HUB: "Name a data set such as nyu-mll/glue; its parquet files are read, never its scripts.",
}
_STATIC = Path(__file__).parent / "static" / "data"
_SECONDS_KEPT = 3600
_SECONDS_BETWEEN_MESSAGES = 0.2
_MAX_CHOICES = 300
_LIKED = ("validation", "validation_matched", "dev", "test", "train")
# The queues of `attattr_core.ui.wiring`: reading data holds up neither runs nor downloads.
_QUESTIONS = {"concurrency_id": "hub", "concurrency_limit": 8}
_DOWNLOADS = {"concurrency_id": "download", "concurrency_limit": 2}
_READING = {"concurrency_id": "data", "concurrency_limit": 2}
_QUIET = {"show_progress": "hidden", "trigger_mode": "multiple"}
_PRIVATE = {**_QUIET, "api_visibility": "private"}

#: A data set that was looked up, and what stood in the field then.
Found = tuple[str, HubDataset]


@dataclass(frozen=True)
class DataPicker:
    """The picker's components; ``choice`` is the state whose value `read_choice` reads (None: nothing is chosen)."""

    prefix: str
    choice: gr.State
    found: gr.State
    source: gr.Radio
    file_row: gr.Row
    upload: gr.UploadButton
    hub_row: gr.Row
    dataset: gr.Dropdown
    config: gr.Dropdown
    split: gr.Dropdown
    load: gr.Button
    stop: gr.Button
    glance: gr.HTML

    @property
    def shown(self) -> list[Any]:
        """What a change of the choice fills."""
        return [self.glance, self.choice]


def build_data_picker(prefix: str, *, label: str) -> DataPicker:
    """Builds the picker where a tab calls this; `wire_data_picker` brings it to life.

    Args:
        prefix: What its elements' ids begin with, different for each picker of the page.
        label: What the data are for, above the sources.
    """
    first = EXAMPLES[FIRST][0]
    chosen = DataChoice("embedded", first)
    states = [gr.State(value, time_to_live=_SECONDS_KEPT) for value in (chosen, None)]
    source = gr.Radio(_SOURCES, value=first, label=label, elem_id=f"{prefix}-source", elem_classes="aa-data-source")
    with gr.Row(visible=False) as file_row:
        upload = gr.UploadButton(
            "Upload a file", file_types=_FILE_TYPES, size="md", elem_id=f"{prefix}-upload", scale=0, min_width=180
        )
    with gr.Row(visible=False, elem_classes="aa-data-hub") as hub_row:
        dataset = gr.Dropdown(
            list(SUGGESTED),
            value=None,
            label="Data set, or its Hub id",
            allow_custom_value=True,
            elem_id=f"{prefix}-dataset",
            scale=3,
            min_width=200,
        )
        config = gr.Dropdown([], label="Configuration", elem_id=f"{prefix}-config", scale=2, min_width=130)
        split = gr.Dropdown([], label="Split", elem_id=f"{prefix}-split", scale=2, min_width=130)
        load = gr.Button("Load", size="md", elem_id=f"{prefix}-load", scale=0, min_width=72)
        stop = gr.Button("Stop", size="md", elem_id=f"{prefix}-stop-load", scale=0, min_width=72)
    glance = gr.HTML(
        describe_data(chosen),
        html_template='<div class="aa-data" data-testid="data"></div>',
        css_template=(_STATIC / "data.css").read_text(encoding="utf-8"),
        js_on_load=(_STATIC / "data.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=f"{prefix}-data",
    )
    return DataPicker(prefix, *states, source, file_row, upload, hub_row, dataset, config, split, load, stop, glance)


def wire_data_picker(models: Models, page: Any, picker: DataPicker) -> None:
    """Connects the picker's events.

    Args:
        models: What the server offers, and its limits.
        page: The page's components (`attattr_core.ui.wiring.Page`): its choice of a checkpoint decides the default.
        picker: From `build_data_picker`.
    """
    rows = [picker.file_row, picker.hub_row]
    job = picker.load.click(
        partial(load_set, models),
        [picker.dataset, picker.config, picker.split, picker.found],
        picker.shown,
        api_name=f"{picker.prefix}_load",
        api_visibility="undocumented",
        **_DOWNLOADS,
        **_QUIET,
    )
    picker.stop.click(stop_loading, picker.choice, picker.shown, cancels=[job], queue=False, **_PRIVATE)
    picker.source.input(
        partial(pick_source, models),
        [picker.source, picker.upload],
        [*picker.shown, *rows, picker.found],
        cancels=[job],
        **_READING,
        **_PRIVATE,
    )
    picker.upload.upload(
        partial(take_file, models),
        picker.upload,
        picker.shown,
        api_name=f"{picker.prefix}_upload",
        api_visibility="undocumented",
        **_READING,
        **_QUIET,
    )
    picker.dataset.change(
        partial(look_up_set, models),
        picker.dataset,
        [*picker.shown, picker.found, picker.config, picker.split],
        cancels=[job],
        **_QUESTIONS,
        **_PRIVATE,
    )
    picker.config.input(list_parts, [picker.found, picker.config], picker.split, queue=False, **_PRIVATE)
    page.choice.change(
        partial(follow_checkpoint, models),
        [page.choice, picker.source],
        [picker.source, *picker.shown],
        **_READING,
        **_PRIVATE,
    )


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
        for progress, rate in _download(chosen):
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


def _show(choice: DataChoice) -> tuple[str, DataChoice | None]:
    try:
        return describe_data(choice), choice
    except UserError as error:
        return describe_refusal(str(error)), None


def _download(chosen: HubSplit) -> Iterator[tuple[Progress, float]]:
    """Downloads, and tells now and then how far that is and how fast, in bytes a second."""
    started, last, n_before = time.monotonic(), 0.0, None
    with closing(download(chosen)) as steps:
        for progress in steps:
            n_before = progress.n_bytes if n_before is None else n_before
            now = time.monotonic()
            if now - last >= _SECONDS_BETWEEN_MESSAGES:
                last = now
                yield progress, (progress.n_bytes - n_before) / max(now - started, 1e-3)


def _name_part(part: Any) -> str:
    rows = f"{part.n_rows:,} rows, " if part.n_rows else ""
    return f"{part.name} ({rows}{part.n_bytes / 1e6:.1f} MB)"
