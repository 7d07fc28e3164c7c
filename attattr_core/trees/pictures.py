"""Figures of trees, faithfulness curves and receptive fields: networkx and matplotlib only, no torch, no gradio."""

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from attattr_core.pictures import SENTENCE_COLOURS, STRONGEST, clean
from attattr_core.results import ORDERS, QUANTILES, ModeFigures, ReceptiveField
from attattr_core.trees.curves import FaithfulnessCurves
from attattr_core.trees.tree import AttributionTree

_EDGES = LinearSegmentedColormap.from_list("edges", STRONGEST(np.linspace(0.3, 1, 64)))
_COLOURS = {"tree": "#b4540a", "attention": "#1c64a8", "random": "#6b7280"}
_NAMES = {"tree": "tree", "attention": "raw attention", "random": "random"}
_SENTENCES = {0: "sentence A", 1: "sentence B", -1: "special tokens"}
_MOST_ARROWS = 400  # more are drawn as plain lines
_MOST_LABELS = 120


def draw_tree(tree: AttributionTree) -> Figure:
    """Draws a tree over its tokens in sentence order; information flows from the bottom to the top.

    Args:
        tree: The tree, from `attattr_core.trees.tree.build_tree`.

    Returns:
        The figure. In the ``"flow"`` mode an edge rises through its layer, from the state in which the sender enters
        it to that in which the receiver leaves it; faint vertical lines are states that pass on by the residual
        connections. In the ``"paper"`` mode tokens stand at the authors' heights; those without an edge are left out.
    """
    n_tokens = len(tree.tokens)
    depth = 0.32 * tree.n_layers if tree.mode == "flow" else 2.8
    size = min(20, max(6, 0.18 * n_tokens + 2.2)), min(12, max(3.6, depth + 2))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    scale = Normalize(0, max((edge.attribution for edge in tree.edges), default=0) or 1)
    (_draw_flow if tree.mode == "flow" else _draw_paper)(axes, tree, scale)
    axes.set_xlim(-0.8, n_tokens - 0.2)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_title(_describe(tree), fontsize=9, parse_math=False)
    bar = figure.colorbar(ScalarMappable(scale, _EDGES), ax=axes, shrink=0.6, pad=0.01, ticks=MaxNLocator(5))
    bar.ax.tick_params(labelsize=7)
    bar.set_label(clean(f"attribution ({tree.function})"), fontsize=8)
    if 1 in tree.sentences:
        colours = SENTENCE_COLOURS.items()
        marks = [Line2D([], [], color=colour, marker="o", ls="", label=_SENTENCES[side]) for side, colour in colours]
        figure.legend(handles=marks, loc="outside lower right", ncols=3, fontsize=7, frameon=False)
    return figure


def draw_curves(curves: FaithfulnessCurves, *, kind: str = "deletion") -> Figure:
    """Draws F against the number of edges that are removed (or added), in three orders.

    Args:
        curves: From `attattr_core.trees.faithfulness.measure_faithfulness`.
        kind: ``"deletion"`` or ``"insertion"``.

    Returns:
        The figure; the legend has the areas between the tree's curve and the others, in units of F.
    """
    figure, axes = _start_curves()
    values = getattr(curves, kind)
    chance = np.atleast_2d(values["random"])
    axes.fill_between(curves.counts, chance.min(axis=0), chance.max(axis=0), color=_COLOURS["random"], alpha=0.2, lw=0)
    for order in reversed(ORDERS):
        name = _NAMES[order] if order != "random" else f"{len(chance)} random orders: mean and range"
        if order != "tree":
            name += f"\n   area to the tree {curves.compute_area(order, kind=kind):+.3f}"
        line = chance.mean(axis=0) if order == "random" else values[order]
        _draw_line(axes, curves.counts, line, order, name)
    unit, label = clean(curves.function), clean(curves.label)
    verb = "removed" if kind == "deletion" else "added to none"
    axes.set_xlabel(f"edges {verb}")
    axes.set_ylabel(f"{unit} of “{label}”", parse_math=False)
    _finish_curves(axes)
    return figure


def draw_dataset(figures: ModeFigures, *, function: str = "probability") -> Figure:
    """Draws the mean drop of F over examples against the number of edges removed, with 95 % bands.

    Args:
        figures: From `attattr_core.results.summarise_mode` or a result file.
        function: F in a word.

    Returns:
        The figure; the legend has the shares of examples in which the whole tree wins.
    """
    figure, axes = _start_curves()
    for order in reversed(ORDERS):
        curve = figures.curves[order]
        name = _NAMES[order]
        if order != "tree":
            name += f"\n   trees of {figures.n_edges_mean:.0f} edges win in {figures.wins[order]:.0%}"
        axes.fill_between(figures.counts, curve.low, curve.high, color=_COLOURS[order], alpha=0.2, lw=0)
        _draw_line(axes, figures.counts, curve.mean, order, name)
    axes.set_xlabel("edges removed")
    axes.set_ylabel(f"mean drop of the {clean(function)}", parse_math=False)
    axes.set_title(f"{figures.n_examples} examples, bands of 95 %", fontsize=9)
    _finish_curves(axes)
    return figure


def draw_receptive_field(field: ReceptiveField, *, shown: np.ndarray | None = None) -> Figure:
    """Draws how far the strongest edges of each layer reach.

    Args:
        field: The distribution over a data set, from `attattr_core.results.summarise_distances` or a result file.
        shown: Distances of one input, (L, K), NaN where there are fewer; drawn as points.

    Returns:
        The figure; boxes span the middle half, whiskers 5 to 95 %, lines are medians.
    """
    figure, axes = _start_curves()
    names = dict(zip(("whislo", "q1", "med", "q3", "whishi"), zip(*field.quantiles, strict=True), strict=True))
    boxes = [{name: names[name][layer] for name in names} for layer in range(len(field.quantiles))]
    drawn = [layer for layer in range(len(boxes)) if not np.isnan(field.quantiles[layer]).any()]
    axes.bxp(
        [{**boxes[layer], "fliers": []} for layer in drawn],
        positions=[layer + 1 for layer in drawn],
        widths=0.6,
        showfliers=False,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": "#d9e8f5", "edgecolor": _COLOURS["attention"]},
        medianprops={"color": _COLOURS["attention"], "linewidth": 2},
        whiskerprops={"color": _COLOURS["attention"]},
        capprops={"color": _COLOURS["attention"]},
    )
    handles = [
        Line2D(
            [],
            [],
            color=_COLOURS["attention"],
            lw=2,
            label=f"data set: median, middle half, {QUANTILES[0]} to {QUANTILES[-1]} %",
        )
    ]
    if shown is not None:
        layers = np.repeat(np.arange(1, len(shown) + 1), shown.shape[1])
        spread = np.tile(np.linspace(-0.2, 0.2, shown.shape[1]), len(shown))  # equal distances stay visible
        axes.plot(layers + spread, shown.ravel(), "o", color=_COLOURS["tree"], markersize=4)
        handles.append(Line2D([], [], color=_COLOURS["tree"], marker="o", ls="", label="this input"))
    axes.legend(handles=handles, fontsize=7)
    axes.set(
        xlabel="layer", ylabel="distance in tokens of the strongest edges", ylim=(0, None), xlim=(0.3, len(boxes) + 0.7)
    )
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    return figure


def _draw_flow(axes: Axes, tree: AttributionTree, scale: Normalize) -> None:
    """States are at (position, height); receivers of edges are joined to their nodes above by residual lines."""
    n_layers = tree.n_layers
    graph, tops = nx.DiGraph(), {}
    for node in tree.nodes:
        tops[node.position] = max(node.height, tops.get(node.position, 0))
    for edge in tree.edges:
        ends = (edge.sender, edge.layer / n_layers), (edge.receiver, (edge.layer + 1) / n_layers)
        graph.add_edge(*ends, attribution=edge.attribution)
    for layer in range(0, n_layers, 2):
        axes.axhspan(layer / n_layers, (layer + 1) / n_layers, color="#f6f7f9", lw=0, zorder=0)
    for position, top in tops.items():
        axes.plot(
            [position, position], [0, top], color=SENTENCE_COLOURS[tree.sentences[position]], alpha=0.25, lw=1, zorder=1
        )
    _draw_edges(axes, graph, {state: state for state in graph}, scale)
    joints = [state for state in graph if graph.in_degree(state)]
    axes.scatter([place for place, _ in joints], [height for _, height in joints], s=5, c="#9ca3af", zorder=2)
    _draw_dots(axes, tree)
    step = -(-n_layers // 24)
    layers = range(0, n_layers, step)
    axes.set_yticks(
        [(layer + 0.5) / n_layers for layer in layers], [f"layer {layer + 1}" for layer in layers], fontsize=7
    )
    axes.set_ylim(-0.02, 1.05)
    _write_tokens_below(axes, tree, set(tops))


def _draw_paper(axes: Axes, tree: AttributionTree, scale: Normalize) -> None:
    graph, places = nx.DiGraph(), {}
    for index, node in enumerate(tree.nodes):
        places[index] = (node.position, node.height)
    for edge in tree.edges:
        graph.add_edge(edge.child, edge.parent, attribution=edge.attribution)
    _draw_edges(axes, graph, places, scale)
    _draw_dots(axes, tree)
    is_crowded = len(tree.tokens) > 14
    for index, node in enumerate(tree.nodes):
        axes.annotate(
            clean(tree.tokens[node.position]),
            (node.position, node.height),
            xytext=(0, -5 if index else 5),
            textcoords="offset points",
            ha="center",
            va="top" if index else "bottom",
            rotation=90 if is_crowded and index else 0,  # nothing is beside the top node
            fontsize=8 if len(tree.tokens) <= 40 else 7,
            color=SENTENCE_COLOURS[tree.sentences[node.position]],
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5},
            parse_math=False,
        )
    heights = [node.height for node in tree.nodes]
    margin = 0.25 * max(max(heights) - min(heights), 0.2)
    axes.set(ylim=(min(heights) - 1.2 * margin, max(heights) + 0.8 * margin), xticks=[], yticks=[])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel("tokens in sentence order; heights of the authors' script", fontsize=8)


def _draw_edges(axes: Axes, graph: nx.DiGraph, places: dict, scale: Normalize) -> None:
    """Draws each edge of the graph from sender to receiver, the strongest on top."""
    edges = sorted(graph.edges(data="attribution"), key=lambda edge: edge[2])
    shares = [float(scale(value)) for *_, value in edges]
    options = {"node_size": 18, "arrowsize": 9} if len(edges) <= _MOST_ARROWS else {"arrows": False}
    nx.draw_networkx_edges(
        graph,
        places,
        edgelist=[edge[:2] for edge in edges],
        width=[0.6 + 2.6 * share for share in shares],
        edge_color=[_EDGES(share) for share in shares],
        ax=axes,
        hide_ticks=False,
        **options,
    )


def _draw_dots(axes: Axes, tree: AttributionTree) -> None:
    colours = [SENTENCE_COLOURS[tree.sentences[node.position]] for node in tree.nodes]
    places = [(node.position, node.height) for node in tree.nodes]
    axes.scatter(*zip(*places, strict=True), s=18, c=colours, zorder=3)


def _write_tokens_below(axes: Axes, tree: AttributionTree, joined: set[int]) -> None:
    """Tokens as ticks; those outside the tree are faint."""
    step = -(-len(tree.tokens) // _MOST_LABELS) or 1
    places = [place for place in range(len(tree.tokens)) if place % step == 0 or place in joined]
    labels = [clean(tree.tokens[place]) for place in places]
    axes.set_xticks(places, labels, rotation=90, fontsize=8 if len(places) <= 40 else 7, parse_math=False)
    for place, text in zip(places, axes.get_xticklabels(), strict=True):
        text.set_color(SENTENCE_COLOURS[tree.sentences[place]])
        text.set_alpha(1 if place in joined else 0.45)
    axes.tick_params(length=0)


def _describe(tree: AttributionTree) -> str:
    kept = f"{len(tree.edges)} edges, {tree.kept_share:.1%} of the positive attribution between tokens"
    return clean(f"attribution tree ({tree.mode}) · {tree.function} of “{tree.label}”") + f"\n{kept}"


def _start_curves() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _draw_line(axes: Axes, counts: np.ndarray, values: np.ndarray, order: str, name: str) -> None:
    width, style = (2.2, "o-") if order == "tree" else (1.4, "o-")
    axes.plot(counts, values, style, color=_COLOURS[order], lw=width, markersize=3, label=name)


def _finish_curves(axes: Axes) -> None:
    """Puts the tree first in the legend, beside the curves."""
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], names[::-1], fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, title=None
    )
    for text in axes.get_legend().get_texts():
        text.set_parse_math(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
