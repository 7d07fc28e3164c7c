"""Pictures of what triggers do: matplotlib only, no torch, no gradio."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attattr_core.pictures import clean
from attattr_core.triggers.results import TriggerResult, TriggerStudy
from attattr_core.triggers.tables import find_control, name_insertions

COLOURS = {"trigger": "#c2410c", "random": "#9ca3af", "shuffled": "#5b8db8", "before": "#1f2937"}
_NAMES = {"trigger": "trigger", "random": "random tokens, same places", "shuffled": "same tokens, other places"}
_WIDTH = 0.27


def draw_study(study: TriggerStudy, *, numbers: Sequence[Sequence[int]] | None = None) -> Figure:
    """Draws accuracy on each class with its best triggers, beside their controls.

    Args:
        study: What triggers do.
        numbers: For each class the triggers to draw; by default the three best.

    Returns:
        The figure: one panel a class, measured on its confirming half, or on all its examples where a study has no
        halves or the class is too small for them. Whiskers are 95 % Wilson intervals for triggers and the range over
        seeds for controls; the line is the accuracy without a trigger, with its interval.
    """
    chosen = study.best if numbers is None else numbers
    n_classes = len(study.labels)
    n_groups = max([1, *map(len, chosen)])
    figure = Figure(figsize=(max(4.5, (1.25 * n_groups + 0.7) * n_classes), 4.2), layout="constrained")
    panels = figure.subplots(1, n_classes, sharey=True, squeeze=False)[0]
    for label, axes in enumerate(panels):
        _draw_class(axes, study, label, [study.results[number] for number in chosen[label]])
    panels[0].set_ylabel("accuracy")
    panels[0].set_ylim(0, 1)
    _add_legend(figure, panels)
    transfer = f", triggers of {study.source_model}" if study.source_model != study.model else ""
    title = f"{study.model}{transfer} on {study.n_examples:,} examples of {study.data}"
    figure.suptitle(clean(title), fontsize=10, parse_math=False)
    return figure


def draw_result(studies: Sequence[tuple[TriggerStudy, TriggerResult]], *, measure: str = "accuracy") -> Figure:
    """Draws what one trigger does to each class, beside its controls.

    Args:
        studies: The trigger's result in one study, or in several: the checkpoint mined and those it is transferred to.
        measure: ``"accuracy"``, or ``"success"`` for the attack success rate.

    Returns:
        The figure: one panel a study, one group of bars a class. Whiskers as in `draw_study`.
    """
    n_groups = max(len(study.labels) for study, _ in studies)
    figure = Figure(figsize=(max(4.5, (1.3 * n_groups + 0.7) * len(studies)), 4.2), layout="constrained")
    panels = figure.subplots(1, len(studies), sharey=True, squeeze=False)[0]
    for axes, (study, result) in zip(panels, studies, strict=True):
        for label in range(len(study.labels)):
            _draw_group(axes, label, result, label, measure)
            if measure == "accuracy":
                line = study.before.accuracy[label]
                name = None if label else "no trigger"
                axes.plot([label - 0.42, label + 0.42], [line, line], "--", color=COLOURS["before"], lw=1.2, label=name)
        names = [f"{clean(name)}\nn = {n}" for name, n in zip(study.labels, study.n_by_class, strict=True)]
        axes.set_xticks(range(len(names)), names, fontsize=8, parse_math=False)
        axes.set_title(clean(f"{study.model} on {study.data}"), fontsize=9, parse_math=False)
        _finish(axes)
    panels[0].set_ylabel("accuracy" if measure == "accuracy" else "attack success rate")
    panels[0].set_ylim(0, 1)
    _add_legend(figure, panels)
    figure.suptitle(clean(f"“{name_insertions(studies[0][1].insertions)}”"), fontsize=10, parse_math=False)
    return figure


def _draw_class(axes: Axes, study: TriggerStudy, label: int, results: Sequence[TriggerResult]) -> None:
    confirmed = study.confirmed_before
    is_split = confirmed is not None and study.n_confirming is not None and study.n_confirming[label] > 0
    before = confirmed if is_split else study.before
    n = f"n = {study.n_confirming[label]}, the half that confirms" if is_split else f"n = {study.n_by_class[label]}"
    axes.axhline(before.accuracy[label], color=COLOURS["before"], lw=1.2, ls="--", label="no trigger")
    axes.axhspan(before.low[label], before.high[label], color=COLOURS["before"], alpha=0.08, lw=0)
    for place, result in enumerate(results):
        _draw_group(axes, place, result, label, "accuracy", is_confirmed=is_split)
    names = ["\n".join(clean(one.token) for one in result.insertions) for result in results]
    axes.set_xticks(range(len(results)), names, fontsize=8, parse_math=False)
    axes.set_xlim(-0.6, max(len(results), 1) - 0.4)
    axes.set_title(clean(f"“{study.labels[label]}”, {n}"), fontsize=9, parse_math=False)
    if not results:
        axes.text(0.5, 0.5, "no trigger lowers it", transform=axes.transAxes, ha="center", fontsize=8)
    _finish(axes)


def _draw_group(
    axes: Axes, place: int, result: TriggerResult, label: int, measure: str, *, is_confirmed: bool = False
) -> None:
    names = ("confirmed_after", "confirmed_success") if is_confirmed else ("after", "success")
    shares = getattr(result, names[measure == "success"])
    column_name = f"confirmed_{measure}" if is_confirmed else measure
    _draw_bar(axes, place - _WIDTH, "trigger", shares.low[label], shares.accuracy[label], shares.high[label])
    for offset, kind in ((0, "random"), (_WIDTH, "shuffled")):
        control = find_control(result, kind)
        values = None if control is None else getattr(control, column_name)
        if values is not None:
            column = values[:, label]
            _draw_bar(axes, place + offset, kind, column.min(), column.mean(), column.max())


def _finish(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)


def _add_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    handles = {name: handle for axes in panels for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, fontsize=8, frameon=False)


def _draw_bar(axes: Axes, place: float, kind: str, low: float, value: float, high: float) -> None:
    if np.isnan(value):
        return
    label = _NAMES[kind] if _NAMES[kind] not in axes.get_legend_handles_labels()[1] else None
    whiskers = [[value - low], [high - value]]
    axes.bar(place, value, _WIDTH * 0.92, color=COLOURS[kind], label=label)
    axes.errorbar(place, value, whiskers, color=COLOURS["before"], lw=1, capsize=2, fmt="none")


def describe_picture(study: TriggerStudy) -> str:
    """Says in words what `draw_study` draws, for readers who do not see it."""
    parts = []
    for label, numbers in enumerate(study.best):
        names = ", ".join(name_insertions(study.results[number].insertions) for number in numbers) or "none"
        parts.append(f"{study.labels[label]}: {study.before.accuracy[label]:.1%} without a trigger; best {names}")
    return "; ".join(parts)
