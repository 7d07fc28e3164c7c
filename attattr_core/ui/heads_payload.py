"""What the browser gets to draw the importance of heads and what pruning does."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from attattr_core.heads.results import HeadImportance, HeadStudy, PruningCurve
from attattr_core.ui.curve_payload import dump_message

VERSION = 1


@dataclass(frozen=True)
class Progress:
    """How far a measurement is: what is done in words, how much of how much, and the seconds left if they are known."""

    words: str
    n_done: int = 0
    n_total: int = 0
    seconds_left: float | None = None


@dataclass(frozen=True)
class SmallerModel:
    """A saved smaller model in words: a sentence, and rows of what, before, after, and the ratio."""

    sentence: str
    rows: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, eq=False)
class Heads:
    """What the tab shows of one checkpoint.

    Attributes:
        key: That of the checkpoint's `attattr_core.ui.models.Choice`, "" for a file.
        model: Its name.
        study: What is measured, finished or not; None before anything is.
        status: ``"precomputed"``, ``"measuring"``, ``"done"``, ``"stopped"``, ``"opened"``, ``"saving"`` or ``"empty"``.
        run: What names this study; messages of one share it.
        progress: While something is done.
        counts: Of unfinished importances, by method: "120 of 200 examples".
        notice: A sentence about what is shown, or "".
        smaller: The last smaller model.
    """

    key: str
    model: str
    study: HeadStudy | None = None
    status: str = "empty"
    run: str = field(default_factory=lambda: secrets.token_hex(6))
    progress: Progress | None = None
    counts: dict[str, str] = field(default_factory=dict)
    notice: str = ""
    smaller: SmallerModel | None = None

    def build_message(self, others: Iterable[HeadImportance] = ()) -> str:
        """Builds the view's value.

        Args:
            others: Importances of other checkpoints; those of the same shape can be compared.
        """
        if self.study is None:
            return dump_message(version=VERSION, run=self.run, status="empty", model=self.model, progress=self.progress)
        study = self.study
        shape = next(iter(study.importances.values())).values.shape
        compared = [(name, importance, True) for name, importance in study.importances.items()]
        compared += [(other.method, other, False) for other in others if other.values.shape == shape]
        return dump_message(
            version=VERSION,
            run=self.run,
            status=self.status,
            model=study.model,
            revision=study.revision,
            n_layers=shape[0],
            n_heads=shape[1],
            importances=[self._describe(*part) for part in compared],
            correlations=correlate({_name_key(*part): part[1] for part in compared}),
            curves=[vars(curve) for curve in study.curves],
            layerwise=[vars(curve) for curve in study.layerwise],
            differences=[vars(difference) for difference in study.differences],
            metric=study.metric_name,
            data=study.data,
            data_sha256=study.data_sha256,
            n_examples=study.n_examples,
            n_seeds=study.n_seeds,
            progress=None if self.progress is None else vars(self.progress),
            notice=self.notice,
            can_save=self.status in ("precomputed", "done", "stopped") and bool(self.key),
            smaller=None if self.smaller is None else vars(self.smaller),
        )

    def _describe(self, name: str, importance: HeadImportance, is_own: bool) -> dict[str, Any]:
        return {
            "key": _name_key(name, importance, is_own),
            "is_own": is_own,
            "method": name,
            "kind": importance.method,
            "model": importance.model,
            "values": importance.values.ravel(),
            "data": importance.data,
            "data_sha256": importance.data_sha256,
            "n_examples": importance.n_examples,
            "progress": self.counts.get(name) if is_own else None,
        }


def _name_key(name: str, importance: HeadImportance, is_own: bool) -> str:
    return name if is_own else f"{importance.model}/{name}"


def correlate(importances: dict[str, HeadImportance]) -> list[tuple[str, str, float, float]]:
    """Correlates every two importances whose heads are all measured: both keys, Pearson's r and Spearman's ρ."""
    known = [name for name, importance in importances.items() if np.isfinite(importance.values).all()]
    found = []
    for one, other in combinations(known, 2):
        compared = compare_importances(importances[one], importances[other])
        found.append((one, other, compared.pearson, compared.spearman))
    return found
