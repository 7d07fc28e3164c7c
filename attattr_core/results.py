"""What was measured over a data set, as a small JSON file: those of the embedded checkpoints lie in assets/results."""

import json
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attattr_core.files.json_files import reading_json
from attattr_core.files.whole_files import write_whole
from attattr_core.settings import Settings
from attattr_core.storage import clean_text
from attattr_core.trees.curves import DatasetFaithfulness, bootstrap_mean
from attattr_core.trees.tree import MODES

FORMAT, VERSION = "attattr-faithfulness", 1
FOLDER = Path(__file__).resolve().parent.parent / "assets" / "results"
ORDERS = ("tree", "attention", "random")
QUANTILES = (5, 25, 50, 75, 95)
_MAX_BYTES = 16 << 20


@dataclass(frozen=True, eq=False)
class MeanCurve:
    """A mean over examples and its 95 % interval, each (P,) or a single number ()."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class ModeFigures:
    """How much F falls when edges are removed, for trees of one mode.

    Attributes:
        counts: Edges removed at each point, (P,); where a tree has fewer, of all orders only as many.
        curves: Mean drop of F at each point, by order (`ORDERS`).
        whole: Mean drop of F when the tree of the default size is removed, and as many edges of the other orders.
        wins: Share of the examples in which the tree's drop is then the larger: ``"attention"``, ``"random"``.
        n_edges_mean: Mean number of edges of the trees of the default size.
        n_examples: N.
    """

    counts: np.ndarray
    curves: dict[str, MeanCurve]
    whole: dict[str, MeanCurve]
    wins: dict[str, float]
    n_edges_mean: float
    n_examples: int


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """How far the strongest edges of each layer reach, in tokens.

    Attributes:
        quantiles: `QUANTILES` of the distance, (L, 5); NaN where a layer has no positive edge.
        histogram: Number of edges of distance 1, 2 … D, (L, D).
    """

    quantiles: np.ndarray
    histogram: np.ndarray


@dataclass(frozen=True, eq=False)
class FaithfulnessFigures:
    """The content of a result file.

    Attributes:
        checkpoint: Name of the classifier.
        revision: What identifies its weights.
        data: Name of the file with the examples.
        data_sha256: Its digest.
        n: Number of examples.
        seed: Where the choice of examples and the random orders begin.
        modes: What was measured for trees of each mode.
        receptive_field: How far the strongest edges reach.
        settings: The convention of the attributions.
        versions: Versions of the packages that computed it.
    """

    checkpoint: str
    revision: str
    data: str
    data_sha256: str
    n: int
    seed: int
    modes: dict[str, ModeFigures]
    receptive_field: ReceptiveField
    settings: Settings
    versions: dict[str, str]


def summarise_mode(measured: DatasetFaithfulness) -> ModeFigures:
    """Summarises what was measured over examples, finished or not."""
    return ModeFigures(
        counts=measured.counts,
        curves={order: MeanCurve(*measured.compute_mean(order)) for order in ORDERS},
        whole={order: MeanCurve(*bootstrap_mean(measured.whole[order])) for order in ORDERS},
        wins={order: measured.compute_wins(order) for order in ORDERS[1:]},
        n_edges_mean=float(measured.n_edges.mean()),
        n_examples=len(measured.n_edges),
    )


def summarise_distances(distances: np.ndarray) -> ReceptiveField:
    """Summarises distances, (N, L, K) with NaN where there are fewer edges, over examples."""
    by_layer = [
        layer[~np.isnan(layer)].astype(int) for layer in distances.swapaxes(0, 1).reshape(distances.shape[1], -1)
    ]
    furthest = max((int(layer.max()) for layer in by_layer if layer.size), default=0)
    missing = np.full(len(QUANTILES), np.nan)
    return ReceptiveField(
        quantiles=np.stack([np.percentile(layer, QUANTILES) if layer.size else missing for layer in by_layer]),
        histogram=np.stack([np.bincount(layer, minlength=furthest + 1)[1:] for layer in by_layer]),
    )


def find_result(checkpoint: str) -> Path:
    """Where the result that comes with an embedded checkpoint lies."""
    return FOLDER / f"faithfulness-{checkpoint}.json"


def dump_result(figures: FaithfulnessFigures) -> str:
    """Writes figures as JSON, six digits a number; what does not exist is null."""
    modes = {
        name: {
            **{order: _write_curve(curve) for order, curve in mode.curves.items()},
            "whole": {order: _write_curve(curve) for order, curve in mode.whole.items()},
            "wins": mode.wins,
            "n_edges_mean": mode.n_edges_mean,
        }
        for name, mode in figures.modes.items()
    }
    field, first = figures.receptive_field, next(iter(figures.modes.values()))
    content = {
        "format": FORMAT,
        "version": VERSION,
        **{name: getattr(figures, name) for name in ("checkpoint", "revision", "data", "data_sha256", "n", "seed")},
        "counts": first.counts.tolist(),
        "modes": modes,
        "receptive_field": {"quantiles": _round(field.quantiles), "histogram": field.histogram.tolist()},
        "settings": figures.settings.as_dict(),
        "versions": figures.versions,
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def save_result(figures: FaithfulnessFigures, path: str | Path) -> None:
    """Saves figures as JSON."""
    write_whole(path, dump_result(figures))


def load_result(path: str | Path) -> FaithfulnessFigures:
    """Loads a file that `save_result` wrote; the file is not trusted.

    Raises:
        UserError: When the file is missing, too large, damaged, of a later version or something else.
    """
    complaint = "is not a faithfulness result of this program, or it is damaged: measure it again"
    with reading_json(path, max_bytes=_MAX_BYTES, complaint=complaint) as content:
        return _assemble(content)


def _assemble(content: Any) -> FaithfulnessFigures:
    if content["format"] != FORMAT or content["version"] != VERSION:
        raise ValueError("another format")
    counts, n = _read_counts(content["counts"]), operator.index(content["n"])
    field = ReceptiveField(
        quantiles=_read_numbers(content["receptive_field"]["quantiles"], gaps=True),
        histogram=np.asarray(content["receptive_field"]["histogram"], np.int64),
    )
    n_layers = len(field.histogram)
    if (
        field.quantiles.shape != (n_layers, len(QUANTILES))
        or field.histogram.ndim != 2
        or field.histogram.min(initial=0) < 0
    ):
        raise ValueError("another shape")
    modes = {name: _read_mode(mode, counts, n) for name, mode in content["modes"].items()}
    if not modes or not set(modes) <= set(MODES):
        raise ValueError("no modes, or others")
    return FaithfulnessFigures(
        **{name: clean_text(content[name]) for name in ("checkpoint", "revision", "data", "data_sha256")},
        n=n,
        seed=operator.index(content["seed"]),
        modes=modes,
        receptive_field=field,
        settings=Settings(**content["settings"]),
        versions={clean_text(name): clean_text(version) for name, version in content["versions"].items()},
    )


def _read_counts(values: Any) -> np.ndarray:
    counts = np.array([operator.index(value) for value in values])
    if not len(counts) or counts[0] < 0 or (np.diff(counts) <= 0).any():
        raise ValueError("the counts do not rise")
    return counts


def _read_mode(content: Mapping[str, Any], counts: np.ndarray, n: int) -> ModeFigures:
    wins = {order: float(content["wins"][order]) for order in ORDERS[1:]}
    n_edges_mean = float(content["n_edges_mean"])
    if n < 1 or not all(0 <= share <= 1 for share in wins.values()) or not 0 <= n_edges_mean < np.inf:
        raise ValueError("out of range")
    return ModeFigures(
        counts=counts,
        curves={order: _read_curve(content[order], counts.shape) for order in ORDERS},
        whole={order: _read_curve(content["whole"][order], ()) for order in ORDERS},
        wins=wins,
        n_edges_mean=n_edges_mean,
        n_examples=n,
    )


def _write_curve(curve: MeanCurve) -> dict[str, Any]:
    return {name: _round(getattr(curve, name)) for name in ("mean", "low", "high")}


def _read_curve(content: Mapping[str, Any], shape: tuple[int, ...]) -> MeanCurve:
    curve = MeanCurve(*(_read_numbers(content[name]) for name in ("mean", "low", "high")))
    if not curve.mean.shape == curve.low.shape == curve.high.shape == shape:
        raise ValueError("another shape")
    return curve


def _round(values: Any) -> Any:
    """Nested lists with six digits after the point; NaN becomes null."""
    if isinstance(values, np.ndarray) and values.ndim:
        return [_round(value) for value in values]
    return None if np.isnan(values) else round(float(values), 6) + 0.0  # no -0.0


def _read_numbers(values: Any, *, gaps: bool = False) -> np.ndarray:
    """An array of numbers: finite ones, or null where there may be gaps."""
    array = np.asarray(values, np.float64)  # null becomes NaN
    if not (np.isfinite(array) | (gaps & np.isnan(array))).all():
        raise ValueError("not a number")
    return array
