"""How good predictions are, and how sure that is: metrics, Wilson and bootstrap intervals, areas; no torch."""

import numpy as np

N_RESAMPLES = 2000
_CHUNK = 1 << 22  # entries of a piece of the resamples, and of the predictions
_CONSTANT = 1e-5  # predictions that differ by less, relative to their size, differ by rounding
_ROUNDING = 1e-12  # of the mean square: a variance below it is what the difference of equal numbers leaves


def compute_metric(
    name: str, predicted: np.ndarray, gold: np.ndarray, *, weights: np.ndarray | None = None
) -> np.ndarray:
    """Computes a metric of M rows of predictions.

    Args:
        name: ``"accuracy"``, ``"matthews"`` (for any number of classes) or ``"pearson"``.
        predicted: Class indices or values, (M, N).
        gold: The right ones, (N,).
        weights: How often each example counts, (R, N); None counts each once.

    Returns:
        (M,), or (R, M) with weights. With constant predictions or gold labels a correlation does not exist; it is 0
        here.
    """
    counts = np.ones((1, len(gold))) if weights is None else weights
    values = {"accuracy": _compute_accuracy, "matthews": _compute_matthews, "pearson": _compute_pearson}[name](
        predicted, gold, counts
    )
    return values[0] if weights is None else values


def _compute_accuracy(predicted: np.ndarray, gold: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return counts @ (predicted == gold).T.astype(float) / counts.sum(axis=1, keepdims=True)


def _compute_matthews(predicted: np.ndarray, gold: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Gorodkin's R_K, which is Matthews' correlation for two classes."""
    n = counts.sum(axis=1, keepdims=True)
    covariance = n * (counts @ (predicted == gold).T.astype(float))
    of_predicted, of_gold = n**2, n**2
    for label in np.union1d(predicted, gold):
        n_predicted = counts @ (predicted == label).T.astype(float)
        n_gold = counts @ (gold == label)[:, None].astype(float)
        covariance = covariance - n_predicted * n_gold
        of_predicted, of_gold = of_predicted - n_predicted**2, of_gold - n_gold**2
    return _divide(covariance, np.sqrt(of_predicted * of_gold))


def _compute_pearson(predicted: np.ndarray, gold: np.ndarray, counts: np.ndarray) -> np.ndarray:
    is_constant = np.ptp(predicted, axis=1) <= _CONSTANT * np.abs(predicted).max(axis=1)
    x, y = predicted - predicted.mean(axis=1, keepdims=True), gold - gold.mean()  # so that no digits cancel
    x[is_constant] = 0
    n = counts.sum(axis=1, keepdims=True)
    (mean_x, variance_x), (mean_y, variance_y) = (_find_moments(part, counts, n) for part in (x, y[None]))
    covariance = counts @ (x * y).T / n - mean_x * mean_y
    return _divide(covariance, np.sqrt(variance_x * variance_y)).clip(-1, 1)


def _find_moments(values: np.ndarray, counts: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances of rows of values, each (R, M); a variance that is rounding is 0."""
    mean, square = counts @ values.T / n, counts @ (values**2).T / n
    variance = square - mean**2
    return mean, np.where(variance > _ROUNDING * square, variance, 0)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def resample_metric(name: str, predicted: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Computes a metric on resamples of the examples, the same for all rows and every time: (R, M), R = 2,000."""
    generator = np.random.default_rng(0)
    found = np.empty((N_RESAMPLES, len(predicted)))
    n_rows = max(1, _CHUNK // len(gold))
    for start in range(0, N_RESAMPLES, n_rows):
        n_chunk = min(n_rows, N_RESAMPLES - start)
        picks = generator.integers(0, len(gold), (n_chunk, len(gold)))
        rows = np.arange(n_chunk)[:, None] * len(gold)
        weights = np.bincount((picks + rows).ravel(), minlength=picks.size).reshape(picks.shape).astype(float)
        for first in range(0, len(predicted), n_rows):
            some = slice(first, first + n_rows)
            found[start : start + n_chunk, some] = compute_metric(name, predicted[some], gold, weights=weights)
    return found


def compute_interval(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes the 95 % interval of draws along the first axis: the lower and the upper end."""
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return low, high


def compute_area(metric: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Computes the area under curves, (…, P) over shares (P,), divided by the range of shares: (…,)."""
    width = rates[-1] - rates[0]
    return np.trapezoid(metric, rates, axis=-1) / width if width > 0 else metric.mean(axis=-1)
