"""From predictions under every mask of a plan to curves, areas and what lies between them; no torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from attattr_core.heads.metrics import (
    compute_area,
    compute_interval,
    compute_metric,
    resample_metric,
)
from attattr_core.heads.plan import RANDOM, Plan, PlannedCurve
from attattr_core.heads.results import AreaDifference, PruningCurve
from attattr_core.intervals import compute_wilson


@dataclass(frozen=True, eq=False)
class Summary:
    """What was measured: curves over the whole model, layerwise ones, and the differences between their areas."""

    curves: tuple[PruningCurve, ...] = ()
    layerwise: tuple[PruningCurve, ...] = ()
    differences: tuple[AreaDifference, ...] = ()


def summarise(plan: Plan, predicted: np.ndarray, gold: np.ndarray, metric: str) -> Summary:
    """Summarises predictions under the masks of a plan.

    Args:
        plan: The curves.
        predicted: Class indices or values under each mask, (M, N).
        gold: The right ones, (N,).
        metric: One of `attattr_core.heads.results.METRICS`.

    Returns:
        The curves with 95 % intervals, and all differences of areas with paired ones.
    """
    values = compute_metric(metric, predicted, gold)  # (M,)
    resampled = resample_metric(metric, predicted, gold)  # (R, M)
    drawn = [_resample_areas(planned, resampled) for planned in plan.curves]
    measured = [
        _make_curve(planned, values, resampled, areas, metric, len(gold))
        for planned, areas in zip(plan.curves, drawn, strict=True)
    ]
    return Summary(
        curves=tuple(curve for curve, planned in zip(measured, plan.curves, strict=True) if not planned.layerwise),
        layerwise=tuple(curve for curve, planned in zip(measured, plan.curves, strict=True) if planned.layerwise),
        differences=tuple(_compare_all(plan.curves, measured, drawn)),
    )


def _resample_areas(planned: PlannedCurve, resampled: np.ndarray) -> np.ndarray:
    """Areas on the resamples of the examples, (R, S)."""
    return np.stack([compute_area(resampled[:, masks], planned.rates) for masks in planned.masks], axis=1)


def _make_curve(
    planned: PlannedCurve, values: np.ndarray, resampled: np.ndarray, areas: np.ndarray, metric: str, n: int
) -> PruningCurve:
    points = values[planned.masks]  # (S, P)
    if len(points) > 1:
        own = compute_area(points, planned.rates)
        mean, interval, (low, high) = points.mean(axis=0), "seeds", compute_interval(points)
        area, (area_low, area_high) = own.mean(), compute_interval(own)
    else:
        mean, interval = points[0], "wilson" if metric == "accuracy" else "bootstrap"
        low, high = (
            compute_wilson(mean, n) if metric == "accuracy" else compute_interval(resampled[:, planned.masks[0]])
        )
        area, (area_low, area_high) = compute_area(mean, planned.rates), compute_interval(areas[:, 0])
    return PruningCurve(
        method=planned.method,
        direction=planned.direction,
        n_pruned=planned.n_pruned,
        n_heads=planned.n_heads,
        metric=mean,
        low=low,
        high=high,
        area=float(area),
        area_low=float(area_low),
        area_high=float(area_high),
        interval=interval,
    )


def _compare_all(
    planned: tuple[PlannedCurve, ...], measured: list[PruningCurve], drawn: list[np.ndarray]
) -> Iterator[AreaDifference]:
    # random orders have one direction, but an importance named so has those of the others
    serves_both = len({curve.direction for curve in planned if curve.method == RANDOM}) == 1
    for first, second in combinations(range(len(planned)), 2):
        one, other = planned[first], planned[second]
        is_same = one.layerwise == other.layerwise and (
            one.direction == other.direction or (other.method == RANDOM and serves_both)
        )
        if is_same and one.method != other.method:
            gaps = compare_areas(drawn[first], drawn[second])
            difference = measured[first].area - measured[second].area
            yield AreaDifference(one.method, other.method, one.direction, one.layerwise, difference, *gaps)


def compare_areas(areas: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """Finds the 95 % interval of the difference of two areas, resample by resample.

    Args:
        areas: Of the one on R resamples of the examples, for each of its orders, (R, S); the mean over orders counts.
        others: Of the other on the same resamples, (R, S′).

    Returns:
        The lower and the upper end. Where there are several orders they are drawn anew in each resample as well.
    """
    generator = np.random.default_rng(1)
    low, high = compute_interval(_draw_means(areas, generator) - _draw_means(others, generator))
    return float(low), float(high)


def _draw_means(areas: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    picks = generator.integers(0, areas.shape[1], areas.shape)
    return np.take_along_axis(areas, picks, axis=1).mean(axis=1)
