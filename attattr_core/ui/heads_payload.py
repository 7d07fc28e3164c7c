"""What the browser gets to draw the importance of heads and what pruning does."""

import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from attattr_core.checkpoints.catalog import EMBEDDED
from attattr_core.errors import UserError
from attattr_core.heads.comparison import compare_importances
from attattr_core.heads.results import HeadImportance, HeadStudy, describe_cut
from attattr_core.heads.study_files import find_study, load_study
from attattr_core.ui.curve_payload import dump_message

VERSION = 1
_MOST_KEPT = 4


@dataclass(frozen=True)
class Progress:
    """How far work is: what is done in words, how much of how much and of what, the seconds left if they are known."""

    words: str
    n_done: int = 0
    n_total: int = 0
    unit: str = ""
    seconds_left: float | None = None


@dataclass(frozen=True)
class SmallerInWords:
    """A saved smaller model in words: a sentence, and rows of what, before, after, and how they compare."""

    sentence: str
    rows: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, eq=False)
class Heads:
    """What the tab shows of one checkpoint.

    Attributes:
        key: That of the checkpoint's `attattr_core.ui.models.Choice`, "" for a file.
        model: Its name.
        study: What is measured, finished or not; None before anything is.
        status: ``"precomputed"``, ``"measuring"``, ``"done"``, ``"stopped"``, ``"opened"``, ``"saving"``, ``"empty"``.
        run: What names this study; messages of one share it.
        progress: While something is done.
        counts: Of unfinished importances, by method: "120 of 200 examples".
        notice: A sentence about what is shown, or "".
        smaller: The last smaller model.
        resting: The status to go back to where nothing was measured yet when work was stopped, or "".
    """

    key: str
    model: str
    study: HeadStudy | None = None
    status: str = "empty"
    run: str = field(default_factory=lambda: secrets.token_hex(6))
    progress: Progress | None = None
    counts: dict[str, str] = field(default_factory=dict)
    notice: str = ""
    smaller: SmallerInWords | None = None
    resting: str = ""

    def settle(self) -> "Heads":
        """What stays when work ends early."""
        if self.status not in ("measuring", "saving"):
            return self
        return replace(self, status=self.resting or "stopped", progress=None, resting="")

    def wait(self, progress: Progress, *, status: str = "measuring") -> "Heads":
        """The same, while something is done of which nothing is to be seen yet."""
        return replace(self.settle(), status=status, progress=progress, resting=self.settle().status)

    def build_message(self, others: Iterable[HeadImportance] = ()) -> str:
        """Builds the view's value; its moment makes it a new one, and tells the view which of two is the later.

        Args:
            others: Importances of other checkpoints; those of the same shape can be compared.
        """
        if self.study is None:
            progress = None if self.progress is None else vars(self.progress)
            head = {"version": VERSION, "moment": time.monotonic_ns(), "run": self.run}
            return dump_message(**head, status="empty", model=self.model, progress=progress)
        study = self.study
        shape = next(iter(study.importances.values())).values.shape
        compared = list_compared(study, others)
        return dump_message(
            version=VERSION,
            moment=time.monotonic_ns(),
            run=self.run,
            status=self.status,
            model=study.model,
            revision=study.revision,
            n_layers=shape[0],
            n_heads=shape[1],
            importances=[self._describe(*part) for part in compared],
            correlations=correlate({name_key(*part): part[1] for part in compared}),
            curves=[vars(curve) for curve in study.curves],
            layerwise=[vars(curve) for curve in study.layerwise],
            differences=[vars(difference) for difference in study.differences],
            metric=study.metric_name,
            data=study.data,
            data_sha256=study.data_sha256,
            n_examples=study.n_examples,
            n_seeds=study.n_seeds,
            progress=None if self.progress is None else vars(self.progress),
            notice=" ".join(filter(None, (self.notice, *_tell_cut(study)))),
            can_save=bool(self.key),
            smaller=None if self.smaller is None else vars(self.smaller),
        )

    def _describe(self, name: str, importance: HeadImportance, is_own: bool) -> dict[str, Any]:
        return {
            "key": name_key(name, importance, is_own),
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


@dataclass(frozen=True, eq=False)
class Shelf:
    """What a visitor sees in the tab, and what else was measured or opened before.

    Attributes:
        shown: What the tab shows.
        kept: Studies of other checkpoints, the newest first.
    """

    shown: Heads
    kept: tuple[Heads, ...] = ()

    def put(self, heads: Heads) -> "Shelf":
        """Shows something else; what is shown now stays on the shelf unless it is of the same checkpoint."""
        others = [other for other in (self.shown, *self.kept) if other.key != heads.key and other.study is not None]
        return Shelf(heads, tuple(others[:_MOST_KEPT]))

    def find(self, key: str) -> Heads | None:
        """Finds what was measured of a checkpoint."""
        return next((heads.settle() for heads in (self.shown, *self.kept) if heads.key == key), None)

    def list_others(self) -> list[HeadImportance]:
        """Lists the importances of other checkpoints: those measured or opened here, then the shipped ones."""
        studies = [heads.study for heads in self.kept if heads.key != self.shown.key]
        known = {study.model for study in studies if study is not None} | {self.shown.model}
        studies += [load_shipped(name) for name in EMBEDDED if name not in known]
        return [part for study in studies if study is not None for part in study.importances.values()]

    def build_message(self) -> str:
        """Builds the view's value, with the importances of other checkpoints for comparison."""
        return self.shown.build_message(self.list_others())


def _tell_cut(study: HeadStudy) -> Iterator[str]:
    """Says of which data how many texts were cut, if any."""
    ranking = max(study.importances.values(), key=lambda importance: importance.n_cut)
    for what, data in (("that rank the heads", ranking), ("of the curves", study)):
        if data.n_cut:
            yield f"Of the data {what}, {describe_cut(data.n_cut, data.n_examples)}"


@cache
def load_shipped(name: str) -> HeadStudy | None:
    """Loads the study that comes with an embedded checkpoint; None for any other name."""
    path = find_study(name)
    return load_study(path) if name in EMBEDDED and path.is_file() else None


def show_shipped(key: str, name: str) -> Heads:
    """What the tab shows of a checkpoint of which nothing was measured here."""
    study = load_shipped(name)
    return Heads(key, name) if study is None else Heads(key, name, study, "precomputed")


def list_compared(study: HeadStudy, others: Iterable[HeadImportance] = ()) -> list[tuple[str, HeadImportance, bool]]:
    """Lists the importances of a study, then others of the same shape: name, importance, whether it is the study's."""
    shape = next(iter(study.importances.values())).values.shape
    own = [(name, importance, True) for name, importance in study.importances.items()]
    return own + [(other.method, other, False) for other in others if other.values.shape == shape]


def name_key(name: str, importance: HeadImportance, is_own: bool) -> str:
    """Names an importance among those that `list_compared` lists."""
    return name if is_own else f"{importance.model} / {name}"


def correlate(importances: dict[str, HeadImportance]) -> list[tuple[str, str, float, float]]:
    """Correlates every two importances whose heads are all measured: both keys, Pearson's r and Spearman's ρ."""
    known = [name for name, importance in importances.items() if np.isfinite(importance.values).all()]
    found = []
    for one, other in combinations(known, 2):
        with suppress(UserError):  # the same for all heads
            compared = compare_importances(importances[one], importances[other])
            found.append((one, other, compared.pearson, compared.spearman))
    return found
