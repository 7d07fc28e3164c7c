"""The tab of heads: what is on it, when it fills, and what its buttons do."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from attattr_core.heads.names import METHOD_NAMES
from attattr_core.heads.results import DIRECTIONS
from attattr_core.ui.data_picker import DataPicker, build_data_picker, wire_data_picker
from attattr_core.ui.heads_components import heads_view
from attattr_core.ui.heads_exports import export_heads
from attattr_core.ui.heads_files import go_back, open_heads
from attattr_core.ui.heads_measure import (
    ask_to_measure,
    leave_checkpoint,
    measure_heads,
    refuse_to_measure,
    stop_measuring,
)
from attattr_core.ui.heads_payload import Shelf, show_shipped
from attattr_core.ui.heads_request import OFFERED, STEPS
from attattr_core.ui.heads_smaller import save_smaller_model
from attattr_core.ui.link_fields import HEADS_FIELDS
from attattr_core.ui.long_work import Desk
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.turns import LONG_WORK, in_turn

_QUIET = {"show_progress": "hidden", "trigger_mode": "multiple"}
_PRIVATE = {**_QUIET, "api_visibility": "private"}
_WAYS = {"least-first": "least important first", "most-first": "most important first"}


@dataclass(frozen=True)
class HeadsTab:
    """The tab's components, and the state that keeps what was measured."""

    data: DataPicker
    fields: list[Any]
    measure: gr.Button
    stop: gr.Button
    opener: gr.UploadButton
    smaller: gr.File
    view: gr.HTML
    shelf: gr.State
    desk: gr.State


def build_heads_tab(first: Choice) -> HeadsTab:
    """Builds the inside of the tab, with the study of the first checkpoint on it."""
    shelf = Shelf(show_shipped(first.key, first.description.name))
    with gr.Row(elem_classes="aa-folds"):
        with (
            gr.Column(scale=8, min_width=320),
            gr.Accordion("Measure on my data", open=False, elem_id="heads-fold"),
        ):
            data = build_data_picker("heads", label="Labelled examples")
            fields = _build_fields()
            with gr.Row():
                measure = gr.Button("Measure", variant="primary", size="md", elem_id="heads-run", min_width=120)
                stop = gr.Button("Stop", size="md", elem_id="heads-stop", min_width=120)
        with gr.Column(scale=2, min_width=200):
            opener = gr.UploadButton("Open importance or study", file_types=[".json"], size="md", elem_id="heads-open")
    smaller = gr.File(label="The smaller model", visible=False, interactive=False, elem_id="heads-file")
    view = heads_view(shelf.build_message())
    state = gr.State(shelf)
    return HeadsTab(data, fields, measure, stop, opener, smaller, view, state, gr.State(Desk()))


def _build_fields() -> list[Any]:
    """What `attattr_core.ui.heads_measure.measure_heads` asks for, in its order."""
    first = {name: field.first for name, field in HEADS_FIELDS.items()}
    with gr.Row():
        methods = gr.CheckboxGroup(
            [(METHOD_NAMES[method], method) for method in OFFERED],
            value=first["heads-methods"],
            label="Rank heads by (attribution follows More)",
            elem_id="heads-methods",
        )
        directions = gr.CheckboxGroup(
            [(_WAYS[direction], direction) for direction in DIRECTIONS],
            value=first["heads-orders"],
            label="Prune",
            elem_id="heads-directions",
        )
    with gr.Row():
        n_ranking, n_pruning, n_seeds = (
            gr.Number(value, label=label, precision=0, elem_id=f"heads-{name}", min_width=120)
            for name, value, label in (
                ("n-ranking", first["heads-ranking"], "Examples that rank"),
                ("n-pruning", first["heads-curves"], "Examples of the curves"),
                ("seeds", first["heads-seeds"], "Random orders"),
            )
        )
        steps = gr.Radio(list(STEPS), value=first["heads-points"], label="Points", elem_id="heads-steps", min_width=220)
    return [methods, n_ranking, n_pruning, directions, n_seeds, steps]


def fill_heads(choice: Choice | None, shelf: Shelf, desk: Desk) -> tuple[Any, Any, Any]:
    """Shows what is known of a checkpoint when it is chosen: values for the view, the shelf and the file."""
    if choice is None or shelf.shown.key == choice.key:
        return gr.skip(), gr.skip(), gr.skip()
    desk.end()
    shelf = shelf.put(shelf.shown.settle()).put(
        shelf.find(choice.key) or show_shipped(choice.key, choice.description.name)
    )
    return shelf.build_message(), shelf, gr.File(visible=False)


def wire_heads(models: Models, page: Any, tabs: gr.Tabs, tab: HeadsTab) -> None:
    """Connects the tab's events with each other and with the header (`attattr_core.ui.wiring.Page`)."""
    wire_data_picker(models, page, tab.data)
    # In the browser alone, without a round trip.
    tab.view.show_heatmaps(
        None, None, tabs, js="() => ({ __type__: 'update', selected: 'heatmaps' })", api_visibility="private"
    )
    kept = [tab.shelf, tab.desk]
    states = [tab.data.choice, page.choice, page.names, *kept]
    outputs = [tab.view, page.status, tab.shelf]
    measure = in_turn(partial(measure_heads, models), models.page, is_long=True)
    measuring = {"fn": measure, "inputs": [page.model, *tab.fields, *page.settings, *states]}
    measuring |= {"outputs": outputs, **LONG_WORK}

    # EventData reaches only plain functions.
    def save(
        model: str, data: Any, choice: Any, names: Any, shelf: Shelf, desk: Desk, event: gr.EventData
    ) -> Iterator[tuple]:
        yield from save_smaller_model(models, model, data, choice, names, shelf, desk, event._data)

    # What one trigger starts runs in the order in which it was connected.
    tab.measure.click(None, None, None, js="() => window.__attattr?.heads?.wait?.()", api_visibility="private")
    jobs = [
        _ask(trigger, page, tab).success(**measuring, **visibility, **_QUIET)
        for trigger, visibility in (
            (tab.measure.click, {"api_name": "page_heads", "api_visibility": "undocumented"}),
            (tab.view.measure_heads, {"api_visibility": "private"}),
        )
    ]
    wake = {"fn": lambda: gr.Button(interactive=True), "inputs": None, "outputs": tab.measure, "queue": False}
    for job in jobs:
        job.then(**wake, **_PRIVATE)
    saving = in_turn(save, models.page, n_outputs=4, is_long=True)
    jobs.append(tab.view.save_smaller(saving, [page.model, *states], [*outputs, tab.smaller], **LONG_WORK, **_PRIVATE))
    ended = [
        trigger(stop_measuring, kept, outputs, cancels=jobs, queue=False, **_PRIVATE)
        for trigger in (tab.stop.click, tab.view.stop_heads)
    ]
    left = [tab.view, tab.shelf]
    ended += [
        page.model.change(leave_checkpoint, [page.choice, *kept], left, cancels=jobs, queue=False, **_PRIVATE),
        tab.opener.upload(open_heads, [tab.opener, *kept], outputs, **_PRIVATE),
        tab.view.go_back(go_back, [page.choice, *kept], outputs, **_PRIVATE),
    ]
    for end in ended:
        end.then(**wake, **_PRIVATE)
    # A file of another type is refused by the browser alone: what was said before does not stay.
    tab.opener.click(None, None, page.status, js="() => ''", api_visibility="private")
    page.choice.change(fill_heads, [page.choice, *kept], [tab.view, tab.shelf, tab.smaller], **_PRIVATE)
    tab.view.export_heads(export_heads, tab.shelf, [page.download, page.status], **_PRIVATE)


def _ask(trigger: Any, page: Any, tab: HeadsTab) -> Any:
    """The first step of Measure: it waits in no queue, so that a second press is refused at once."""
    asked = trigger(ask_to_measure, [tab.data.choice, tab.desk], [page.status, tab.measure], queue=False, **_PRIVATE)
    asked.failure(refuse_to_measure, None, page.status, queue=False, **_PRIVATE)
    return asked
