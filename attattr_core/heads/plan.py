"""Which heads are switched off at each point of each curve: every mask once, however many curves share it; no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from attattr_core.errors import UserError
from attattr_core.heads.results import DIRECTIONS, HeadImportance

#: Shares of the heads that are pruned, as in the paper.
RATES = tuple(step / 10 for step in range(11))
RANDOM = "random"
MAX_SEEDS = 1000


@dataclass(frozen=True, eq=False)
class PlannedCurve:
    """One curve, before anything is measured.

    Attributes:
        method: What orders the heads.
        direction: Which of them go first.
        layerwise: Whether heads go from every layer at once.
        n_pruned: Heads pruned at each point, (P,); in each layer, if layerwise.
        n_heads: Of how many.
        masks: Which mask of the plan each point has, (S, P), for S orders: several of random ones, one of others.
    """

    method: str
    direction: str
    layerwise: bool
    n_pruned: np.ndarray
    n_heads: int
    masks: np.ndarray

    @property
    def rates(self) -> np.ndarray:
        """Share of the heads pruned at each point, (P,)."""
        return self.n_pruned / self.n_heads


@dataclass(frozen=True, eq=False)
class Plan:
    """All curves and the different masks they need.

    Attributes:
        masks: True keeps a head, (M, L, H); sorted so that neighbours share their lowest layers.
        curves: What is measured with them.
    """

    masks: np.ndarray
    curves: tuple[PlannedCurve, ...]


def count_pruned(rates: Sequence[float], shape: tuple[int, int]) -> np.ndarray:
    """Counts the heads pruned at each rate: int(rate · L · H), computed from left to right as the authors do.

    Args:
        rates: Shares from 0 to 1, rising.
        shape: (L, H).

    Returns:
        (P,), integers; small models have the same number at several rates.

    Raises:
        UserError: When the rates do not rise from 0 or more to 1 or less.
    """
    shares = [float(rate) for rate in rates]
    rises = all(low < high for low, high in pairwise(shares))
    if not shares or not rises or not (shares[0] >= 0 and shares[-1] <= 1):
        raise UserError(f"The rates are {str(shares)[:80]}: give shares from 0 to 1, each larger than the last.")
    return np.array([int(rate * shape[0] * shape[1]) for rate in shares])


def make_mask(
    values: np.ndarray, n_pruned: int, *, direction: str = DIRECTIONS[0], layerwise: bool = False
) -> np.ndarray:
    """Makes the mask that is left when heads are pruned in the order of their values.

    Args:
        values: Importance, (L, H); equal values go by index.
        n_pruned: How many heads go, of all or of each layer.
        direction: Which go first, one of `DIRECTIONS`.
        layerwise: Whether they go from every layer.

    Returns:
        True where a head is kept, (L, H).
    """
    rows = np.reshape(values, (len(values) if layerwise else 1, -1))
    order = np.argsort(rows if direction == DIRECTIONS[0] else -rows, axis=1, kind="stable")
    kept = np.ones(rows.shape, bool)
    np.put_along_axis(kept, order[:, :n_pruned], False, axis=1)
    return kept.reshape(np.shape(values))


def draw_values(shape: tuple[int, int], n_seeds: int, seed: int) -> list[np.ndarray]:
    """Draws the values that random orders follow, each (L, H)."""
    return [np.random.default_rng(seed + index).random(shape) for index in range(n_seeds)]


def make_plan(
    importances: Mapping[str, HeadImportance],
    *,
    counts: np.ndarray,
    directions: Sequence[str],
    n_seeds: int,
    seed: int,
    layerwise: bool,
) -> Plan:
    """Plans the curves of all methods and directions, and of random orders where there are seeds.

    Args:
        importances: By the method's name, all of one shape; one named ``"random"`` gives way to the random orders.
        counts: Heads pruned at each point over the whole model, (P,).
        directions: Which of `DIRECTIONS`.
        n_seeds: Random orders.
        seed: Where they begin.
        layerwise: Whether to plan the effectiveness check too: 0 to H heads from every layer.

    Returns:
        The plan.
    """
    shape = next(iter(importances.values())).values.shape
    orders = [
        (name, direction, [importance.values])
        for name, importance in importances.items()
        if name != RANDOM or not n_seeds
        for direction in directions
    ]
    if n_seeds:
        orders.append((RANDOM, DIRECTIONS[0], draw_values(shape, n_seeds, seed)))
    parts = [(False, counts, shape[0] * shape[1])]
    if layerwise:
        parts.append((True, np.arange(shape[1] + 1), shape[1]))
    masks: list[np.ndarray] = []
    drafts = []
    for is_layerwise, n_pruned, n_heads in parts:
        for name, direction, drawn in orders:
            options = {"direction": direction, "layerwise": is_layerwise}
            drafts.append((name, direction, is_layerwise, n_pruned, n_heads, len(masks), len(drawn)))
            masks += [make_mask(values, count, **options) for values in drawn for count in n_pruned]
    different, places = np.unique(np.reshape(masks, (len(masks), -1)), axis=0, return_inverse=True)
    curves = tuple(
        PlannedCurve(*draft, places.ravel()[start : start + n * len(draft[3])].reshape(n, -1))
        for *draft, start, n in drafts
    )
    return Plan(different.reshape(-1, *shape), curves)
