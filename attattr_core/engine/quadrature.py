"""Nodes and weights for the integral over the path from the baseline to the input (equation 5 of the paper)."""

import numpy as np

from attattr_core.errors import UserError

RULES = ("gauss-legendre", "left", "right")


def compute_nodes(rule: str, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Places the nodes of a quadrature rule on the path α ∈ [0, 1].

    Args:
        rule: ``"gauss-legendre"`` (exact for polynomials up to degree 2·n_steps − 1), ``"right"`` (the paper's sum
            over α = 1/m … 1) or ``"left"`` (the authors' code: α = 0 … (m − 1)/m).
        n_steps: Number of nodes m, at least 1.

    Returns:
        The nodes α, ascending, and their weights, which sum to 1; both float64 of shape (n_steps,).

    Raises:
        UserError: For an unknown rule or a number of nodes below 1.
    """
    if rule not in RULES:
        raise UserError(f"Unknown quadrature rule {rule!r}: choose one of {', '.join(RULES)}.")
    if n_steps < 1:
        raise UserError(f"The number of nodes is {n_steps}: it must be 1 or more.")
    if rule == "gauss-legendre":
        nodes, weights = np.polynomial.legendre.leggauss(n_steps)
        return (nodes + 1) / 2, weights / 2
    first = 0 if rule == "left" else 1
    return (first + np.arange(n_steps)) / n_steps, np.full(n_steps, 1 / n_steps)
