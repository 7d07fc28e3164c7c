"""What the browser gets to draw the charts below the tree."""

import csv
import io
import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.results import ORDERS, QUANTILES, ModeFigures, ReceptiveField, find_result, load_result
from attattr_core.trees.curves import FaithfulnessCurves, find_receptive_field
from attattr_core.ui.tree_payload import TreeOptions


@dataclass(frozen=True, eq=False)
class Curves:
    """One input's curves, finished or not.

    Attributes:
        run: What names the run that they belong to.
        options: The tree whose edges go.
        curves: Measured so far.
        n_total: Points there will be.
        status: ``"measuring"``, ``"done"``, ``"stopped"`` or ``"example"``.
    """

    run: str
    options: TreeOptions
    curves: FaithfulnessCurves
    n_total: int
    status: str

    def build_message(self) -> str:
        """Builds the value of the ``"curves"`` chart."""
        curves, others = self.curves, ("attention", "random")
        drawn = {kind: getattr(curves, kind) for kind in ("deletion", "insertion")}
        return dump_message(
            run=self.run,
            status=self.status,
            mode=self.options.mode,
            n_done=len(curves.counts),
            n_total=self.n_total,
            counts=curves.counts,
            unit=curves.function,
            label=curves.label,
            **drawn,
            areas={kind: {other: curves.compute_area(other, kind=kind) for other in others} for kind in drawn},
        )


@dataclass(frozen=True, eq=False)
class Means:
    """Mean curves over a data set, by mode.

    Attributes:
        model: The checkpoint.
        revision: What identifies its weights.
        data: The file with the examples.
        modes: What was measured.
        function: F.
        n_total: Examples there will be.
        status: ``"precomputed"``, ``"measuring"``, ``"done"`` or ``"stopped"``.
        mode: The mode that is measured, or "".
    """

    model: str
    revision: str
    data: str
    modes: dict[str, ModeFigures] = field(default_factory=dict)
    function: str = "probability"
    n_total: int = 0
    status: str = "precomputed"
    mode: str = ""

    def build_message(self) -> str:
        """Builds the value of the ``"means"`` chart."""
        modes = {
            name: {
                "counts": figures.counts,
                "n": figures.n_examples,
                "wins": figures.wins,
                "n_edges": figures.n_edges_mean,
                **{order: vars(figures.curves[order]) for order in ORDERS},
            }
            for name, figures in self.modes.items()
        }
        return dump_message(
            status=self.status,
            model=self.model,
            data=self.data,
            unit=self.function,
            n_total=self.n_total,
            mode=self.mode,
            modes=modes,
        )


@dataclass(frozen=True, eq=False)
class Shipped:
    """What comes with an embedded checkpoint: mean curves, and how far its strongest edges reach."""

    means: Means
    receptive_field: ReceptiveField
    n: int


def find_shipped(attribution: Attribution) -> Shipped | None:
    """Finds the figures that come with the checkpoint of a result; None where there are none, or of other weights."""
    path = find_result(attribution.model) if attribution.model.isidentifier() else None
    if path is None or not path.is_file():
        return None
    figures = load_result(path)
    if figures.revision != attribution.revision:
        return None
    means = Means(
        figures.checkpoint, figures.revision, figures.data, figures.modes, figures.settings.function, figures.n
    )
    return Shipped(means, figures.receptive_field, figures.n)


def build_field_message(attribution: Attribution, shipped: Shipped | None) -> str:
    """Builds the value of the ``"field"`` chart.

    Args:
        attribution: The result.
        shipped: The distribution to show behind, if there is one.
    """
    distances = find_receptive_field(attribution)
    return dump_message(
        n_layers=attribution.n_layers,
        shown=[[value for value in layer if not math.isnan(value)] for layer in distances.tolist()],
        quantiles=None if shipped is None else shipped.receptive_field.quantiles,
        names=QUANTILES,
        n=None if shipped is None else shipped.n,
        data="" if shipped is None else shipped.means.data,
    )


def write_csv(curves: FaithfulnessCurves) -> str:
    """Writes curves as a table: one row a number of edges, one column a curve."""
    columns: dict[str, np.ndarray] = {"edges": curves.counts}
    for kind in ("deletion", "insertion"):
        for order, values in getattr(curves, kind).items():
            many = values.ndim > 1
            columns |= {f"{kind} {order} {k + 1}" if many else f"{kind} {order}": row for k, row in _rows(values)}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
    return buffer.getvalue()


def write_means_csv(means: Means) -> str:
    """Writes mean curves as a table."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("mode", "order", "edges", "mean drop", "low", "high"))
    for mode, figures in means.modes.items():
        for order in ORDERS:
            curve = figures.curves[order]
            for row in zip(figures.counts.tolist(), *(part.tolist() for part in vars(curve).values()), strict=True):
                writer.writerow((mode, order, *row))
    return buffer.getvalue()


def _rows(values: np.ndarray) -> list[tuple[int, np.ndarray]]:
    return list(enumerate(np.atleast_2d(values)))


def dump_message(**content: Any) -> str:
    """Writes a message to a chart: JSON in which what is not finite is null and no markup stands, even inert."""
    text = json.dumps(_plain(content), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
