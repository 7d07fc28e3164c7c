"""The tab with triggers: what is on it, when it fills, and what its buttons do."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from attattr_core.ui.data_picker import DataPicker, build_data_picker, wire_data_picker
from attattr_core.ui.link_fields import TRIGGERS_FIELDS
from attattr_core.ui.long_work import Desk
from attattr_core.ui.model_picker import build_card, fetch
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.trial_tab import end_trial, wire_trial
from attattr_core.ui.triggers_components import trial_view, triggers_view
from attattr_core.ui.triggers_exports import export_triggers
from attattr_core.ui.triggers_measure import evaluate_shown, mine_data
from attattr_core.ui.triggers_request import Wanted
from attattr_core.ui.triggers_shown import Kept, fill, forget_own, open_file, stop_work, use_flip
from attattr_core.ui.turns import DOWNLOADS, LONG_WORK, in_turn

_PRIVATE = {"show_progress": "hidden", "trigger_mode": "multiple", "api_visibility": "private"}
_QUICK = {**_PRIVATE, "queue": False}
_MODES = (
    ("paper: the strongest pattern of each example", "paper"),
    ("pooled: tokens that are strong in many examples, kept by what they do to held-out ones", "pooled"),
)
_NOTE = Path(__file__).parent / "static" / "triggers" / "note.md"
# The text of the header, for the part of the page that shows it; in the browser alone.
_TELL_TEXTS = "(a, b) => { (window.__attattr ||= {}).texts = [a, b]; dispatchEvent(new Event('attattr-texts')); }"


@dataclass(frozen=True)
class TriggersTab:
    """The tab's components; the last ones are states."""

    view: gr.HTML
    trial: gr.HTML
    mining: DataPicker
    evaluation: DataPicker
    numbers: list[Any]
    buttons: dict[str, Any]
    second: gr.Dropdown
    card: gr.HTML
    kept: gr.State
    mode: gr.State
    compared: gr.State
    second_choice: gr.State
    desk: gr.State
    trial_desk: gr.State


def build_triggers_tab(models: Models, first: Choice) -> TriggersTab:
    """Builds the inside of the tab, with the result that comes with the first checkpoint."""
    view = triggers_view(fill(first, None))
    trial = trial_view()
    with gr.Accordion("Mine and evaluate on data of your own", open=False, elem_id="triggers-own"):
        fields = _build_fields(models)
    gr.Markdown(_NOTE.read_text(encoding="utf-8"), elem_classes="aa-note", latex_delimiters=[])
    values = ({}, "paper", None, None, Desk(), Desk())
    states = [gr.State(value) for value in values]
    return TriggersTab(view, trial, *fields, *states)


def _build_fields(models: Models) -> tuple[Any, ...]:
    first = {name: field.first for name, field in TRIGGERS_FIELDS.items()}
    with gr.Row(elem_classes="aa-work-columns"):
        with gr.Column(min_width=320):
            gr.Markdown("### 1 · Mine\nAttributes examples and keeps the strongest pattern of each.")
            mining = build_data_picker("triggers-mining", label="Data to mine")
            with gr.Row():
                n_examples = _build_number("n-examples", first["triggers-examples"], "Examples", 1)
                min_tokens = _build_number("min-tokens", first["triggers-least"], "Least tokens", 0)
            way = first["triggers-way"]
            mode = gr.Radio(list(_MODES), value=way, label="Way of mining", elem_id="triggers-mode-field")
            at_random = _build_box("random", first["triggers-random"], "Choose the examples at random")
            buttons = {"mine": _build_button("mine", "Mine only")}
        with gr.Column(min_width=320):
            gr.Markdown("### 2 · Evaluate\nPuts each trigger into every example of other data.")
            evaluation = build_data_picker("triggers-evaluation", label="Data to evaluate on")
            with gr.Row():
                n_triggers = _build_number("n-triggers", first["triggers-count"], "Triggers", 1)
                n_seeds = _build_number("n-seeds", first["triggers-draws"], "Random draws", 0)
            only_best = _build_box("only-best", first["triggers-best"], "Draws for the best triggers only")
            drops = _build_box("drops", first["triggers-leave"], "Leave mined examples out, not refuse them")
            buttons["evaluate"] = _build_button("evaluate", "Evaluate the table")
        with gr.Column(min_width=320):
            gr.Markdown("### 3 · Transfer\nPuts the same triggers before a second checkpoint, on the data of 2.")
            second = gr.Dropdown(
                models.list_choices(),
                value=first["triggers-second"],
                label="Second checkpoint, or a Hub id",
                allow_custom_value=True,
                elem_id="triggers-second",
            )
            card = build_card("", elem_id="triggers-card")
            buttons["transfer"] = _build_button("transfer", "Evaluate on the second")
    with gr.Row():
        buttons["both"] = _build_button("both", "Mine, then evaluate", variant="primary")
        buttons["stop"] = _build_button("stop", "Stop")
        buttons["open"] = gr.UploadButton("Open trigger file", file_types=[".json"], size="md", elem_id="triggers-open")
    numbers = [mode, n_examples, min_tokens, n_triggers, n_seeds, at_random, only_best, drops]
    return mining, evaluation, numbers, buttons, second, card


def _build_number(name: str, value: int, label: str, least: int) -> gr.Number:
    return gr.Number(value, label=label, precision=0, minimum=least, elem_id=f"triggers-{name}")


def _build_box(name: str, value: bool, label: str) -> gr.Checkbox:
    return gr.Checkbox(value, label=label, elem_id=f"triggers-{name}")


def _build_button(name: str, text: str, *, variant: str = "secondary") -> gr.Button:
    return gr.Button(text, size="md", variant=variant, elem_id=f"triggers-{name}")


def wire_triggers(app: gr.Blocks, models: Models, page: Any, tabs: gr.Tabs, tab: TriggersTab) -> None:
    """Connects the tab's events with each other and with the header (`attattr_core.ui.wiring.Page`)."""
    for picker in (tab.mining, tab.evaluation):
        wire_data_picker(models, page, picker)
    for tells in (app.load, page.text.change, page.pair.change):
        tells(None, [page.text, page.pair], None, js=_TELL_TEXTS, api_visibility="private")
    page.choice.change(fill, [page.choice, tab.kept], tab.view, **_QUICK)
    jobs = _wire_work(models, page, tab)
    jobs.append(wire_trial(models, page, tabs, tab))
    outputs = [tab.view, tab.kept]
    # Whatever needs the model, or shows another one's result, ends the work here.
    enders = [
        tab.buttons["stop"].click,
        tab.view.stop_work,
        page.stop.click,
        page.run.click,
        page.text.submit,
        page.pair.submit,
    ]
    states = [page.choice, tab.kept, tab.desk, tab.compared, tab.trial_desk]
    ended = [*outputs, tab.trial, tab.compared]
    for ender in [*enders, page.examples.dataset.click]:
        ender(_end, states, ended, cancels=jobs, **_QUICK)
    # What was stopped must not be written over the triggers of a checkpoint that is chosen meanwhile.
    left = page.model.change(_leave, states, ended[1:], cancels=jobs, **_QUICK)
    left.then(fill, [page.choice, tab.kept], tab.view, **_QUICK)
    opened = [page.choice, page.names, tab.kept, tab.desk]
    tab.buttons["open"].upload(
        lambda path, *rest: open_file(path, models, *rest),
        [tab.buttons["open"], *opened],
        [tab.view, page.status, tab.kept],
        **_PRIVATE,
    )
    tab.view.show_shipped(forget_own, [page.choice, tab.kept, tab.desk], outputs, **_QUICK)
    tab.view.select_mode(_read_mode, None, tab.mode, **_QUICK)
    tab.view.export_triggers(export_triggers, [page.choice, tab.kept], [page.download, page.status], **_PRIVATE)
    tab.view.use_flip(
        _use_flip,
        [page.choice, tab.kept],
        [page.text, page.pair, page.status],
        **_PRIVATE,
    )


def _wire_work(models: Models, page: Any, tab: TriggersTab) -> list[Any]:
    names = ("mode", "n_examples", "min_tokens", "n_triggers", "n_seeds", "at_random", "only_best", "drops")
    header = [page.model, page.choice, page.names, tab.kept, tab.desk]
    fields = [tab.mining.choice, tab.evaluation.choice, *tab.numbers]
    outputs = [tab.view, page.status, tab.kept]

    def read(values: tuple[Any, ...]) -> Wanted:
        return Wanted(*values[:2], **dict(zip(names, values[2:], strict=True)))

    # The header's five values, then the fields.
    def mine(evaluates: bool, *values: Any) -> Iterator[Any]:
        yield from mine_data(models, *values[:5], read(values[5:]), evaluates=evaluates)

    def evaluate(*values: Any) -> Iterator[Any]:
        yield from evaluate_shown(models, *values[:6], read(values[6:]))

    def transfer(second: Any, *values: Any) -> Iterator[Any]:
        yield from evaluate_shown(models, *values[:6], read(values[6:]), second)

    work = {**LONG_WORK, **_PRIVATE}
    begin = partial(in_turn, limits=models.page, is_long=True)
    jobs = [
        tab.buttons[name].click(begin(partial(mine, evaluates)), [*header, *fields], outputs, **work)
        for name, evaluates in (("both", True), ("mine", False))
    ]
    jobs.append(tab.buttons["evaluate"].click(begin(evaluate), [*header, tab.mode, *fields], outputs, **work))
    fetched = tab.buttons["transfer"].click(
        partial(fetch, models),
        [tab.second, tab.second_choice, page.names],
        [page.status, tab.second_choice, tab.card],
        **DOWNLOADS,
        **_PRIVATE,
    )
    jobs.append(fetched)
    jobs.append(fetched.success(begin(transfer), [tab.second_choice, *header, tab.mode, *fields], outputs, **work))
    return jobs


def _use_flip(choice: Choice | None, kept: Kept, event: gr.EventData) -> tuple[Any, Any, Any]:
    return use_flip(choice, kept, event._data)


def _end(choice: Choice | None, kept: Kept, desk: Desk, compared: Any, trial_desk: Desk) -> tuple[Any, Any, Any, Any]:
    return *stop_work(choice, kept, desk), *end_trial(compared, trial_desk)


def _leave(*states: Any) -> tuple[Any, Any, Any]:
    return _end(*states)[1:]


def _read_mode(event: gr.EventData) -> str:
    asked = event._data if isinstance(event._data, dict) else {}
    return str(asked.get("mode"))[:40]
