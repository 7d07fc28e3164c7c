"""Confidence intervals of shares."""

import numpy as np

_Z = 1.959964  # quantile of the standard normal distribution for 95 %


def compute_wilson(share: np.ndarray | float, n: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
    """Computes Wilson's 95 % interval of shares.

    Args:
        share: Successes by trials, of any shape.
        n: Trials, at least 1.

    Returns:
        The lower and upper ends, shaped as the shares.
    """
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return np.clip(centre - half, 0, share), np.clip(centre + half, share, 1)
