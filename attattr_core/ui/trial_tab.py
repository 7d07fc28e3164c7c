"""The part of the triggers tab where words are put into one's own text: what its buttons do."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from attattr_core.ui.long_work import Desk
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.running import is_long_run
from attattr_core.ui.trial import compare_texts, export_trial, open_trial, stop_comparing
from attattr_core.ui.trial_payload import Trial
from attattr_core.ui.turns import SHORT_WORK, in_turn

_PRIVATE = {"show_progress": "hidden", "trigger_mode": "multiple", "api_visibility": "private"}


def wire_trial(models: Models, page: Any, tabs: gr.Tabs, tab: Any) -> Any:
    """Connects the part's events with the header (`attattr_core.ui.wiring.Page`).

    Args:
        models: What the server offers.
        page: The header.
        tabs: Where results are opened.
        tab: The tab that the part is on (`attattr_core.ui.triggers_tab.TriggersTab`).

    Returns:
        The event that compares, so that others can cancel it.
    """

    # EventData reaches only plain functions.
    def compare(
        model: str,
        text: str,
        pair: str,
        target: str,
        function: str,
        baseline: str,
        precision: str,
        tolerance: float,
        n_steps: float,
        rule: str,
        choice: Any,
        names: Any,
        session: Any,
        desk: Desk,
        event: gr.EventData,
    ) -> Iterator[Any]:
        texts, fields = (text, pair), (function, baseline, precision, tolerance, n_steps, rule)
        yield from desk.follow(compare_texts(models, model, texts, target, fields, choice, names, session, event._data))

    def show(compared: Any, event: gr.EventData) -> tuple[Any, ...]:
        return open_trial(compared, event._data if isinstance(event._data, dict) else {})

    header = [page.model, page.text, page.pair, page.target, *page.settings, page.choice, page.names, page.session]
    job = tab.trial.compare(
        in_turn(compare, models.page, is_long=is_long_run),
        [*header, tab.trial_desk],
        [tab.trial, page.status, tab.compared],
        **SHORT_WORK,
        **_PRIVATE,
    )
    left = [tab.trial, tab.compared]
    tab.trial.stop_compare(end_trial, [tab.compared, tab.trial_desk], left, cancels=[job], queue=False, **_PRIVATE)
    page.choice.change(clear_trial, [page.choice, tab.compared, tab.trial_desk], left, queue=False, **_PRIVATE)
    tab.trial.open_result(show, tab.compared, [page.view, page.status, page.session, tabs], **_PRIVATE)
    tab.trial.export_trial(export_trial, tab.compared, [page.download, page.status], **_PRIVATE)
    return job


def clear_trial(choice: Choice | None, trial: Trial | None, desk: Desk) -> tuple[Any, Any]:
    """Clears the comparison of another checkpoint: values for the view and the state."""
    if trial is None or (choice is not None and choice.key == trial.key):
        return gr.skip(), gr.skip()
    desk.end()
    return "", None


def end_trial(trial: Trial | None, desk: Desk) -> tuple[Any, Any]:
    """Ends a comparison and keeps what was ready: values for the view and the state."""
    desk.end()
    return stop_comparing(trial)
