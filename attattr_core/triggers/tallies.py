"""Accuracy and attack success on each gold class, with intervals; no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from attattr_core.intervals import compute_wilson
from attattr_core.triggers.results import ClassAccuracy

N_BEST = 3


@dataclass(frozen=True, eq=False)
class Tally:
    """Examples before and after something was inserted.

    Attributes:
        gold: Gold class of each example, (N,).
        before: Probabilities before, (N, C).
        after: Probabilities after, (N, C).
    """

    gold: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @cached_property
    def right_before(self) -> np.ndarray:
        """Which examples were right before, bool (N,)."""
        return self.before.argmax(1) == self.gold

    @cached_property
    def right_after(self) -> np.ndarray:
        """Which examples are right after, bool (N,)."""
        return self.after.argmax(1) == self.gold

    @cached_property
    def flipped(self) -> np.ndarray:
        """Which examples were right before and are wrong now, bool (N,)."""
        return self.right_before & ~self.right_after

    @cached_property
    def changes(self) -> np.ndarray:
        """Change of the gold class's probability, (N,)."""
        rows = np.arange(len(self.gold))
        return self.after[rows, self.gold] - self.before[rows, self.gold]

    def pick(self, chosen: np.ndarray) -> "Tally":
        """Picks examples, by a bool (N,)."""
        return Tally(self.gold[chosen], self.before[chosen], self.after[chosen])

    def average_changes(self, n_labels: int) -> np.ndarray:
        """Mean change of the gold class's probability on each gold class, (C,); NaN for a class without examples."""
        picked = [self.changes[self.gold == label] for label in range(n_labels)]
        return np.array([part.mean() if part.size else np.nan for part in picked])


def measure_accuracy(gold: np.ndarray, right: np.ndarray, n_labels: int) -> ClassAccuracy:
    """Measures a share on each class, with 95 % Wilson intervals.

    Args:
        gold: The class of each example, (N,).
        right: What is counted, bool (N,).
        n_labels: Number of classes.

    Returns:
        The shares; NaN for a class without examples.
    """
    counts = [(int(right[gold == label].sum()), int((gold == label).sum())) for label in range(n_labels)]
    rows = [(k / n, *compute_wilson(k / n, n)) if n else (np.nan,) * 3 for k, n in counts]
    return ClassAccuracy(*np.array(rows, dtype=np.float64).reshape(-1, 3).T)


def measure_after(tally: Tally, n_labels: int) -> ClassAccuracy:
    """Measures the accuracy on each gold class with what was inserted."""
    return measure_accuracy(tally.gold, tally.right_after, n_labels)


def measure_success(tally: Tally, n_labels: int) -> ClassAccuracy:
    """Measures the attack success rate on each gold class, among the examples that were right before."""
    right = tally.right_before
    return measure_accuracy(tally.gold[right], tally.flipped[right], n_labels)


def pick_best(
    accuracies: Sequence[np.ndarray], *, below: np.ndarray | None = None, n_best: int = N_BEST
) -> tuple[tuple[int, ...], ...]:
    """Picks for each class the triggers under which its accuracy is lowest.

    Args:
        accuracies: Accuracy on each class with each trigger, (C,) each.
        below: Accuracy without a trigger, (C,); triggers that do not lower it are not picked.
        n_best: How many at most.

    Returns:
        For each class the numbers of the triggers, the best first, equal ones in their order.
    """
    if not len(accuracies):
        return () if below is None else tuple(() for _ in below)
    table = np.stack(accuracies)  # (n_triggers, C)
    limits = np.full(table.shape[1], np.inf) if below is None else below
    picked = []
    for column, limit in zip(table.T, limits, strict=True):
        order = [index for index in np.argsort(column, kind="stable").tolist() if column[index] < limit]
        picked.append(tuple(order[:n_best]))
    return tuple(picked)
