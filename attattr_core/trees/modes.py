"""Two ways to choose the edges of an attribution tree, as functions of arrays.

``S`` is the head-summed attribution, (L, n, n): S[l, i, j] is what token i receives from token j in layer l. An edge is
(layer, receiver, sender).
"""

from dataclasses import dataclass, field

import numpy as np

Edge = tuple[int, int, int]


@dataclass
class PaperTree:
    """The edges of the authors' script, the top node, and the height of each of the n tokens."""

    top: int
    heights: list[float]
    edges: list[Edge] = field(default_factory=list)


def grow_paper_tree(attribution: np.ndarray, threshold: float) -> PaperTree:
    """Chooses the edges as the authors' script does, with its order and its quirks, for any number of layers.

    Args:
        attribution: S, (L, n, n), in units of F.
        threshold: τ, a share of the largest entry of each layer outside the first token's row.

    Returns:
        The tree; no edges where nothing is above the threshold.
    """
    n_layers, n_tokens, _ = attribution.shape
    kept = _normalise(attribution, threshold)
    tree = PaperTree(_find_top(attribution), [0.0] * n_tokens)
    tree.heights[tree.top] = (n_layers - 1) / n_layers
    state = ["absent"] * n_tokens
    state[tree.top] = "open"
    if n_layers > 1:
        for sender in range(n_tokens):  # the last layer is not used
            if sender != tree.top and kept[n_layers - 2, tree.top, sender] > threshold:
                state[sender], state[tree.top] = "open", "fixed"
                tree.edges.append((n_layers - 2, tree.top, sender))
    for layer in range(n_layers - 3, -1, -1):
        can_join = (kept[layer] >= threshold) & (kept[layer] > 0)
        for receiver in range(1, n_tokens):
            if state[receiver] != "absent" and len(tree.edges) < n_tokens - 1:  # else nothing can join here
                for sender in np.flatnonzero(can_join[receiver]).tolist():
                    _join(tree, state, (layer, receiver, sender), 1 / n_layers)
    return tree


def _normalise(attribution: np.ndarray, threshold: float) -> np.ndarray:
    """P: each layer as shares of its largest entry outside row 0; what is not above τ is 0."""
    if attribution.shape[1] < 2:
        return np.zeros_like(attribution)
    largest = np.abs(attribution[:, 1:].max(axis=(1, 2), keepdims=True))
    shares = attribution / np.where(largest > 0, largest, np.inf)
    return np.where(shares > threshold, shares, 0)


def _find_top(attribution: np.ndarray) -> int:
    """The row that receives most over all layers; never the first token's, unless it is alone."""
    total = attribution.sum(axis=0)
    total = total / (np.abs(total.max()) or 1)
    np.fill_diagonal(total, 0)
    received = np.maximum(total, 0).sum(axis=1)
    return int(received[1:].argmax()) + 1 if len(received) > 1 else 0


def _join(tree: PaperTree, state: list[str], edge: Edge, step: float) -> None:
    _, receiver, sender = edge
    if state[receiver] == "absent" or state[sender] != "absent":
        return  # so a token has one parent, and an edge is not chosen twice
    if state[receiver] == "open":
        state[receiver], state[sender] = "fixed", "open"
        tree.heights[sender] = tree.heights[receiver] - step
    else:
        state[sender] = "open"
        tree.heights[sender] = min(tree.heights)
    tree.edges.append(edge)


def grow_flow_tree(attribution: np.ndarray, root: int, n_edges: int, *, threshold: float = 0.0) -> list[Edge]:
    """Grows a tree from the token that the classifier reads, always by the edge that is worth most there.

    A node is a token in the state in which it enters a layer. An edge of layer l can join when its receiver is in the
    tree above layer l: as the root, or as the sender of an edge of a higher layer, since its state passes through the
    layers between by the residual connections. Its worth is its attribution and, where the sender is new, half of the
    strongest edge that would come within reach. Every node has one parent; a token may join again in another layer.

    Args:
        attribution: S, (L, n, n), in units of F.
        root: Position of the token that the classifier reads.
        n_edges: Budget of edges.
        threshold: The smallest attribution of an edge, as a share of the largest off-diagonal entry.

    Returns:
        Edges with positive attribution, in the order in which they joined: any beginning of the list is a tree.
    """
    n_layers, n_tokens, _ = attribution.shape
    values = np.where(np.eye(n_tokens, dtype=bool), -np.inf, attribution)
    values = np.where((values > 0) & (values >= threshold * max(values.max(), 0)), values, -np.inf)
    strongest = np.maximum(values.max(axis=2), 0)  # that a token receives in each layer
    below = np.vstack([np.zeros(n_tokens), np.maximum.accumulate(strongest[:-1], axis=0)])  # … or in any lower one
    frontier = _Frontier(values, 0.5 * below)
    frontier.reach(n_layers, root)
    edges: list[Edge] = []
    while len(edges) < n_edges and (edge := frontier.find_best()):
        edges.append(edge)
        frontier.use(*edge)
    return edges


class _Frontier:
    """The edges within reach, by receiver: of each only the best is kept, since what others are worth can only fall.

    So a step costs the few receivers whose best edge has changed, not all edges; the result is the same.
    """

    def __init__(self, values: np.ndarray, bonus: np.ndarray) -> None:
        self.values, self.bonus = values, bonus  # (L, n, n), -inf for what cannot join; (L, n), of a new sender
        self.best = np.full(bonus.shape, -np.inf)  # worth of the best edge of each receiver within reach
        self.sender = np.full(bonus.shape, -1)  # … and its sender

    def find_best(self) -> Edge | None:
        """The first by layer, receiver and sender where several are worth the same."""
        layer, receiver = (int(index) for index in np.unravel_index(self.best.argmax(), self.best.shape))
        found = (layer, receiver, int(self.sender[layer, receiver]))
        return found if self.best[layer, receiver] > -np.inf else None

    def use(self, layer: int, _: int, sender: int) -> None:
        """Gives the sender its parent, and brings what it received below within reach."""
        self.values[layer, :, sender] = -np.inf
        self.reach(layer, sender)

    def reach(self, layer: int, token: int) -> None:
        """Adds a token in the state in which it enters a layer; the state comes from all layers below."""
        self.bonus[: layer + 1, token] = 0
        for index in range(min(layer + 1, len(self.bonus))):
            stale = np.flatnonzero(self.sender[index] == token)
            receivers = stale if index == layer else np.union1d(stale, token)
            worth = self.values[index, receivers] + self.bonus[index]  # (n_receivers, n)
            self.best[index, receivers] = worth.max(axis=1)
            self.sender[index, receivers] = worth.argmax(axis=1)
