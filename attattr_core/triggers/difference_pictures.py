"""Figures of what words in a text change inside: matplotlib only, no torch, no gradio."""

import numpy as np
from matplotlib.figure import Figure

from attattr_core.pictures import DIVERGING, clean, draw_matrix
from attattr_core.triggers.difference import AttributionDifference, select_difference
from attattr_core.view import MapView

_INSERTED = "#c2610c"


def draw_difference(difference: AttributionDifference, layer: int | None = None, head: int | None = None) -> Figure:
    """Draws the attributions as they are, with the words, and the difference, on one scale; inserted words are bold.

    Args:
        difference: From `attattr_core.triggers.difference.compare_attributions`.
        layer: Layer index from 0; None sums all layers.
        head: Head index from 0; None sums all heads.

    Returns:
        The figure; rows receive, columns send.

    Raises:
        UserError: For a layer or head that does not exist.
    """
    clean_map, triggered, change = select_difference(difference, layer, head)
    side = min(12, max(3.2, 0.2 * len(difference.tokens) + 1.6))
    figure = Figure(figsize=(3 * side + 1, side + 0.6), layout="constrained")
    limit = max(float(np.abs(part).max(initial=0)) for part in (clean_map, triggered, change)) or 1.0
    hidden = np.array(difference.inserted)
    clean_map = np.where(hidden[:, None] | hidden[None], np.nan, clean_map)
    names = ("as it is", "with the words", "difference")
    for axes, values, name in zip(figure.subplots(1, 3), (clean_map, triggered, change), names, strict=True):
        view = MapView("", difference.tokens, difference.sentences, values, values, difference.unit)
        draw_matrix(axes, view, values, (-limit, limit), DIVERGING, name)
        _mark_inserted(axes, difference)
    where = ("all layers" if layer is None else f"layer {layer + 1}") + " · "
    where += "all heads" if head is None else f"head {head + 1}"
    figure.suptitle(clean(f"attribution ({difference.unit} of “{difference.label}”) · {where}"), parse_math=False)
    return figure


def _mark_inserted(axes: object, difference: AttributionDifference) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True):
            if difference.inserted[int(place)]:
                label.set(color=_INSERTED, fontweight="bold")
