"""What measuring heads asks of another process, and what that answers; both are picklable."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attattr_core.datasets import ExampleSet
from attattr_core.heads.results import HeadImportance, HeadStudy
from attattr_core.hub import Description
from attattr_core.settings import Settings

if TYPE_CHECKING:
    from attattr_core.heads.sizes import ModelFigures


@dataclass(frozen=True)
class ImportanceJob:
    """What `attattr_core.ui.heads_work.rank_heads` is to measure.

    Attributes:
        description: The checkpoint.
        examples: Labelled by its class indices.
        method: One of `attattr_core.heads.results.METHODS`.
        n_examples: How many of them count, at most.
        seed: Where their choice begins; None for the first ones.
        settings: The convention of attributions.
        state: A file that keeps what is done.
    """

    description: Description
    examples: ExampleSet
    method: str
    n_examples: int
    seed: int | None
    settings: Settings
    state: Path


@dataclass(frozen=True, eq=False)
class CurvesJob:
    """What `attattr_core.ui.heads_work.prune_heads` is to measure; other names are those of
    `attattr_core.heads.pruning.measure_curves`.

    Attributes:
        examples: Labelled by the checkpoint's class indices.
        n_examples: How many of them are measured on, at most; those that ranked no heads, where there are enough.
        seed: Where their choice begins.
    """

    description: Description
    examples: ExampleSet
    n_examples: int
    seed: int
    importances: dict[str, HeadImportance]
    directions: tuple[str, ...]
    n_seeds: int
    every_head: bool
    state: Path


@dataclass(frozen=True, eq=False)
class ImportanceStep:
    """An importance so far: examples done and in all, and the share of the work that is done."""

    importance: HeadImportance
    n_done: int
    n_total: int
    share: float


@dataclass(frozen=True, eq=False)
class CurvesStep:
    """A study so far, None where its curves are those of the step before; and what there is to know."""

    study: HeadStudy | None
    n_done: int
    n_total: int
    notice: str = ""


@dataclass(frozen=True, eq=False)
class SmallerJob:
    """What `attattr_core.ui.heads_work.shrink_heads` is to remove.

    Attributes:
        description: The checkpoint.
        heads: (layer, head).
        importance: What chose them.
        examples: What is measured on.
        path: The zip file to write.
    """

    description: Description
    heads: tuple[tuple[int, int], ...]
    importance: HeadImportance
    examples: ExampleSet
    path: Path


@dataclass(frozen=True)
class SmallerStep:
    """How far a smaller model is.

    Attributes:
        stage: One of those of `attattr_core.heads.shrinking.ShrinkSoFar`.
        n_done: Steps done.
        n_total: All of them.
        figures: The whole model and the smaller one, once they are measured.
        metric_name: What is measured on the examples.
        n_examples: How many these are.
        n_zeroed: Removed heads whose weights are zeros.
        device: Where it was measured.
    """

    stage: str
    n_done: int
    n_total: int
    figures: "tuple[ModelFigures, ModelFigures] | None" = None
    metric_name: str = ""
    n_examples: int = 0
    n_zeroed: int = 0
    device: str = ""
