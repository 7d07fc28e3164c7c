"""Whether two importances agree: across tasks, checkpoints or methods (section 4.3 of the paper); no torch."""

from dataclasses import dataclass

import numpy as np

from attattr_core.errors import UserError
from attattr_core.heads.results import HeadImportance


@dataclass(frozen=True, eq=False)
class ImportanceComparison:
    """Two importances of the same heads.

    Attributes:
        x: Of the one, (L, H).
        y: Of the other, (L, H).
        pearson: Pearson's r over all heads.
        spearman: Spearman's ρ: Pearson's r of the ranks, equal values sharing the mean of theirs.
    """

    x: np.ndarray
    y: np.ndarray
    pearson: float
    spearman: float


def compare_importances(one: HeadImportance, other: HeadImportance) -> ImportanceComparison:
    """Compares two importances head by head.

    Args:
        one: Of one task, checkpoint or method.
        other: Of another; the same number of layers and heads.

    Returns:
        Both, and their correlations.

    Raises:
        UserError: When they are of different shapes, or one is the same for all heads or not numbers.
    """
    x, y = (np.asarray(importance.values, float) for importance in (one, other))
    if x.shape != y.shape or x.ndim != 2:
        raise UserError(
            f"The importances are of shape {x.shape} and {y.shape}: only those of as many layers and heads compare."
        )
    for name, importance, values in (("first", one, x), ("second", other, y)):
        if not np.isfinite(values).all():
            raise UserError(f"The {name} importance ({importance.method[:80]}) has entries that are not numbers.")
        if np.ptp(values) == 0:
            raise UserError(
                f"The {name} importance ({importance.method[:80]}) is the same for all heads, so nothing correlates "
                "with it: choose another."
            )
    return ImportanceComparison(x, y, _correlate(x.ravel(), y.ravel()), _correlate(_rank(x), _rank(y)))


def _correlate(x: np.ndarray, y: np.ndarray) -> float:
    x, y = (values / np.abs(values).max() for values in (x, y))  # so that squares neither vanish nor overflow
    return float(np.corrcoef(x, y)[0, 1])


def _rank(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places.ravel()]
