"""The beginning of a tree without its weak edges, as the page's sliders cut it."""

from dataclasses import replace

from attattr_core.errors import UserError
from attattr_core.tree import AttributionTree


def cut_tree(tree: AttributionTree, *, n_edges: int | None = None, threshold: float = 0.0) -> AttributionTree:
    """Cuts a tree so that a tree is left.

    Args:
        tree: The tree, whose edges stand in the order in which they joined.
        n_edges: How many of the first edges are taken; None for all.
        threshold: The smallest attribution of an edge, as a share (0 to 1) of the largest of the whole tree; an edge
            below it goes with all that hangs on it.

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
    places = {0: 0}  # of the nodes that stay
    kept = []
    for edge in tree.edges[:n_edges]:
        if edge.parent in places and edge.attribution >= least:
            places[edge.child] = len(places)
            kept.append(edge)
    return replace(
        tree,
        nodes=tuple(tree.nodes[index] for index in places),
        edges=tuple(replace(edge, parent=places[edge.parent], child=places[edge.child]) for edge in kept),
    )
