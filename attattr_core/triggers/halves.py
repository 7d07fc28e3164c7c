"""Two halves of the evaluation data: the best triggers are chosen on one and confirmed on the other; no torch."""

import numpy as np

MIN_HALF = 2  # examples of a class in each half, at least; a smaller class is not split


def find_confirming(gold: np.ndarray, n_labels: int) -> np.ndarray:
    """Finds the confirming half: of each gold class every second example, in the order of the data.

    Args:
        gold: Gold class of each example, (N,).
        n_labels: Number of classes.

    Returns:
        Which examples confirm, bool (N,); all others choose. A class of fewer than four examples only chooses.
    """
    confirming = np.zeros(len(gold), dtype=bool)
    for label in range(n_labels):
        own = np.flatnonzero(gold == label)
        if len(own) >= 2 * MIN_HALF:
            confirming[own[1::2]] = True
    return confirming
