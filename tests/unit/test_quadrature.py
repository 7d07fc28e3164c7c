"""Closed forms: for F = Σ w A² and the baseline 0 every rule's error is known exactly."""

import numpy as np
import pytest

from attattr_core.engine.quadrature import RULES, compute_nodes, plan_nodes
from attattr_core.errors import UserError

W, A = np.array([0.3, -1.7, 2.0]), np.array([0.9, 0.2, 0.5])


def attribute_square(rule: str, n_steps: int) -> np.ndarray:
    """A ⊙ Σ weight · ∂F/∂A at the nodes, with ∂F/∂A = 2 w α A."""
    nodes, weights = compute_nodes(rule, n_steps)
    return A * sum(weight * 2 * W * alpha * A for alpha, weight in zip(nodes, weights, strict=True))


@pytest.mark.parametrize("m", [1, 2, 3, 20, 64])
def test_left_right_and_gauss_legendre_of_a_square(m):
    exact = W * A**2
    np.testing.assert_allclose(attribute_square("left", m), exact * (1 - 1 / m), rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(attribute_square("right", m), exact * (1 + 1 / m), rtol=1e-13)
    np.testing.assert_allclose(attribute_square("gauss-legendre", m), exact, rtol=1e-13)


@pytest.mark.parametrize("m", [1, 2, 5, 9])
def test_gauss_legendre_is_exact_up_to_degree_2m_minus_1_and_no_further(m):
    nodes, weights = compute_nodes("gauss-legendre", m)
    for degree in range(2 * m):
        assert weights @ nodes**degree == pytest.approx(1 / (degree + 1), rel=1e-12)
    assert abs(weights @ nodes ** (2 * m) - 1 / (2 * m + 1)) > 1e-12


@pytest.mark.parametrize("m", [2, 3, 5, 9])
def test_gauss_lobatto_is_exact_up_to_degree_2m_minus_3_and_no_further(m):
    nodes, weights = compute_nodes("gauss-lobatto", m)
    assert (nodes[0], nodes[-1]) == (0, 1)
    for degree in range(2 * m - 2):
        assert weights @ nodes**degree == pytest.approx(1 / (degree + 1), rel=1e-12)
    assert abs(weights @ nodes ** (2 * m - 2) - 1 / (2 * m - 1)) > 1e-12


def test_levels_keep_the_nodes_before_and_are_exact_up_to_their_degrees():
    plan = plan_nodes("gauss-lobatto", None)
    assert plan.n_nodes == (5, 9, 17, 33, 65)
    assert plan.ends[:3] == (4, 8, 16)  # α = 1 is not among them
    for level, degree in enumerate((7, 13, 25, 63, 127)):
        weights = plan.weights[level]
        assert not weights[plan.ends[level] :].any()
        assert np.count_nonzero(weights) == plan.n_nodes[level] - 1
        assert (weights >= 0).all()
        for power in (0, 1, degree - 1, degree):
            total = weights @ plan.alphas**power + plan.end_weights[level]
            assert total == pytest.approx(1 / (power + 1), rel=1e-11)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n_steps", [None, 2, 20])
def test_a_plan_is_its_rule_in_another_order(rule, n_steps):
    plan = plan_nodes(rule, n_steps)
    rng = np.random.default_rng(0)
    for level, n_nodes in enumerate(plan.n_nodes):
        if rule == "gauss-lobatto" and n_nodes in (9, 17):
            continue  # extensions of 5, not rules of their own
        nodes, weights = compute_nodes(rule, n_nodes)
        for power in rng.integers(0, 9, 3):
            total = plan.weights[level] @ plan.alphas**power + plan.end_weights[level]
            assert total == pytest.approx(weights @ nodes**power, rel=1e-12)
    assert plan.has_start == (rule in ("gauss-lobatto", "left"))
    assert plan.has_end == (rule in ("gauss-lobatto", "right"))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("m", [2, 4, 64, 256])
def test_nodes_ascend_within_the_path_and_weights_sum_to_one(rule, m):
    nodes, weights = compute_nodes(rule, m)
    assert nodes.shape == weights.shape == (m,)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (np.diff(nodes) > 0).all()
    assert nodes[0] >= 0
    assert nodes[-1] <= 1


def test_left_starts_at_the_baseline_and_right_ends_at_the_input():
    np.testing.assert_array_equal(compute_nodes("left", 4)[0], [0, 0.25, 0.5, 0.75])
    np.testing.assert_array_equal(compute_nodes("right", 4)[0], [0.25, 0.5, 0.75, 1])


def test_errors_name_the_value_and_the_choices():
    with pytest.raises(UserError, match=r"'simpson'.*gauss-lobatto, gauss-legendre, left, right"):
        compute_nodes("simpson", 4)
    with pytest.raises(UserError, match=r"0.*1 or more"):
        compute_nodes("left", 0)
    with pytest.raises(UserError, match=r"gauss-lobatto nodes is 1: it must be 2 or more"):
        compute_nodes("gauss-lobatto", 1)
