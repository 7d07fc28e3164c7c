"""What faithfulness measurements give: F against the number of edges, for one example or a data set; no torch."""

import json
from dataclasses import dataclass

import numpy as np

from attattr_core.attribution import Attribution


@dataclass(frozen=True, eq=False)
class FaithfulnessCurves:
    """F against the number of edges, P points, R random orders.

    Attributes:
        counts: Edges removed, or added, at each point, (P,); the first is 0.
        deletion: F after removing the first edges, by order: ``"tree"`` and ``"attention"`` (P,), ``"random"`` (R, P).
        insertion: The same for adding the first edges to none.
        function: F.
        label: Name of the label explained.
    """

    counts: np.ndarray
    deletion: dict[str, np.ndarray]
    insertion: dict[str, np.ndarray]
    function: str
    label: str

    def compute_area(self, other: str, *, kind: str = "deletion") -> float:
        """Computes the mean height between the tree's curve and another's, in units of F.

        Args:
            other: ``"attention"`` or ``"random"`` (the mean over its orders).
            kind: ``"deletion"`` or ``"insertion"``.

        Returns:
            The area between both curves over the number of edges; positive where the tree's edges matter more.
        """
        curves = self.deletion if kind == "deletion" else self.insertion
        lower, upper = (curves["tree"], curves[other].reshape(-1, len(self.counts)).mean(axis=0))
        gap = upper - lower if kind == "deletion" else lower - upper
        width = float(self.counts[-1] - self.counts[0])
        return float(np.trapezoid(gap, self.counts)) / width if width else 0.0


def dump_curves(curves: FaithfulnessCurves) -> str:
    """Writes curves, and the areas between them, as JSON."""
    kinds = {"deletion": curves.deletion, "insertion": curves.insertion}
    areas = {kind: {name: curves.compute_area(name, kind=kind) for name in ("attention", "random")} for kind in kinds}
    content = {
        "format": "attattr-curves",
        "version": 1,
        "function": curves.function,
        "label": curves.label,
        "counts": curves.counts.tolist(),
        **{kind: {order: values.tolist() for order, values in drawn.items()} for kind, drawn in kinds.items()},
        "areas": areas,
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


@dataclass(frozen=True, eq=False)
class DatasetFaithfulness:
    """How much F falls when edges are removed, over N examples.

    Attributes:
        counts: Edges removed at each point, (P,); where a tree has fewer, of all orders only as many are removed.
        drops: F before less F after, by order (``"tree"``, ``"attention"``, ``"random"``), each (N, P); random is the
            mean over its orders.
        whole: The drop when the tree of the default size is removed, and as many edges of the others, each (N,).
        distances: Distance in tokens of the strongest edges of each layer, (N, L, K); NaN where there are fewer.
        n_edges: Edges of each example's tree of the default size, (N,).
        n_total: Examples that were asked for.
    """

    counts: np.ndarray
    drops: dict[str, np.ndarray]
    whole: dict[str, np.ndarray]
    distances: np.ndarray
    n_edges: np.ndarray
    n_total: int

    def compute_mean(self, order: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Computes the mean drop and its 95 % interval (bootstrap over examples), each (P,)."""
        return bootstrap_mean(self.drops[order])

    def compute_wins(self, other: str) -> float:
        """Computes the share of examples in which removing the tree lowers F more than as many others of an order."""
        return float((self.whole["tree"] > self.whole[other]).mean())


def bootstrap_mean(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes the mean over the first axis and its 95 % interval: 2,000 resamples, the same every time."""
    picks = np.random.default_rng(0).integers(0, len(values), (2000, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5], axis=0)
    return values.mean(axis=0), low, high


def find_receptive_field(attribution: Attribution, *, n_strongest: int = 5) -> np.ndarray:
    """Finds how far the strongest edges of each layer reach (section "Receptive Field" of the paper).

    Args:
        attribution: The result.
        n_strongest: K, edges of each layer.

    Returns:
        Distances |receiver − sender| in tokens, strongest first, (L, K); NaN where a layer has fewer positive ones.
    """
    summed = np.nan_to_num(attribution.attribution).sum(axis=1) * (1 - np.eye(len(attribution.tokens)))
    distances = np.full((attribution.n_layers, n_strongest), np.nan)
    for layer, values in enumerate(summed):
        strongest = np.argsort(-values, axis=None, kind="stable")[:n_strongest]
        receivers, senders = np.unravel_index(strongest[values.flat[strongest] > 0], values.shape)
        distances[layer, : len(receivers)] = np.abs(receivers - senders)
    return distances
