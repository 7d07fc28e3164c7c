"""Pictures of head importance: matplotlib only, no torch, no gradio."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from attattr_core.errors import UserError
from attattr_core.heads.results import HeadImportance
from attattr_core.pictures import DIVERGING, SEQUENTIAL, STRONGEST, clean

NAMES = {
    "attattr": "attribution",
    "taylor": "Taylor",
    "taylor-authors": "Taylor (authors' script)",
    "ablation": "accuracy lost",
    "attention": "largest attention",
    "random": "random",
}
_MOST_COLUMNS = 3
_MOST_LABELS = 24


def draw_importance(importances: HeadImportance | Sequence[HeadImportance]) -> Figure:
    """Draws importance as a grid, top layer at the top; several side by side, each on its own scale.

    Args:
        importances: One, or several of one shape; each may be of its own method.

    Returns:
        The figure. Blue says how large an attention probability is and orange everything else; a method that gives
        values below zero (accuracy may rise without a head) has the scale with two sides, white at zero.

    Raises:
        UserError: For none, or more than one shape.
    """
    shown = [importances] if isinstance(importances, HeadImportance) else list(importances)
    shapes = {importance.values.shape for importance in shown}
    if len(shapes) != 1:
        raise UserError(f"The importances have {len(shapes)} different shapes: choose those of one architecture.")
    n_layers, n_heads = shapes.pop()
    n_columns = min(len(shown), _MOST_COLUMNS)
    n_rows = -(-len(shown) // n_columns)
    width, height = max(3.0, 0.26 * n_heads + 1.5), max(2.2, 0.26 * n_layers + 1.3)
    figure = Figure(figsize=(n_columns * width, n_rows * height + 0.3), layout="constrained")
    grids = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, importance in zip(grids, shown, strict=False):
        draw_importance_grid(axes, importance)
    for axes in grids[len(shown) :]:
        axes.axis("off")
    figure.suptitle(clean(_describe(shown[0])), fontsize=9, parse_math=False)
    return figure


def draw_importance_grid(axes: Axes, importance: HeadImportance) -> None:
    """Draws one grid with its scale."""
    values = importance.values
    largest = float(np.abs(values).max()) or 1.0
    # what tells equal accuracies apart is not worth a second side
    has_sides = values.min() < -1e-3 * largest
    if has_sides:
        colours, limits = DIVERGING, (-largest, largest)
    else:
        colours, limits = SEQUENTIAL if importance.method == "attention" else STRONGEST, (0.0, largest)
    image = axes.imshow(values, origin="lower", cmap=colours, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    axes.set_title(NAMES.get(importance.method, importance.method), fontsize=9)
    axes.set(xlabel="head", ylabel="layer")
    for count, place in ((values.shape[1], axes.set_xticks), (values.shape[0], axes.set_yticks)):
        places = range(0, count, -(-count // _MOST_LABELS))
        place(places, [index + 1 for index in places], fontsize=7)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, ticks=MaxNLocator(4))
    bar.ax.tick_params(labelsize=7)


def _describe(importance: HeadImportance) -> str:
    parts = [importance.model, importance.data, f"{importance.n_examples} examples" if importance.n_examples else ""]
    return " · ".join(part[:80] for part in parts if part) or "head importance"
