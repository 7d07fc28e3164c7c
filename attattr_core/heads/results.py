"""What is measured about heads: importance, pruning curves, and a study that holds both."""

from dataclasses import dataclass

import numpy as np

from attattr_core.settings import Settings

#: Ways to find how important a head is (`attattr_core.heads.importance`).
METHODS = ("attattr", "taylor", "taylor-authors", "ablation", "attention", "random")
#: Which heads of an order go first.
DIRECTIONS = ("least-first", "most-first")
METRICS = ("accuracy", "matthews", "pearson")


@dataclass(frozen=True, eq=False)
class HeadImportance:
    """How important each head is on a labelled data set.

    Attributes:
        values: (L, H), float64; in the method's own unit, so that only orders compare between methods.
        method: One of `METHODS`.
        model: Name of the checkpoint.
        revision: What identifies its weights.
        data: Name of the file or data set.
        data_sha256: Its digest.
        n_examples: Number of examples counted.
        seed: Where the choice of examples began, or None for the first ones; of ``"random"``, where the order began.
        settings: The convention of the attributions; None for methods without any.
        versions: Versions of the packages that computed it; empty where that is not known.
        n_cut: How many of the examples were cut to the length that the model takes.
    """

    values: np.ndarray
    method: str
    model: str = ""
    revision: str = ""
    data: str = ""
    data_sha256: str = ""
    n_examples: int = 0
    seed: int | None = None
    settings: Settings | None = None
    versions: dict[str, str] | None = None
    n_cut: int = 0

    def list_order(self, direction: str = "least-first") -> np.ndarray:
        """Lists the heads in the order in which they are pruned.

        Args:
            direction: One of `DIRECTIONS`.

        Returns:
            Flat indices ``layer * H + head``, (L·H,); equal values go by index.
        """
        flat = self.values.ravel()
        return np.argsort(flat if direction == DIRECTIONS[0] else -flat, kind="stable")


@dataclass(frozen=True, eq=False)
class PruningCurve:
    """A metric as more and more heads are pruned.

    Attributes:
        method: What ordered the heads: a name of the study's importances, or ``"random"``.
        direction: One of `DIRECTIONS`; random orders have the first.
        n_pruned: Heads pruned at each point, (P,), from 0 up.
        n_heads: All heads of the model, L·H; or of one layer, H, in a layerwise curve.
        metric: At each point, (P,); of random orders, the mean over seeds.
        low: Lower end of the 95 % interval, (P,).
        high: Upper end, (P,).
        area: Area under the curve over the share of pruned heads, from 0 to 1: the mean metric (trapezoids).
        area_low: Lower end of its 95 % interval: bootstrap over examples; of random orders, over seeds.
        area_high: Upper end.
        interval: What those of the points are: ``"wilson"``, ``"bootstrap"`` (over examples) or ``"seeds"`` (of several
            random orders; a single one has those of any other order).
    """

    method: str
    direction: str
    n_pruned: np.ndarray
    n_heads: int
    metric: np.ndarray
    low: np.ndarray
    high: np.ndarray
    area: float
    area_low: float
    area_high: float
    interval: str

    @property
    def rates(self) -> np.ndarray:
        """Share of the heads pruned at each point, (P,)."""
        return self.n_pruned / self.n_heads


@dataclass(frozen=True)
class AreaDifference:
    """How far apart two curves of a study lie in the mean, with an interval that pairs their examples.

    Attributes:
        method: What ordered the heads of the one.
        other: Of the other; random orders have only one direction and are compared with both.
        direction: One of `DIRECTIONS`. Least important first, the better order has the larger area; most important
            first, the smaller.
        layerwise: Whether heads went from every layer at once.
        difference: Area of the one less area of the other.
        low: Lower end of its 95 % interval: bootstrap over examples, and over the orders of random ones.
        high: Upper end.
    """

    method: str
    other: str
    direction: str
    layerwise: bool
    difference: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class HeadStudy:
    """Importances of one checkpoint by several methods, and what pruning by them does.

    Attributes:
        importances: By method, or by the names that two of one method were given.
        curves: Pruning over the whole model; one for each method and direction, one for random orders.
        layerwise: The effectiveness check: as many heads pruned in every layer, in the order within the layer.
        metric_name: One of `METRICS`.
        model: Name of the checkpoint.
        revision: What identifies its weights.
        data: Name of the evaluation data.
        data_sha256: Its digest.
        n_examples: Examples that each point of a curve is measured on.
        n_seeds: Random orders.
        versions: Versions of the packages that computed it.
        differences: Between the areas of every two methods.
        n_cut: How many of the examples were cut to the length that the model takes.
    """

    importances: dict[str, HeadImportance]
    curves: tuple[PruningCurve, ...]
    layerwise: tuple[PruningCurve, ...]
    metric_name: str
    model: str
    revision: str
    data: str
    data_sha256: str
    n_examples: int
    n_seeds: int
    versions: dict[str, str]
    differences: tuple[AreaDifference, ...] = ()
    n_cut: int = 0


def describe_cut(n_cut: int, n_examples: int) -> str:
    """Says how many examples were cut to the length that the model takes; "" where none was."""
    if not n_cut:
        return ""
    were = "was" if n_cut == 1 else "were"
    return f"{n_cut:,} of the {n_examples:,} texts {were} longer than what is taken here, and {were} cut."
