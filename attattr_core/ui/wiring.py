"""What follows when a visitor does something: which handler runs, in which queue, and what it fills."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.ui.exports import export_view
from attattr_core.ui.labels_panel import LabelsPanel, relabel, use_names
from attattr_core.ui.model_picker import fetch, inspect, look_up, show_choice
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.running import (
    find_first_session,
    is_long_run,
    run_attribution,
    run_example,
    send_whole_map,
    stop_run,
)
from attattr_core.ui.turns import DOWNLOADS, QUESTIONS, SHORT_WORK, in_turn, leave_page
from attattr_core.ui.work import describe_place

# "multiple", since with "once" the page takes no run after a stop; buttons rest while their work lasts instead.
_QUIET = {"show_progress": "hidden", "trigger_mode": "multiple"}
_N_SHOWN = 5  # the card, the target, and three parts of the Labels panel
_PRIVATE = {**_QUIET, "api_visibility": "private"}


@dataclass(frozen=True)
class Page:
    """The components that take part: three states (what is shown, what is chosen, own label names), then the rest."""

    session: gr.State
    choice: gr.State
    names: gr.State
    device: gr.HTML
    model: gr.Dropdown
    load: gr.Button
    target: gr.Dropdown
    text: gr.Textbox
    pair: gr.Textbox
    run: gr.Button
    stop: gr.Button
    opener: gr.UploadButton
    card: gr.HTML
    labels: LabelsPanel
    settings: list[Any]
    examples: gr.Examples
    status: gr.HTML
    view: gr.HTML
    download: gr.HTML
    whole: gr.HTML
    link: gr.HTML


def wire(app: gr.Blocks, models: Models, page: Page) -> None:
    """Connects the page's events."""
    app.load(_describe_place, None, page.device, **_PRIVATE)
    app.unload(leave_page)
    page.model.change(
        partial(look_up, models),
        [page.model, page.choice, page.names],
        [page.status, page.choice, page.card],
        **QUESTIONS,
        **_PRIVATE,
    ).then(**show_known(models, page))
    page.card.back(lambda choice: choice.text if choice else gr.skip(), page.choice, page.model, **_PRIVATE)
    jobs = [*_wire_runs(models, page), *_wire_loads(models, page)]
    results = [page.view, page.status, page.session]
    page.stop.click(stop_run, page.session, results, cancels=jobs, queue=False, **_PRIVATE).then(**_wake(models, page))
    page.view.export(export_view, page.session, [page.download, page.status], **_PRIVATE)
    page.view.want_whole(send_whole_map, page.session, page.whole, queue=False, **_PRIVATE)
    _wire_names(models, page)


def _wire_runs(models: Models, page: Page) -> list[Any]:
    """Run: download what is missing, then attribute; a refusal of the download ends it."""
    inputs = [page.model, page.text, page.pair, page.target, *page.settings, page.choice, page.names]
    outputs = [page.view, page.status, page.session]
    fetched = _fetch(models, page, [page.run.click, page.text.submit, page.pair.submit])
    job = fetched.success(
        in_turn(_bind(run_attribution, models), models.page, is_long=is_long_run),
        inputs,
        outputs,
        **_page_name("run"),
        **SHORT_WORK,
        **_QUIET,
    )
    example = page.examples.load_input_event.then(
        in_turn(_bind(run_example, models), models.page, n_outputs=4),
        [page.model, page.text, page.pair, *page.settings, page.choice, page.names],
        [*outputs, page.target],
        **SHORT_WORK,
        **_PRIVATE,
    )
    fetched.failure(**_wake(models, page))
    job.then(**_wake(models, page)).then(**_rename(models, page))
    return [fetched, job, example]


def _wire_loads(models: Models, page: Page) -> list[Any]:
    """Load, and Check label order: download what is missing, then look at the checkpoint."""
    jobs = []
    for trigger, probes, visibility in (
        (page.load.click, False, _page_name("load")),
        (page.labels.check.click, True, {"api_visibility": "private"}),
    ):
        fetched = _fetch(models, page, [trigger], visibility)
        job = fetched.success(
            in_turn(partial(inspect, models, probes=probes), models.page, n_outputs=1, status=0),
            page.choice,
            page.status,
            **SHORT_WORK,
            **_PRIVATE,
        )
        for ended in (fetched.failure, job.then):
            ended(**_wake(models, page))
        jobs += [fetched, job]
    return jobs


def _fetch(models: Models, page: Page, triggers: list[Any], visibility: dict[str, Any] | None = None) -> Any:
    rested = gr.on(triggers, _rest, None, [page.run, page.load], queue=False, **_PRIVATE)
    return rested.then(
        _bind(fetch, models),
        [page.model, page.choice, page.names],
        [page.status, page.choice, page.card],
        **DOWNLOADS,
        **_QUIET,
        **(visibility or {"api_visibility": "private"}),
    )


def _wire_names(models: Models, page: Page) -> None:
    shown = [page.choice, page.names, page.labels.field, page.session, page.target]
    outputs = [page.status, page.names, page.view, page.session, page.target]
    for button, own in ((page.labels.use, True), (page.labels.reset, False)):
        used = button.click(partial(_use_names, models, own), shown, outputs, queue=False, **_PRIVATE)
        # a run that ended while the names were taken has the old ones: it ended neither before nor after
        used.then(**_wake(models, page)).then(**_rename(models, page))


def _rename(models: Models, page: Page) -> dict[str, Any]:
    """A step that gives the result the names of now; what is shown and the names are read again for it."""
    return {
        "fn": partial(_name_result, models),
        "inputs": [page.choice, page.names, page.session],
        "outputs": [page.view, page.session],
        "queue": False,
        **_PRIVATE,
    }


def show_known(models: Models, page: Page) -> dict[str, Any]:
    """A step that shows what is known of the chosen checkpoint: its card, its labels and their panel."""
    return {
        "fn": partial(_show, models),
        "inputs": [page.model, page.choice, page.names, page.target],
        "outputs": _list_shown(page),
        "queue": False,
        **_PRIVATE,
    }


def _list_shown(page: Page) -> list[Any]:
    return [page.card, page.target, *page.labels.outputs]


def _wake(models: Models, page: Page) -> dict[str, Any]:
    """The last step of everything: buttons work again, and the page says what is known now."""

    def wake(*values: Any) -> tuple[Any, ...]:
        return gr.Button(interactive=True), gr.Button(interactive=True), *_show(models, *values)

    return {
        "fn": wake,
        "inputs": [page.model, page.choice, page.names, page.target],
        "outputs": [page.run, page.load, *_list_shown(page)],
        "queue": False,
        **_PRIVATE,
    }


def _show(models: Models, model: str, choice: Choice | None, names: dict, target: str) -> tuple[Any, ...]:
    if choice is None or choice.text != str(model or "").strip():  # refused, which the card says already
        return tuple(gr.skip() for _ in range(_N_SHOWN))
    return show_choice(models, choice, names, target)


def _page_name(name: str) -> dict[str, Any]:
    """What clients may call an event of the page; programs have endpoints of their own (`attattr_core.ui.api`)."""
    return {"api_name": f"page_{name}", "api_visibility": "undocumented"}


def _bind(handler: Callable[..., Any], models: Models) -> Callable[..., Any]:
    return partial(handler, models)


def _use_names(models: Models, own: bool, choice: Choice, names: Any, text: str, session: Any, target: str) -> Any:
    return use_names(models, choice, names, text if own else None, session or find_first_session(), target)


def _name_result(models: Models, choice: Choice | None, names: dict, session: Any) -> tuple[Any, Any]:
    """Names that were given while the result was computed."""
    return relabel(choice, models.find_labels(choice, names) if choice else (), session)


def _rest() -> tuple[gr.Button, gr.Button]:
    return gr.Button(interactive=False), gr.Button(interactive=False)


def _describe_place() -> str:
    try:
        return describe_place()
    except UserError as error:
        return str(error)
