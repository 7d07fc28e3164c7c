"""The attribution tree: which tokens told which, from the sentence up to the decision (section "Attribution Tree")."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.errors import UserError
from attattr_core.trees.modes import grow_flow_tree, grow_paper_tree
from attattr_core.view import plan_merge

MODES = ("flow", "paper")
PAPER_THRESHOLD = 0.4
DEFAULT_EDGES, MAX_EDGES = 16, 10_000


@dataclass(frozen=True)
class TreeNode:
    """A token on its way up.

    Attributes:
        position: Index of the token (of the word, where pieces are merged).
        layer: The layer, from 0, that the node enters as a sender; the root is above the last one.
        height: Where it is drawn, from 0 (the sentence) to 1.
    """

    position: int
    layer: int
    height: float


@dataclass(frozen=True)
class TreeEdge:
    """What a receiver gets from a sender in one layer.

    Attributes:
        layer: Layer from 0.
        receiver: Position of the receiving token.
        sender: Position of the sending token.
        attribution: Sum over the heads, in units of F.
        heads: Attribution of each head, (H,).
        parent: Index of the receiver's node.
        child: Index of the sender's node.
    """

    layer: int
    receiver: int
    sender: int
    attribution: float
    heads: tuple[float, ...]
    parent: int
    child: int


@dataclass(frozen=True)
class AttributionTree:
    """An attribution tree over n tokens, or words.

    Attributes:
        mode: ``"flow"`` or ``"paper"``.
        n_layers: Layers of the model.
        tokens: Labels, n.
        sentences: 0 for sentence A, 1 for B, -1 for special tokens, n.
        members: The model's token positions that each of the n stands for.
        nodes: The root first.
        edges: In the order in which they joined.
        mass: Sum of all positive attributions between different tokens, in units of F, of which the tree keeps some.
        model: Name of the checkpoint.
        revision: What identifies its weights.
        label: Name of the label explained.
        function: F.
    """

    mode: str
    n_layers: int
    tokens: tuple[str, ...]
    sentences: tuple[int, ...]
    members: tuple[tuple[int, ...], ...]
    nodes: tuple[TreeNode, ...]
    edges: tuple[TreeEdge, ...]
    mass: float
    model: str
    revision: str
    label: str
    function: str

    @property
    def kept_share(self) -> float:
        """Share of the mass that the edges keep."""
        return sum(edge.attribution for edge in self.edges) / self.mass if self.mass > 0 else 0.0

    @property
    def receptive_field(self) -> tuple[tuple[int, int], ...]:
        """Layer and distance in tokens, receiver to sender, of each edge."""
        return tuple((edge.layer, abs(edge.receiver - edge.sender)) for edge in self.edges)

    def list_token_edges(self) -> list[list[tuple[int, int, int]]]:
        """Lists the entries (layer, receiver, sender) of the attention that each edge stands for, by token position."""
        return [
            [(edge.layer, i, j) for i in self.members[edge.receiver] for j in self.members[edge.sender]]
            for edge in self.edges
        ]


def build_tree(
    attribution: Attribution,
    *,
    mode: str = "flow",
    threshold: float | None = None,
    n_edges: int = DEFAULT_EDGES,
    mass: float | None = None,
    words: bool = False,
) -> AttributionTree:
    """Builds the attribution tree.

    Args:
        attribution: The result of one example; layers that were not computed have no edges.
        mode: ``"paper"`` (the authors' script, for any depth) or ``"flow"`` (rooted in the token that the classifier
            reads, all layers, one parent a node; it lowers F more when its edges are removed).
        threshold: τ from 0 to 1, a share of the largest attribution: of each layer in the paper's mode (default 0.4),
            of all layers in the other (default 0).
        n_edges: Budget of edges of the ``"flow"`` mode.
        mass: For the ``"flow"`` mode, stop as soon as the edges keep this share (0 to 1) of the positive attribution.
        words: Whether pieces are merged to words first.

    Returns:
        The tree; it has no edges where nothing is positive between different tokens.

    Raises:
        UserError: For an unknown mode, or a number out of range.

    Differs from the authors' code: nodes are keyed by position, so repeated words stay apart, and models of any depth
    work, not only 12 layers.
    """
    _check_options(mode, threshold, n_edges, mass)
    maps = _read_maps(attribution, words=words)
    if mode == "paper":
        nodes, edges = _build_paper(maps.summed, PAPER_THRESHOLD if threshold is None else threshold)
    else:
        least_mass = None if mass is None else mass * maps.mass
        nodes, edges = _build_flow(maps.summed, n_edges, threshold or 0.0, least_mass)
    return _assemble(attribution, maps, mode, nodes, edges)


def build_paper_trees(
    attribution: Attribution, thresholds: Sequence[float], *, words: bool = False
) -> list[AttributionTree]:
    """Builds the trees of the ``"paper"`` mode for many thresholds τ, as `build_tree` does for each."""
    for threshold in thresholds:
        _check_options("paper", threshold, 0, None)
    maps = _read_maps(attribution, words=words)
    return [_assemble(attribution, maps, "paper", *_build_paper(maps.summed, threshold)) for threshold in thresholds]


def _assemble(
    attribution: Attribution, maps: "_Maps", mode: str, nodes: list[TreeNode], edges: list[tuple[int, int, int]]
) -> AttributionTree:
    places = {(node.position, node.layer): index for index, node in enumerate(nodes)}
    return AttributionTree(
        mode=mode,
        n_layers=attribution.n_layers,
        tokens=maps.tokens,
        sentences=maps.sentences,
        members=maps.members,
        nodes=tuple(nodes),
        edges=tuple(
            TreeEdge(
                layer=layer,
                receiver=receiver,
                sender=sender,
                attribution=float(maps.summed[layer, receiver, sender]),
                heads=tuple(maps.heads[layer, :, receiver, sender].tolist()),
                parent=_find_parent(nodes, receiver, layer) if mode == "flow" else _find_only(nodes, receiver),
                child=places[sender, layer],
            )
            for layer, receiver, sender in edges
        ),
        mass=maps.mass,
        model=attribution.model,
        revision=attribution.revision,
        label=attribution.labels[attribution.target],
        function=attribution.unit,
    )


def find_root(attribution: Attribution) -> int:
    """Finds the token that the classifier reads: the one that receives most in the highest finished layer.

    Where the head reads one token, such as [CLS], all other rows of the last layer are exactly zero.
    """
    finished = np.flatnonzero(attribution.finished)
    return _find_root(attribution.attribution[finished[-1]].sum(axis=0)[None]) if len(finished) else 0


def _find_root(summed: np.ndarray) -> int:
    """The row with the largest sum of |attribution| in the highest layer that has any."""
    received = np.abs(summed).sum(axis=2)
    layers = np.flatnonzero(received.any(axis=1))
    return int(received[layers[-1]].argmax()) if len(layers) else 0


def _check_options(mode: str, threshold: float | None, n_edges: int, mass: float | None) -> None:
    if mode not in MODES:
        raise UserError(f"Unknown tree mode {str(mode)[:80]!r}: choose one of {', '.join(MODES)}.")
    for name, value in (("threshold", threshold), ("share of the mass", mass)):
        if value is not None and not 0 <= value <= 1:
            raise UserError(f"The {name} is {str(value)[:80]}: choose a number from 0 to 1.")
    if not 0 <= n_edges <= MAX_EDGES:
        raise UserError(f"The number of edges is {str(n_edges)[:80]}: choose one from 0 to {MAX_EDGES:,}.")


@dataclass(frozen=True, eq=False)
class _Maps:
    """Labels and sentences of n tokens or words, their members, and attribution in double precision."""

    tokens: tuple[str, ...]
    sentences: tuple[int, ...]
    members: tuple[tuple[int, ...], ...]
    heads: np.ndarray  # (L, H, n, n), 0 for layers that are missing
    summed: np.ndarray  # (L, n, n)
    mass: float  # of all positive entries of `summed` off its diagonal


def _read_maps(attribution: Attribution, *, words: bool) -> _Maps:
    maps = np.nan_to_num(attribution.attribution).astype(np.float64)  # (L, H, T, T)
    tokens, sentences = attribution.tokens, attribution.sentences
    members = tuple((position,) for position in range(len(tokens)))
    if words:
        merge, tokens, sentences = plan_merge(attribution)
        members = tuple(tuple(np.flatnonzero(row).tolist()) for row in merge)
        maps = maps if len(merge) == maps.shape[-1] else merge @ maps @ merge.T
    summed = maps.sum(axis=1)
    mass = float(np.maximum(summed * (1 - np.eye(len(tokens))), 0).sum())
    return _Maps(tokens, sentences, members, maps, summed, mass)


def _build_paper(summed: np.ndarray, threshold: float) -> tuple[list[TreeNode], list[tuple[int, int, int]]]:
    tree = grow_paper_tree(summed, threshold)
    joined = {tree.top: len(summed), **{sender: layer for layer, _, sender in tree.edges}}
    return [TreeNode(position, layer, tree.heights[position]) for position, layer in joined.items()], tree.edges


def _build_flow(
    summed: np.ndarray, n_edges: int, threshold: float, mass: float | None
) -> tuple[list[TreeNode], list[tuple[int, int, int]]]:
    n_layers, root = len(summed), _find_root(summed)
    edges = grow_flow_tree(summed, root, n_edges, threshold=threshold)
    if mass is not None:
        kept = np.cumsum([summed[edge] for edge in edges])
        edges = edges[: int(np.searchsorted(kept, mass * (1 - 1e-12))) + 1] if mass > 0 else []
    nodes = [TreeNode(root, n_layers, 1.0)]
    return nodes + [TreeNode(sender, layer, layer / n_layers) for layer, _, sender in edges], edges


def _find_parent(nodes: Sequence[TreeNode], position: int, layer: int) -> int:
    """The receiver's node nearest above a layer."""
    above = [
        (node.layer, index) for index, node in enumerate(nodes) if node.position == position and node.layer > layer
    ]
    return min(above)[1]


def _find_only(nodes: Sequence[TreeNode], position: int) -> int:
    return next(index for index, node in enumerate(nodes) if node.position == position)
