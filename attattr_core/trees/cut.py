"""The beginning of a tree without its weak edges, as the page's sliders cut it."""

from collections.abc import Sequence
from dataclasses import replace

from attattr_core.errors import UserError
from attattr_core.trees.tree import AttributionTree, TreeEdge


def cut_tree(tree: AttributionTree, *, n_edges: int | None = None, threshold: float = 0.0) -> AttributionTree:
    """Cuts a tree so that a tree is left.

    Args:
        tree: The tree, whose edges stand in the order in which they joined.
        n_edges: How many of the first edges are taken; None for all.
        threshold: The smallest attribution of an edge, as a share (0 to 1) of the largest of the whole tree; an edge
            below it goes with all that then no longer reaches the root.

    Returns:
        The tree of the edges that are left, in the same order.

    Raises:
        UserError: For a number out of range.
    """
    if not 0 <= threshold <= 1:
        raise UserError(f"The threshold is {threshold}: choose a number from 0 to 1.")
    if n_edges is not None and n_edges < 0:
        raise UserError(f"The number of edges is {n_edges}: choose 0 or more.")
    least = threshold * max((edge.attribution for edge in tree.edges), default=0.0)
    strong = [edge for edge in tree.edges[:n_edges] if edge.attribution >= least]
    parents = _find_parents(tree, strong)
    kept = [edge for edge in strong if edge.child in parents]
    places = {0: 0, **{edge.child: index for index, edge in enumerate(kept, 1)}}
    return replace(
        tree,
        nodes=tuple(tree.nodes[index] for index in places),
        edges=tuple(replace(edge, parent=places[parents[edge.child]], child=places[edge.child]) for edge in kept),
    )


def _find_parents(tree: AttributionTree, edges: Sequence[TreeEdge]) -> dict[int, int]:
    """Finds the node that each sender's node hangs on when only these edges are there; some hang on nothing.

    In the ``"flow"`` mode that is the receiver's node nearest above the edge, which may have joined after the edge.
    """
    is_flow = tree.mode == "flow"
    nodes = {tree.nodes[0].position: [(tree.nodes[0].layer, 0)]}  # layer and index, by position
    parents = {}
    for edge in sorted(edges, key=lambda edge: -edge.layer) if is_flow else edges:
        above = [node for node in nodes.get(edge.receiver, ()) if node[0] > edge.layer or not is_flow]
        if above:
            parents[edge.child] = min(above)[1]
            nodes.setdefault(edge.sender, []).append((edge.layer, edge.child))
    return parents
