"""Metrics by hand and by their definitions, known intervals, and areas."""

import tracemalloc

import numpy as np
import pytest

from attattr_core.heads.metrics import (
    N_RESAMPLES,
    compute_area,
    compute_interval,
    compute_metric,
    resample_metric,
)
from attattr_core.intervals import compute_wilson

GOLD = np.array([0, 0, 1, 1, 2, 2, 2.0])
PREDICTED = np.array([[0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0, 2], [1, 1, 1, 1, 1, 1, 1.0]])


def test_accuracy():
    np.testing.assert_allclose(compute_metric("accuracy", PREDICTED, GOLD), [1, 4 / 7, 2 / 7])


def test_matthews_of_two_classes_by_hand():
    gold = np.array([1, 1, 1, 1, 0, 0.0])
    predicted = np.array([[1, 1, 1, 0, 0, 1.0]])  # 3 right and 1 wrong of 1, 1 right and 1 wrong of 0
    assert compute_metric("matthews", predicted, gold)[0] == pytest.approx((3 * 1 - 1 * 1) / np.sqrt(4 * 4 * 2 * 2))


def test_matthews_of_more_classes_is_the_correlation_of_their_indicators():
    def correlate(one: np.ndarray, other: np.ndarray) -> float:
        return sum(((one == k) * 1.0 - (one == k).mean()) @ (other == k) for k in range(3))

    expected = correlate(PREDICTED[1], GOLD) / np.sqrt(correlate(PREDICTED[1], PREDICTED[1]) * correlate(GOLD, GOLD))
    np.testing.assert_allclose(compute_metric("matthews", PREDICTED, GOLD), [1, expected, 0], atol=1e-12)


def test_pearson():
    generator = np.random.default_rng(0)
    gold = generator.random(30)
    predicted = np.stack([gold + generator.random(30), -gold, 1e4 + gold])
    expected = [np.corrcoef(row, gold)[0, 1] for row in predicted]
    np.testing.assert_allclose(compute_metric("pearson", predicted, gold), expected, atol=1e-9)


def test_what_differs_by_rounding_only_correlates_with_nothing():
    gold = np.arange(5.0)
    noise = np.float32(0.3) + np.array([[0, 1, 2, 3, 4]]) * 1e-8
    assert compute_metric("pearson", noise, gold)[0] == 0
    assert compute_metric("pearson", gold[None] * 1e-7, gold)[0] == pytest.approx(1)


@pytest.mark.parametrize("metric", ["matthews", "pearson"])
def test_what_is_constant_correlates_with_nothing(metric):
    generator = np.random.default_rng(0)
    for value in (0.0, 1.0, 0.1, 3e5):  # the mean of equal numbers need not be that number
        constant = np.full(7, value)
        varied = generator.integers(0, 3, (3, 7)) + value
        assert not compute_metric(metric, varied, constant).any()
        assert not compute_metric(metric, np.stack([constant] * 2), varied[0]).any()
        assert not compute_metric(metric, constant[None], constant).any()
        assert not resample_metric(metric, varied, constant).any()


@pytest.mark.parametrize("metric", ["accuracy", "matthews", "pearson"])
def test_pieces_of_the_resamples_change_nothing_and_take_little(metric, monkeypatch):
    generator = np.random.default_rng(0)
    predicted, gold = generator.integers(0, 3, (50, 40)).astype(np.float32), generator.integers(0, 3, 40).astype(float)
    whole = resample_metric(metric, predicted, gold)
    monkeypatch.setattr("attattr_core.heads.metrics._CHUNK", 40 * 7)
    np.testing.assert_allclose(resample_metric(metric, predicted, gold), whole, atol=1e-12, rtol=0)
    tracemalloc.start()
    resample_metric(metric, np.tile(predicted, (10, 1)), gold)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * N_RESAMPLES * 500 + 2e6  # the result, and little beside


def test_resamples_of_one_example_correlate_with_nothing():
    generator = np.random.default_rng(1)
    predicted, gold = generator.random((4, 3)), generator.random(3)
    only = np.eye(3) * 7  # each example seven times, and no other
    assert not compute_metric("pearson", predicted, gold, weights=only).any()
    found = resample_metric("pearson", predicted, gold)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1
    assert compute_metric("matthews", np.array([[1.0]]), np.array([1.0])) == 0


@pytest.mark.parametrize("metric", ["accuracy", "matthews", "pearson"])
def test_a_weight_is_a_repetition(metric):
    weights = np.array([[1, 2, 0, 1, 1, 0, 3.0], [1] * 7])
    found = compute_metric(metric, PREDICTED, GOLD, weights=weights)
    repeated = np.repeat(np.arange(7), weights[0].astype(int))
    np.testing.assert_allclose(found[0], compute_metric(metric, PREDICTED[:, repeated], GOLD[repeated]), atol=1e-12)
    np.testing.assert_allclose(found[1], compute_metric(metric, PREDICTED, GOLD), atol=1e-12)


@pytest.mark.parametrize(
    ("n_right", "n", "low", "high"),  # from Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson(n_right, n, low, high):
    np.testing.assert_allclose(compute_wilson(np.array(n_right / n), n), (low, high), atol=5e-5)
    np.testing.assert_allclose(compute_wilson(np.array(1 - n_right / n), n), (1 - high, 1 - low), atol=5e-5)


def test_resamples_are_the_same_every_time_and_paired():
    generator = np.random.default_rng(0)
    gold = generator.integers(0, 2, 100).astype(float)
    predicted = np.where(generator.random((2, 100)) < 0.8, gold, 1 - gold)
    draws = resample_metric("accuracy", predicted, gold)
    assert draws.shape == (N_RESAMPLES, 2)
    np.testing.assert_array_equal(draws, resample_metric("accuracy", predicted, gold))
    np.testing.assert_array_equal(draws[:, 0], resample_metric("accuracy", predicted[:1], gold)[:, 0])
    same = resample_metric("accuracy", predicted[[0, 0]], gold)
    assert np.ptp(same[:, 0] - same[:, 1]) == 0
    wilson = np.transpose(compute_wilson(compute_metric("accuracy", predicted, gold), 100))
    np.testing.assert_allclose(np.transpose(compute_interval(draws)), wilson, atol=0.03)


def test_many_examples_are_resampled_in_pieces(monkeypatch):
    gold, predicted = np.arange(50.0) % 2, np.arange(100.0).reshape(2, 50) % 3
    whole = resample_metric("matthews", predicted, gold)
    monkeypatch.setattr("attattr_core.heads.metrics._CHUNK", 50 * 1000)
    np.testing.assert_allclose(resample_metric("matthews", predicted, gold), whole, atol=1e-12)


def test_areas():
    rates = np.array([0, 0.5, 1.0])
    np.testing.assert_allclose(compute_area(np.array([[1, 1, 1], [1, 0, 0], [0, 0, 1.0]]), rates), [1, 0.25, 0.25])
    assert compute_area(np.array([1, 1, 0.0]), np.array([0, 0, 0.5])) == pytest.approx(0.5)  # two points at one share
    assert compute_area(np.array([0.7]), np.array([0.0])) == 0.7
