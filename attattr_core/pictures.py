"""Figures for papers and the command line: matplotlib only, no torch, no gradio."""

import io
import unicodedata
import warnings

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from attattr_core.attribution import Attribution
from attattr_core.errors import UserError
from attattr_core.view import FORMATS, MapView, find_strongest_head, select_map

SEQUENTIAL = LinearSegmentedColormap.from_list(
    "attention", ["#ffffff", "#d9e8f5", "#9cc6e3", "#4a97c9", "#1c64a8", "#08306b"]
)
_BLUES, _ORANGES = ["#0b4a8f", "#3583c0", "#7fb5dc", "#c9e0f2"], ["#fde3c0", "#f8b766", "#dd7716", "#8f3f04"]
DIVERGING = LinearSegmentedColormap.from_list("attribution", [*_BLUES, "#ffffff", *_ORANGES])
STRONGEST = LinearSegmentedColormap.from_list("head", ["#ffffff", *_ORANGES])
SENTENCE_COLOURS = {-1: "#6b7280", 0: "#00704f", 1: "#a63d82"}
HIDDEN = "#e5e7eb"
_MOST_LABELS = 80
_MOST_ARCS = 1500
_WEAKEST_ARC = 0.01  # of the scale


def draw_maps(view: MapView, *, limit: float | None = None, picture: str = "matrix") -> Figure:
    """Draws attention and attribution of one map side by side.

    Args:
        view: The map, from `attattr_core.view.select_map`.
        limit: Largest |attribution| of the colour scale; the map's own when None.
        picture: ``"matrix"``, or ``"arcs"`` from senders on the right to receivers on the left.

    Returns:
        The figure; rows receive, columns send.
    """
    n_tokens = len(view.tokens)
    side = min(14, max(3.2, 0.2 * n_tokens + 1.6))
    width = 2 * side + 1
    figure = Figure(figsize=(0.8 * width if picture == "arcs" else width, side + 0.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_pair(left, right, view, limit, picture)
    figure.suptitle(view.title)
    return figure


def draw_overview(attribution: Attribution, *, layer: int | None = None, head: int | None = None) -> Figure:
    """Draws the layer × head grid and, beside it, both maps of one head: by default the one with the largest entry.

    Args:
        attribution: The result.
        layer: Layer index from 0; None for the layer of the strongest head.
        head: Head index from 0; None for the strongest head, or for all heads when a layer is given.

    Returns:
        The figure.

    Raises:
        UserError: For a layer or head that does not exist.
    """
    if layer is None:
        layer, head = find_strongest_head(attribution)
    view = select_map(attribution, layer, head)
    side = min(14, max(3.2, 0.2 * len(view.tokens) + 1.6))
    grid_width = max(2.2, 0.17 * attribution.n_heads + 0.9)
    figure = Figure(figsize=(grid_width + 2 * side, side + 0.3), layout="constrained")
    grid, left, right = figure.subplots(1, 3, width_ratios=[grid_width, side, side])
    draw_grid(grid, attribution, selected=(layer, head))
    _draw_pair(left, right, view, None, "matrix")
    label = attribution.labels[attribution.target]
    figure.suptitle(
        clean(f"{attribution.unit} of “{label}” {attribution.output:.3f} · {view.title}"),
        parse_math=False,
    )
    return figure


def draw_grid(axes: Axes, attribution: Attribution, *, selected: tuple[int, int | None] | None = None) -> None:
    """Draws the largest attribution entry of each head, top layer at the top; layers not computed stay grey."""
    values = np.where(attribution.finished[:, None], attribution.head_maximum, np.nan)
    limit = np.nanmax(values, initial=0) or 1
    axes.set_facecolor(HIDDEN)
    image = axes.imshow(values, origin="lower", cmap=STRONGEST, vmin=0, vmax=limit)
    axes.set(title="largest entry\nof each head", xlabel="head", ylabel="layer")
    axes.set_xticks(range(attribution.n_heads), range(1, attribution.n_heads + 1), fontsize=7)
    axes.set_yticks(range(attribution.n_layers), range(1, attribution.n_layers + 1), fontsize=7)
    if selected and selected[1] is not None:
        axes.plot(selected[1], selected[0], "s", markersize=9, markerfacecolor="none", markeredgecolor="black")
    # The layout gives a grid more height than its square cells take: the bar follows the cells, 0.65 inches below.
    below = axes.transAxes + ScaledTranslation(0, -0.65, axes.figure.dpi_scale_trans)
    bar = axes.inset_axes((0, 0, 1, 0.06), transform=below)
    axes.figure.colorbar(image, cax=bar, orientation="horizontal", ticks=MaxNLocator(4))


def render(figure: Figure, file_format: str) -> bytes:
    """Turns a figure into a file.

    Args:
        figure: The figure.
        file_format: ``"svg"``, ``"png"`` (200 dots an inch) or ``"pdf"``.

    Returns:
        The file's content, without a date, so that equal figures give equal files.

    Raises:
        UserError: For another format.
    """
    if file_format not in FORMATS:
        raise UserError(f"Unknown picture format {file_format!r}: choose one of {', '.join(FORMATS)}.")
    buffer = io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(file_format)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        warnings.filterwarnings("ignore", message="constrained_layout not applied", category=UserWarning)
        figure.savefig(buffer, format=file_format, dpi=200, metadata=undated)
    return buffer.getvalue()


def _draw_pair(left: Axes, right: Axes, view: MapView, limit: float | None, picture: str) -> None:
    draw = _draw_arcs if picture == "arcs" else draw_matrix
    largest = limit or float(np.nanmax(np.abs(view.attribution), initial=0)) or 1
    strongest = float(np.nanmax(view.attention, initial=0)) or 1
    draw(left, view, view.attention, (0, 1 if limit else strongest), SEQUENTIAL, "attention probability")
    draw(right, view, view.attribution, (-largest, largest), DIVERGING, f"attribution ({view.unit})")


def draw_matrix(
    axes: Axes, view: MapView, values: np.ndarray, limits: tuple[float, float], colours: Colormap, name: str
) -> None:
    """Draws one of a map's matrices with its colour bar; rows receive, columns send."""
    axes.set_facecolor(HIDDEN)
    image = axes.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    step = -(-len(view.tokens) // _MOST_LABELS) or 1
    places = range(0, len(view.tokens), step)
    labels = [clean(view.tokens[place]) for place in places]
    size = 7 if len(places) <= 48 else 5
    axes.set_xticks(places, labels, rotation=90, fontsize=size, parse_math=False)
    axes.set_yticks(places, labels, fontsize=size, parse_math=False)
    for axis in (axes.get_xticklabels(), axes.get_yticklabels()):
        for place, text in zip(places, axis, strict=True):
            text.set_color(SENTENCE_COLOURS[view.sentences[place]])
    axes.set(title=name, xlabel="sends", ylabel="receives")
    axes.figure.colorbar(image, ax=axes, shrink=0.7)


def _draw_arcs(
    axes: Axes, view: MapView, values: np.ndarray, limits: tuple[float, float], colours: Colormap, name: str
) -> None:
    """Lines from senders (right) to receivers (left); the strongest lie on top, the weakest are left out."""
    sizes = np.nan_to_num(np.abs(values)) / limits[1]
    order = np.random.default_rng(0).permutation(sizes.size)  # equal entries are left out all over the map
    order = order[np.argsort(sizes.flat[order], kind="stable")]
    visible = order[sizes.flat[order] >= _WEAKEST_ARC]
    receivers, senders = places = np.unravel_index(visible[-_MOST_ARCS:], sizes.shape)
    shares = np.minimum(sizes[places], 1)
    shades = colours((values[places] - limits[0]) / (limits[1] - limits[0]))
    shades[:, 3] = 0.25 + 0.75 * shares
    ends = np.stack([np.zeros_like(receivers), receivers, np.ones_like(senders), senders], axis=1)
    axes.add_collection(LineCollection(ends.reshape(-1, 2, 2), colors=shades, linewidths=3 * shares))
    left_out = f" (the strongest {_MOST_ARCS:,} of {len(visible):,})" if len(visible) > _MOST_ARCS else ""
    size = 7 if len(view.tokens) <= 48 else 4
    for place, token in enumerate(view.tokens):
        colour = SENTENCE_COLOURS[view.sentences[place]]
        axes.text(-0.03, place, clean(token), ha="right", va="center", fontsize=size, color=colour, parse_math=False)
        axes.text(1.03, place, clean(token), ha="left", va="center", fontsize=size, color=colour, parse_math=False)
    axes.set(title=f"{name}\nreceives ← sends{left_out}", xlim=(-0.4, 1.4), ylim=(len(view.tokens) - 0.5, -0.5))
    axes.axis("off")


def clean(text: str) -> str:
    """Leaves out control characters, which no font has and an SVG may not hold."""
    return "".join(character for character in text if unicodedata.category(character)[0] != "C") or "·"
