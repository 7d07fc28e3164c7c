"""Measurements that need a model. On ZeroGPU another process does them, as with `attattr_core.ui.work`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.hub import Description, find_snapshot
from attattr_core.trees.curves import DatasetFaithfulness, FaithfulnessCurves
from attattr_core.trees.tree import AttributionTree
from attattr_core.ui.job_log import Refusal, count_rows, count_tokens, logged
from attattr_core.ui.models import identify
from attattr_core.ui.shortages import refusing
from attattr_core.ui.spaces import estimate_seconds, on_gpu
from attattr_core.ui.work import find_cache

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint

_N_POINTS = 20
_POINTS_AT_ONCE = 2
_NODES = 16  # a layer, whose cost is that of a measurement or more

Texts = Sequence[tuple[str, str | None]]


@dataclass(frozen=True, eq=False)
class CurvesSoFar:
    """Curves at the first points, and at how many there will be."""

    curves: FaithfulnessCurves
    n_total: int


def _estimate(description: Description, *rest: Any) -> int:
    parts = [part for part in (description, description.base) if part is not None]
    n_bytes = sum(path.stat().st_size for part in parts for path in find_snapshot(part).glob("*.safetensors"))
    return estimate_seconds(n_bytes, n_characters=500, n_nodes=_NODES)


@logged("deletion curve", lambda _, description, attribution, tree: count_tokens(attribution.tokens))
@on_gpu(_estimate)
@refusing("a smaller model or a shorter text")
def measure_curves(
    description: Description, attribution: Attribution, tree: AttributionTree
) -> Iterator[CurvesSoFar | Refusal]:
    """Measures one input's curves, two points at a time; a `Refusal` ends it."""
    with _use(description) as checkpoint:
        yield from _measure_points(checkpoint, attribution, tree)


@logged("deletion curves of a data set", lambda _, description, texts, mode: count_rows(len(texts)))
@on_gpu(_estimate)
@refusing("a smaller model")
def measure_means(description: Description, texts: Texts, mode: str) -> Iterator[DatasetFaithfulness | Refusal]:
    """Measures a data set, example by example; a `Refusal` ends it."""
    from attattr_core.trees.faithfulness import measure_dataset

    with _use(description) as checkpoint:
        yield from measure_dataset(checkpoint, texts, mode=mode)


def _use(description: Description) -> Any:
    name, revision = identify(description)
    return find_cache().use(name, revision=revision, description=description)


def _measure_points(checkpoint: "Checkpoint", attribution: Attribution, tree: AttributionTree) -> Iterator[CurvesSoFar]:
    from attattr_core.trees.faithfulness import measure_faithfulness

    n_entries = sum(len(group) for group in tree.list_token_edges())
    counts = np.unique(np.rint(np.linspace(0, n_entries, _N_POINTS)).astype(int))
    curves = None
    for start in range(0, len(counts), _POINTS_AT_ONCE):
        points = counts[start : start + _POINTS_AT_ONCE].tolist()
        part = measure_faithfulness(checkpoint, attribution, tree, counts=points)
        curves = part if curves is None else _join(curves, part)
        yield CurvesSoFar(curves, len(counts))


def _join(left: FaithfulnessCurves, right: FaithfulnessCurves) -> FaithfulnessCurves:
    def join(kind: str) -> dict[str, np.ndarray]:
        parts = getattr(left, kind), getattr(right, kind)
        return {order: np.concatenate([part[order] for part in parts], axis=-1) for order in parts[0]}

    return replace(
        left,
        counts=np.concatenate([left.counts, right.counts]),
        deletion=join("deletion"),
        insertion=join("insertion"),
    )
