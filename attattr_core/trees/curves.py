"""What faithfulness measurements give: F against the number of edges, for one example or a data set; no torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, eq=False)
class ExampleFaithfulness:
    """One example of a data set; the attributes are those of `DatasetFaithfulness` without their first axis."""

    drops: dict[str, np.ndarray]
    whole: dict[str, float]
    distances: np.ndarray
    n_edges: int


class GrowingFaithfulness:
    """A data set as its examples end: a row is written once, so each costs the same and what was given out stays."""

    def __init__(self, counts: Sequence[int], n_total: int) -> None:
        """Has no examples yet; args are those of `DatasetFaithfulness`."""
        self._counts, self._n_total = np.asarray(counts), n_total
        self._ended: list[int] = []
        self._table: DatasetFaithfulness | None = None

    def add(self, number: int, example: ExampleFaithfulness) -> DatasetFaithfulness:
        """Adds the example of a number; gives all so far in the order in which they ended, the whole in its own."""
        row = len(self._ended)
        table = self._table = self._table or self._make_table(example)
        for name, values in example.drops.items():
            table.drops[name][row] = values
        for name, value in example.whole.items():
            table.whole[name][row] = value
        table.distances[row], table.n_edges[row] = example.distances, example.n_edges
        self._ended.append(number)
        return _pick(table, slice(row + 1) if row + 1 < self._n_total else np.argsort(self._ended))

    def _make_table(self, one: ExampleFaithfulness) -> DatasetFaithfulness:
        n = self._n_total
        return DatasetFaithfulness(
            counts=self._counts,
            drops={name: np.empty((n, *values.shape)) for name, values in one.drops.items()},
            whole={name: np.empty(n) for name in one.whole},
            distances=np.empty((n, *one.distances.shape)),
            n_edges=np.empty(n, int),
            n_total=n,
        )


def _pick(table: DatasetFaithfulness, rows: slice | np.ndarray) -> DatasetFaithfulness:
    return replace(
        table,
        drops={name: values[rows] for name, values in table.drops.items()},
        whole={name: values[rows] for name, values in table.whole.items()},
        distances=table.distances[rows],
        n_edges=table.n_edges[rows],
    )


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
