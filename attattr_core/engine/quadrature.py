"""Nodes and weights for the integral over the path from the baseline to the input (equation 5 of the paper)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import legendre

from attattr_core.errors import UserError

RULES = ("gauss-lobatto", "gauss-legendre", "left", "right")
_STEPS = (4, 8, 16, 32, 64)  # to a tolerance
_LOBATTO_STEPS = (5, 9, 17, 33, 65)
_SAME = 1e-9  # nodes of two rules that are this near are one


@dataclass(frozen=True, eq=False)
class Plan:
    """A rule whose number of nodes is raised level by level; nodes of a level serve the next ones too.

    Attributes:
        n_nodes: Nodes of each of the K levels.
        alphas: The nodes below α = 1 in the order in which levels need them, (N,).
        ends: How many of them there are up to each level, (K,).
        weights: Their weights in each level's rule, (K, N); 0 where the rule does not have the node.
        end_weights: The weight of α = 1 in each level's rule, (K,); 0 where the rule does not have it.
    """

    n_nodes: tuple[int, ...]
    alphas: np.ndarray
    ends: tuple[int, ...]
    weights: np.ndarray
    end_weights: np.ndarray

    @property
    def has_start(self) -> bool:
        """Whether the first node is α = 0, where F is that of the baseline."""
        return 0 in self.alphas[:1]

    @property
    def has_end(self) -> bool:
        """Whether a level has the node α = 1, where the gradient of every layer comes from one backward pass."""
        return bool(self.end_weights.any())


@lru_cache(maxsize=16)
def plan_nodes(rule: str, n_steps: int | None) -> Plan:
    """Plans the nodes: of one level for a fixed number, else of levels for a tolerance.

    Args:
        rule: One of `RULES`.
        n_steps: The number of nodes, or None for 4, 8 … 64 of them. ``"gauss-lobatto"`` then has 5, whose Kronrod and
            Patterson extensions to 9 and 17 keep all nodes before (exact up to degrees 7, 13 and 25), then 33 and 65.

    Returns:
        The plan.

    Raises:
        UserError: As `compute_nodes`.
    """
    if n_steps is not None:
        levels = [compute_nodes(rule, n_steps)]
    elif rule == "gauss-lobatto":
        five = compute_nodes(rule, 5)
        nine = _extend(five[0])
        levels = [five, nine, _extend(nine[0]), *(compute_nodes(rule, n) for n in _LOBATTO_STEPS[3:])]
    else:
        levels = [compute_nodes(rule, n) for n in _STEPS]
    alphas: list[float] = []
    ends: list[int] = []
    for nodes, _ in levels:
        alphas += [alpha for alpha in nodes.tolist() if alpha < 1 and not np.isclose(alpha, alphas, 0, _SAME).any()]
        ends.append(len(alphas))
    weights = np.zeros((len(levels), len(alphas) + 1))
    for row, (nodes, own) in zip(weights, levels, strict=True):
        row[np.abs(np.array([*alphas, 1.0]) - nodes[:, None]).argmin(1)] = own
    return Plan(
        n_nodes=tuple(len(nodes) for nodes, _ in levels),
        alphas=np.array(alphas),
        ends=tuple(ends),
        weights=weights[:, :-1],
        end_weights=weights[:, -1],
    )


def compute_nodes(rule: str, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Places the nodes of a quadrature rule on the path α ∈ [0, 1].

    Args:
        rule: ``"gauss-lobatto"`` (both ends and the best places between them: exact for polynomials up to degree
            2·n_steps − 3), ``"gauss-legendre"`` (2·n_steps − 1), ``"right"`` (the paper's sum over α = 1/m … 1) or
            ``"left"`` (the authors' code: α = 0 … (m − 1)/m).
        n_steps: Number of nodes m, at least 1; of Gauss–Lobatto at least 2.

    Returns:
        The nodes α, ascending, and their weights, which sum to 1; both float64 of shape (n_steps,).

    Raises:
        UserError: For an unknown rule or too small a number of nodes.
    """
    if rule not in RULES:
        raise UserError(f"Unknown quadrature rule {rule!r}: choose one of {', '.join(RULES)}.")
    least = 2 if rule == "gauss-lobatto" else 1
    if n_steps < least:
        raise UserError(f"The number of {rule} nodes is {n_steps}: it must be {least} or more.")
    if rule == "gauss-lobatto":
        return _compute_lobatto(n_steps)
    if rule == "gauss-legendre":
        nodes, weights = legendre.leggauss(n_steps)
        return (nodes + 1) / 2, weights / 2
    first = 0 if rule == "left" else 1
    return (first + np.arange(n_steps)) / n_steps, np.full(n_steps, 1 / n_steps)


def _compute_lobatto(n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Lobatto: between the ends lie the zeros of P′, eigenvalues of the Jacobi matrix of P^(1,1)."""
    k = np.arange(1, n_steps - 2)
    beside = np.sqrt(k * (k + 2) / ((2 * k + 1) * (2 * k + 3)))
    inner = np.linalg.eigvalsh(np.diag(beside, 1) + np.diag(beside, -1)) if n_steps > 2 else np.empty(0)
    nodes = np.array([-1, *(inner - inner[::-1]) / 2, 1])
    last = legendre.legval(nodes, np.eye(n_steps)[-1])  # P of degree n_steps − 1
    return (nodes + 1) / 2, 1 / (n_steps * (n_steps - 1) * last**2)


def _extend(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Adds to n nodes the n − 1 that make the rule best (Kronrod 1965, Patterson 1968), and weights them all.

    The new nodes are the zeros of the polynomial E of degree n − 1 for which Π(x − old) · E is orthogonal to all
    polynomials of a lower degree than E's.
    """
    old, degree = 2 * nodes - 1, len(nodes) - 1
    x, weights = legendre.leggauss(2 * len(nodes))  # exact for the products below
    values = legendre.legvander(x, degree)
    products = (values * (weights * np.prod(x[:, None] - old, axis=1))[:, None]).T @ values
    zeros = legendre.legroots(np.linalg.svd(products[:degree])[2][-1])
    every = np.sort(np.concatenate([old, (zeros - zeros[::-1]) / 2]))
    moments = np.zeros(len(every))
    moments[0] = 1  # ∫ P_k = 0 for k > 0
    return (every + 1) / 2, np.linalg.solve(legendre.legvander(every, len(every) - 1).T, moments)
