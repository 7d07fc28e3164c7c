"""Figures of head importances, masks and pruning curves: matplotlib only, no torch, no gradio."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from attattr_core.errors import UserError
from attattr_core.heads.comparison import ImportanceComparison
from attattr_core.heads.names import METHOD_NAMES, METRIC_NAMES
from attattr_core.heads.plan import RANDOM
from attattr_core.heads.results import DIRECTIONS, HeadImportance, HeadStudy, PruningCurve
from attattr_core.pictures import DIVERGING, HIDDEN, STRONGEST, clean

METHOD_COLOURS = {
    "attattr": "#b4540a",
    "taylor": "#00704f",
    "taylor-authors": "#6aa894",
    "ablation": "#a63d82",
    "attention": "#1c64a8",
    RANDOM: "#6b7280",
}
_OTHER_COLOURS = ("#b4540a", "#1c64a8", "#00704f", "#a63d82", "#8a6d00", "#4b3f9c")
_DIRECTION_NAMES = dict(zip(DIRECTIONS, ("least important first", "most important first"), strict=True))
_KEPT = ListedColormap([HIDDEN, "#b4540a"])
_MOST_MARKS = 24


def draw_curves(study: HeadStudy, *, layerwise: bool = False, direction: str | None = None) -> Figure:
    """Draws the metric against the share of heads pruned, with 95 % bands, a panel for each direction.

    Args:
        study: What was measured.
        layerwise: Whether to draw the effectiveness check, with as many heads pruned from every layer.
        direction: One of `DIRECTIONS` for this panel alone; None draws those that the study has.

    Returns:
        The figure; the legend has the areas under the curves and their 95 % intervals.

    Raises:
        UserError: When the study has no such curves.
    """
    curves = study.layerwise if layerwise else study.curves
    wanted = DIRECTIONS if direction is None else (direction,)
    shown = [name for name in wanted if any(c.direction == name for c in curves if c.method != RANDOM)]
    if not shown:  # random orders alone
        shown = [name for name in wanted if any(c.direction == name for c in curves)]
    if not shown:
        raise UserError("The study has no such curves: measure them first.")
    figure = Figure(figsize=(5.2 * len(shown), 4.9), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    colours = choose_colours([curve.method for curve in curves])
    for axes, name in zip(panels, shown, strict=True):
        drawn = [curve for curve in curves if curve.direction == name or curve.method == RANDOM]
        _draw_panel(axes, drawn, colours, study.n_seeds)
        of_what = "of every layer's heads pruned" if layerwise else "of the heads pruned"
        axes.set_title(_DIRECTION_NAMES[name], fontsize=10)
        axes.set_xlabel(f"share {of_what}")
    panels[0].set_ylabel(METRIC_NAMES.get(study.metric_name, study.metric_name))
    title = f"{study.model} · {study.n_examples} examples of {study.data}, bands of 95 %"
    figure.suptitle(clean(title), fontsize=10, parse_math=False)
    return figure


def _draw_panel(axes: Axes, curves: Sequence[PruningCurve], colours: Mapping[str, str], n_seeds: int) -> None:
    for curve in sorted(curves, key=lambda curve: curve.method != RANDOM):  # random below the others
        colour, name = colours[curve.method], METHOD_NAMES.get(curve.method, curve.method)
        if curve.method == RANDOM and curve.interval == "seeds":
            name = f"{n_seeds} random orders"
        label = f"{clean(name)}: area {curve.area:.3f} ({curve.area_low:.3f} to {curve.area_high:.3f})"
        axes.fill_between(curve.rates, curve.low, curve.high, color=colour, alpha=0.15, lw=0)
        style = "o-" if len(curve.rates) <= _MOST_MARKS else "-"
        axes.plot(curve.rates, curve.metric, style, color=colour, lw=1.6, markersize=3, label=label)
    handles, names = axes.get_legend_handles_labels()
    order = sorted(range(len(handles)), key=lambda index: handles[index].get_color() == METHOD_COLOURS[RANDOM])
    axes.legend(
        [handles[index] for index in order],
        [names[index] for index in order],
        fontsize=7.5,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.15),
        frameon=False,
    )
    for text in axes.get_legend().get_texts():
        text.set_parse_math(False)
    axes.set_xlim(-0.02, 1.02)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def choose_colours(methods: Sequence[str]) -> dict[str, str]:
    """Chooses a colour for each method: its own, or one of the rest in turn."""
    unknown = [name for name in dict.fromkeys(methods) if name not in METHOD_COLOURS]
    others = {name: _OTHER_COLOURS[index % len(_OTHER_COLOURS)] for index, name in enumerate(unknown)}
    return {**METHOD_COLOURS, **others}


def draw_importances(importances: Mapping[str, HeadImportance]) -> Figure:
    """Draws importances side by side as layer × head grids, the top layer at the top, each with its own scale.

    Args:
        importances: By name; one picture each.

    Returns:
        The figure; values below 0 are blue.

    Raises:
        UserError: When there are none.
    """
    if not importances:
        raise UserError("There is no importance to draw: measure one first.")
    n_layers, n_heads = next(iter(importances.values())).values.shape
    width, height = max(2.4, 0.2 * n_heads + 0.8), max(2.2, 0.2 * n_layers + 1.4)
    figure = Figure(figsize=(width * len(importances), height), layout="constrained")
    for axes, (name, importance) in zip(
        figure.subplots(1, len(importances), squeeze=False)[0], importances.items(), strict=True
    ):
        values = importance.values
        limit = np.abs(values).max() or 1
        has_sign = values.min() < 0
        image = axes.imshow(
            values,
            origin="lower",
            cmap=DIVERGING if has_sign else STRONGEST,
            vmin=-limit if has_sign else 0,
            vmax=limit,
        )
        _name_axes(axes, values.shape)
        axes.set_title(clean(METHOD_NAMES.get(name, name)), fontsize=10, parse_math=False)
        bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.8, pad=0.02, ticks=MaxNLocator(4))
        bar.ax.tick_params(labelsize=7)
    return figure


def draw_mask(mask: np.ndarray, *, title: str = "") -> Figure:
    """Draws which heads are kept.

    Args:
        mask: Not 0 where a head is kept, (L, H), from `attattr_core.heads.plan.make_mask`.
        title: What it belongs to.

    Returns:
        The figure; pruned heads are grey.
    """
    kept = np.asarray(mask) != 0
    n_layers, n_heads = kept.shape
    figure = Figure(figsize=(max(2.6, 0.2 * n_heads + 1), max(2.2, 0.2 * n_layers + 1)), layout="constrained")
    axes = figure.subplots()
    axes.pcolormesh(kept.astype(float), cmap=_KEPT, vmin=0, vmax=1, edgecolors="white", linewidth=1)
    axes.set_aspect("equal")
    _name_axes(axes, kept.shape, offset=0.5)
    n_pruned = int((~kept).sum())
    lines = [clean(title)] * bool(title) + [f"{n_pruned} of {kept.size} heads pruned ({n_pruned / kept.size:.0%})"]
    axes.set_title("\n".join(lines), fontsize=9, parse_math=False)
    return figure


def draw_comparison(comparison: ImportanceComparison, *, names: tuple[str, str]) -> Figure:
    """Draws two importances of the same heads against each other, a point a head.

    Args:
        comparison: From `attattr_core.heads.comparison.compare_importances`.
        names: What the one (across) and the other (up) are called.

    Returns:
        The figure; darker points are of higher layers.
    """
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    n_layers, n_heads = comparison.x.shape
    layers = np.repeat(np.arange(1, n_layers + 1), n_heads)
    points = axes.scatter(
        comparison.x.ravel(),
        comparison.y.ravel(),
        c=layers,
        cmap="cividis_r",
        s=22,
        edgecolors="#374151",
        linewidth=0.3,
    )
    bar = figure.colorbar(points, ax=axes, shrink=0.7, ticks=MaxNLocator(6, integer=True))
    bar.set_label("layer", fontsize=8)
    axes.set_xlabel(clean(names[0]), parse_math=False)
    axes.set_ylabel(clean(names[1]), parse_math=False)
    axes.set_title(f"Pearson's r {comparison.pearson:.2f}, Spearman's ρ {comparison.spearman:.2f}", fontsize=10)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def _name_axes(axes: Axes, shape: tuple[int, int], *, offset: float = 0) -> None:
    """Names layers and heads from 1, not more of them than there is room for."""
    for count, set_ticks in ((shape[1], axes.set_xticks), (shape[0], axes.set_yticks)):
        step = -(-count // _MOST_MARKS)
        places = np.arange(0, count, step)
        set_ticks(places + offset, places + 1, fontsize=7)
    axes.set(xlabel="head", ylabel="layer")
