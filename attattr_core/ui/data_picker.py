"""Choose labelled data: an embedded set, a file of one's own, or a data set of the Hub; with a look at them."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from attattr_core.datasets.hub_sets import SUGGESTED
from attattr_core.ui.data_choice import DataChoice, describe_data, read_choice
from attattr_core.ui.data_steps import (
    FILE,
    HUB,
    follow_checkpoint,
    list_parts,
    load_set,
    look_up_set,
    pick_source,
    stop_loading,
    take_file,
    tell_meanings,
)
from attattr_core.ui.examples import EXAMPLES, FIRST
from attattr_core.ui.models import Models
from attattr_core.ui.turns import DOWNLOADS, QUESTIONS

__all__ = ["DataChoice", "DataPicker", "build_data_picker", "read_choice", "wire_data_picker"]

_SOURCES = [
    ("embedded sst2", "sst2"),
    ("embedded snli", "snli"),
    ("my file", FILE),
    ("Hub data set", HUB),
]
_FILE_TYPES = [".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".txt", ".gz", ".parquet"]
_STATIC = Path(__file__).parent / "static" / "data"
_READING = {"concurrency_id": "data", "concurrency_limit": 2}  # holds up neither runs nor downloads
_QUIET = {"show_progress": "hidden", "trigger_mode": "multiple"}
_PRIVATE = {**_QUIET, "api_visibility": "private"}


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
    states = [gr.State(value) for value in (chosen, None)]
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
        page: The page's components (`attattr_core.ui.wiring.Page`): its choice of a checkpoint decides the default, and
            the label names what those of the data mean.
        picker: From `build_data_picker`.
    """
    rows = [picker.file_row, picker.hub_row]
    job = picker.load.click(
        partial(load_set, models),
        [picker.dataset, picker.config, picker.split, picker.found],
        picker.shown,
        api_name=f"{picker.prefix}_load",
        api_visibility="undocumented",
        **DOWNLOADS,
        **_QUIET,
    )
    told = gr.on(
        [picker.choice.change, page.choice.change, page.names.change],
        partial(tell_meanings, models),
        [page.choice, page.names, picker.choice],
        picker.glance,
        **_READING,
        **_PRIVATE,
    )
    picker.stop.click(stop_loading, picker.choice, picker.shown, cancels=[job], queue=False, **_PRIVATE)
    picker.source.input(
        partial(pick_source, models),
        [picker.source, picker.upload],
        [*picker.shown, *rows, picker.found],
        cancels=[job, told],
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
        **QUESTIONS,
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
