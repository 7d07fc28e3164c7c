"""What the browser gets to draw trees: every tree that its sliders can ask for, so that they need no round trip."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.errors import UserError
from attattr_core.trees.cut import cut_tree
from attattr_core.trees.tree import MODES, PAPER_THRESHOLD, AttributionTree, build_paper_trees, build_tree

VERSION = 1
MAX_EDGES = 100
_N_STEPS = 20
TAUS = tuple(step / _N_STEPS for step in range(_N_STEPS + 1))
_N_HEADS = 3  # the strongest ones of an edge


@dataclass(frozen=True)
class TreeOptions:
    """What the page shows of a result.

    Attributes:
        mode: ``"flow"`` or ``"paper"``.
        n_edges: How many of the first edges, up to 100.
        threshold: ``"flow"``: the smallest attribution of an edge, a share of the largest.
        tau: ``"paper"``: τ, a multiple of 0.05.
        words: Whether pieces are merged to words.
    """

    mode: str = "flow"
    n_edges: int = 16
    threshold: float = 0.0
    tau: float = PAPER_THRESHOLD
    words: bool = True


def read_options(wanted: Any) -> TreeOptions:
    """Reads what the view says it shows; it is not trusted.

    Raises:
        UserError: When a part is missing or out of range.
    """
    try:
        options = TreeOptions(
            str(wanted["mode"]),
            int(wanted["n_edges"]),
            float(wanted["threshold"]),
            round(float(wanted["tau"]) * _N_STEPS) / _N_STEPS,
            bool(wanted["words"]),
        )
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise UserError("The page did not say which tree it shows: reload it.") from error
    if options.mode not in MODES or not 1 <= options.n_edges <= MAX_EDGES:
        raise UserError(
            f"A {options.mode[:80]!r} tree of {str(options.n_edges)[:80]} edges is not shown here: reload the page."
        )
    return options


def build_shown_tree(attribution: Attribution, options: TreeOptions) -> AttributionTree:
    """Builds the very tree that the page shows with these options."""
    is_flow = options.mode == "flow"
    tree = _build_full(attribution, options.mode, None if is_flow else options.tau, words=options.words)
    return cut_tree(tree, n_edges=options.n_edges, threshold=options.threshold if is_flow else 0.0)


def build_tree_payload(attribution: Attribution, *, run: str, status: str) -> str:
    """Builds the value of the tree view.

    Args:
        attribution: The result so far.
        run: What names the run, as in the heatmap view's messages.
        status: ``"running"``, ``"done"``, ``"stopped"``, ``"opened"`` or ``"example"``.

    Returns:
        JSON: for words and for pieces, one ``"flow"`` tree of up to 100 edges, whose beginnings are trees, and the
        ``"paper"`` trees for τ = 0, 0.05 … 1.
    """
    content = {
        "version": VERSION,
        "run": run,
        "status": status,
        "n_layers": attribution.n_layers,
        "n_heads": attribution.n_heads,
        "n_finished": int(attribution.finished.sum()),
        "label": attribution.labels[attribution.target],
        "unit": attribution.unit,
        "output": attribution.output if np.isfinite(attribution.output) else None,
        "model": attribution.model,
        "taus": TAUS,
        "views": {name: _build_view(attribution, words=name == "words") for name in ("words", "pieces")},
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")  # no markup, even inert


def _build_full(attribution: Attribution, mode: str, tau: float | None, *, words: bool) -> AttributionTree:
    tree = build_tree(attribution, mode=mode, threshold=tau, n_edges=MAX_EDGES, words=words)
    return cut_tree(tree, n_edges=MAX_EDGES)


def _build_view(attribution: Attribution, *, words: bool) -> dict[str, Any]:
    """Trees as numbers of edges in one list, since the trees of neighbouring τ share most of theirs."""
    edges: dict[tuple[int, int, int], int] = {}
    rows: list[dict[str, Any]] = []

    def pack(tree: AttributionTree) -> dict[str, Any]:
        for edge in tree.edges:
            key = edge.layer, edge.receiver, edge.sender
            if key not in edges:
                edges[key] = len(rows)
                strongest = np.argsort(-np.array(edge.heads), kind="stable")[:_N_HEADS]
                heads = [[int(head), edge.heads[head]] for head in strongest]
                rows.append(
                    dict(zip(("layer", "receiver", "sender"), key, strict=True), value=edge.attribution, heads=heads)
                )
        return {
            "root": tree.nodes[0].position,
            "edges": [edges[edge.layer, edge.receiver, edge.sender] for edge in tree.edges],
        }

    flow = _build_full(attribution, "flow", None, words=words)
    paper = build_paper_trees(attribution, TAUS, words=words)
    return {
        "tokens": flow.tokens,
        "sentences": flow.sentences,
        "first": [members[0] for members in flow.members],
        "mass": flow.mass,
        "flow": pack(flow),
        "paper": [pack(cut_tree(tree, n_edges=MAX_EDGES)) for tree in paper],
        "edges": rows,
    }
