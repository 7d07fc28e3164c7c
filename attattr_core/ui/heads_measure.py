"""Measure and Stop in the tab of heads: from its fields to messages for the view, method by method."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from attattr_core.datasets import ExampleSet
from attattr_core.errors import UserError
from attattr_core.heads.names import METHOD_NAMES
from attattr_core.heads.results import HeadImportance, HeadStudy
from attattr_core.ui.components import warn
from attattr_core.ui.data_picker import DataChoice, read_choice
from attattr_core.ui.heads_jobs import ImportanceStep
from attattr_core.ui.heads_payload import Heads, Progress, Shelf, show_shipped
from attattr_core.ui.heads_request import Request, read_request
from attattr_core.ui.heads_steps import SEED, prune, rank_once
from attattr_core.ui.long_work import Clock, Desk
from attattr_core.ui.model_picker import Names
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.running import read_settings
from attattr_core.ui.work import is_loaded

_ACCURACY = "accuracy"
_BUSY = "A measurement of yours waits or goes on already: press Stop to end it, then Measure."


def ask_to_measure(data: DataChoice, desk: Desk) -> tuple[str, Any]:
    """Takes a press of Measure and the data chosen then; one at a time.

    Returns:
        Values for the status and the button, which rests.

    Raises:
        gr.Error: While another one waits or goes on, so that nothing follows but `refuse_to_measure`.
    """
    if not desk.ask(data):
        raise gr.Error(_BUSY, visible=False, print_exception=False)
    return "", gr.Button(interactive=False)


def refuse_to_measure() -> str:
    """Says why a press of Measure starts nothing: a value for the status."""
    return warn(_BUSY)


def measure_heads(
    models: Models,
    model: str,
    methods: list[str],
    n_ranking: float,
    n_pruning: float,
    directions: list[str],
    n_seeds: float,
    steps: str,
    *rest: Any,
) -> Iterator[tuple[Any, Any, Any]]:
    """Measures importances and curves of the chosen checkpoint, and streams.

    Args:
        models: What the server offers.
        model: The checkpoint that is named.
        methods: What ranks the heads.
        n_ranking: Examples that rank them.
        n_pruning: Examples of the curves.
        directions: Which heads go first.
        n_seeds: Random orders.
        steps: One of `attattr_core.ui.heads_request.STEPS`.
        rest: The fields of the convention, then the states: data, choice, names, shelf, desk.

    Yields:
        Values for the view, the status and the shelf.
    """
    *convention, data, choice, names, shelf, desk = rest
    fields = (methods, n_ranking, n_pruning, directions, n_seeds, steps)

    def begin(data: DataChoice) -> Iterator[tuple[Any, Any, Any]]:
        return _measure_chosen(models, model, fields, convention, data, choice, names, shelf)

    yield from desk.answer(begin, data)


def _measure_chosen(
    models: Models,
    model: str,
    fields: tuple[Any, ...],
    convention: list[Any],
    data: DataChoice,
    choice: Choice | None,
    names: Names | None,
    shelf: Shelf,
) -> Iterator[tuple[Any, Any, Any]]:
    try:
        choice = models.find(model, choice)
        if not choice.is_here:
            raise UserError(f"{choice.description.name!r} is not downloaded yet: press Load first.")
        request = read_request(*fields, read_settings(*convention))
        if shelf.shown.key != choice.key:  # a file, or the page has not heard of another choice yet
            shelf = shelf.put(shelf.find(choice.key) or show_shipped(choice.key, choice.description.name))
        words = "reading the data" if is_loaded(choice.description) else f"loading {choice.description.name}"
        shelf = shelf.put(shelf.shown.wait(Progress(words)))
        yield shelf.build_message(), "", shelf
        for heads in _measure(choice, read_choice(data, models.find_labels(choice, names)), request):
            shelf = shelf.put(heads)
            yield shelf.build_message(), "", shelf
    except UserError as error:
        shelf = shelf.put(shelf.shown.settle())
        yield shelf.build_message(), warn(str(error)), shelf


def stop_measuring(shelf: Shelf, desk: Desk) -> tuple[Any, Any, Any]:
    """Keeps what was measured when it was stopped: values for the view, the status and the shelf."""
    desk.end()
    shelf = shelf.put(shelf.shown.settle())
    return shelf.build_message(), "", shelf


def leave_checkpoint(choice: Choice | None, shelf: Shelf, desk: Desk) -> tuple[Any, Any]:
    """Stops what is measured when another checkpoint is named, which may be chosen already.

    Returns:
        Values for the view and the shelf.
    """
    desk.end()
    settled = shelf.shown.settle()
    is_other = choice is not None and settled.key not in ("", choice.key)
    if settled is shelf.shown and not is_other:
        return gr.skip(), gr.skip()
    shelf = shelf.put(settled)
    if is_other:
        shelf = shelf.put(shelf.find(choice.key) or show_shipped(choice.key, choice.description.name))
    return shelf.build_message(), shelf


def _measure(choice: Choice, examples: ExampleSet, request: Request) -> Iterator[Heads]:
    """Ranks the heads by one method after the other, then prunes."""
    heads = Heads(choice.key, choice.description.name, status="measuring", notice=examples.notice)
    importances: dict[str, HeadImportance] = {}
    for method in request.methods:
        for step, progress in _rank(choice, examples, request, method):
            importances[method] = step.importance
            counts = {} if step.n_done == step.n_total else {method: f"{step.n_done} of {step.n_total} examples"}
            study = _begin_study(importances, examples)
            heads = replace(heads, study=study, progress=progress, counts=counts)
            yield heads
    clock = Clock()
    for step in prune(choice, examples, request, importances):
        left = clock.estimate(step.n_done / step.n_total)
        is_done = step.n_done == step.n_total
        progress = None if is_done else Progress("pruning", step.n_done, step.n_total, "passes of an example", left)
        study = step.study if step.study is not None and step.study.curves else heads.study
        heads = replace(
            heads, study=study, progress=progress, notice=" ".join(filter(None, (examples.notice, step.notice)))
        )
        yield replace(heads, status="done" if is_done else "measuring")


def _rank(
    choice: Choice, examples: ExampleSet, request: Request, method: str
) -> Iterator[tuple[ImportanceStep, Progress]]:
    """Ranks the heads by a method, and tells how far that is."""
    words, clock = f"ranking heads by {METHOD_NAMES[method]}", Clock()
    settings = request.settings
    for step in rank_once(choice, examples, method, n_examples=request.n_ranking, seed=SEED, settings=settings):
        yield step, Progress(words, step.n_done, step.n_total, "examples", clock.estimate(step.share))


def _begin_study(importances: dict[str, HeadImportance], examples: ExampleSet) -> HeadStudy:
    """A study without curves yet."""
    one = next(iter(importances.values()))
    return HeadStudy(
        dict(importances), (), (), _ACCURACY, one.model, one.revision, examples.file_name, examples.sha256, 0, 0, {}
    )
