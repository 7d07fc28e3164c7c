"""What the browser gets to draw triggers and what they do."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from attattr_core.triggers.pieces import strip_marks
from attattr_core.triggers.results import Insertion, TriggerResult, TriggerStudy
from attattr_core.triggers.tables import describe_skipped, find_verdict
from attattr_core.ui.triggers_mined import Mined, find_results

VERSION = 1
MAX_FLIPS = 12  # of each trigger; the figures count all
FEW = 20  # confirming examples of a class, right before; a verdict on fewer says so
_DIGITS = 6


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Attributes:
        what: In words, such as ``"mining"``.
        unit: What is counted.
        n_done: How many are done.
        n_total: How many there will be.
        seconds_left: As it seems, or None while that is not known.
    """

    what: str
    unit: str
    n_done: int
    n_total: int
    seconds_left: float | None


@dataclass(frozen=True, eq=False)
class Shown:
    """What a visitor's tab shows.

    Attributes:
        run: What names the piece of work that it came from.
        status: ``"idle"``, ``"running"``, ``"stopped"`` or ``"done"``.
        mined: By way of mining.
        mode: Which of them the work was about.
        progress: Of the work, or None where there was none.
        has_shipped: Whether a result comes with the checkpoint, to go back to.
    """

    run: str
    status: str
    mined: dict[str, Mined] = field(default_factory=dict)
    mode: str = "paper"
    progress: Progress | None = None
    has_shipped: bool = False

    def build_message(self) -> str:
        """Builds the value of the triggers view; its moment tells the view which of two is the later."""
        return dump(
            version=VERSION,
            moment=time.monotonic_ns(),
            run=self.run,
            status=self.status,
            has_shipped=self.has_shipped,
            mode=self.mode,
            progress=None if self.progress is None else vars(self.progress),
            mined={mode: _describe(mined) for mode, mined in self.mined.items()},
        )

    def stop(self) -> "Shown":
        """What stays when the work is stopped."""
        return replace(self, status="stopped") if self.status == "running" else self

    def find(self, mode: str) -> Mined | None:
        """Finds the triggers of a way of mining, or of the first one."""
        return self.mined.get(mode) or next(iter(self.mined.values()), None)


def list_places(insertions: Sequence[Insertion]) -> list[Insertion]:
    """Sorts insertions by where they go."""
    return sorted(insertions, key=lambda insertion: (insertion.sentence, insertion.place))


def dump(**content: Any) -> str:
    """Writes a message: no markup, not even inert, and null for what is no number."""
    return json.dumps(_plain(content), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _describe(mined: Mined) -> dict[str, Any]:
    triggers = mined.triggers
    found = [find_results(triggers, study) for study in (mined.study, mined.transfer)]
    return {
        "model": triggers.model,
        "revision": triggers.revision,
        "labels": triggers.labels or (mined.study.labels if mined.study else ()),
        "origin": mined.origin,
        "file": mined.file,
        "data": triggers.data,
        "n": triggers.n_examples,
        "n_wanted": mined.n_wanted,
        "pair": any(insertion.sentence for insertions in mined.insertions for insertion in insertions),
        "study": _describe_study(mined.study, found[0]),
        "transfer": _describe_study(mined.transfer, found[1]),
        "notices": _list_notices(mined),
        "rows": [
            {
                "tokens": [
                    {
                        "token": part.token,
                        "word": strip_marks(part.token),
                        "sentence": part.sentence,
                        "place": part.place,
                        "loaded": loads,
                    }
                    for part, loads in zip(insertions, loaded, strict=True)
                ],
                "strength": trigger.strength,
                "label": trigger.target_label,
                "layer": trigger.layer,
                "head": trigger.head,
                "study": _describe_result(found[0][k], mined.study),
                "transfer": _describe_result(found[1][k], mined.transfer),
            }
            for k, (trigger, insertions, loaded) in enumerate(
                zip(triggers.triggers, mined.insertions, mined.loaded, strict=True)
            )
        ],
    }


def _describe_study(study: TriggerStudy | None, found: list[TriggerResult | None]) -> dict[str, Any] | None:
    if study is None:
        return None
    rows = {id(result): row for row, result in enumerate(found) if result is not None}
    best = [[rows.get(id(study.results[k])) for k in group] for group in study.best]
    return {
        "model": study.model,
        "revision": study.revision,
        "data": study.data,
        "n": study.n_examples,
        "n_results": len(study.results),
        "labels": study.labels,
        "n_by_class": study.n_by_class,
        "before": vars(study.before),
        "n_confirming": study.n_confirming,
        "confirmed_before": None if study.confirmed_before is None else vars(study.confirmed_before),
        "best": [[row for row in group if row is not None] for group in best],
        "few": _find_few(study),
    }


def _find_few(study: TriggerStudy) -> list[bool]:
    """Of which classes only few confirming examples were right before."""
    if study.n_confirming is None or study.confirmed_before is None:
        return [False] * len(study.labels)
    right = np.rint(np.nan_to_num(study.confirmed_before.accuracy) * study.n_confirming)
    return (right < FEW).tolist()


def _list_notices(mined: Mined) -> list[str]:
    """What there is to know: of the data, and of triggers that could not be inserted."""
    notices = list(mined.notices.values())
    notices += [describe_skipped(study) for study in (mined.study, mined.transfer) if study is not None]
    return list(dict.fromkeys(filter(None, notices)))


def _describe_result(result: TriggerResult | None, study: TriggerStudy | None) -> dict[str, Any] | None:
    if result is None or study is None:
        return None
    right = np.rint(np.nan_to_num(study.before.accuracy) * study.n_by_class)  # examples that were right before
    controls = {control.kind: control for control in result.controls}
    return {
        "after": vars(result.after),
        "success": vars(result.success),
        "confirmed_after": None if result.confirmed_after is None else vars(result.confirmed_after),
        "confirmed_success": None if result.confirmed_success is None else vars(result.confirmed_success),
        "change": result.change,
        "n_flips": result.n_flips,
        "whole": _pool(result.success.accuracy, right),
        "controls": {
            kind: {
                "accuracy": control.accuracy,
                "success": control.success,
                "confirmed_accuracy": control.confirmed_accuracy,
                "confirmed_success": control.confirmed_success,
                "whole": [_pool(row, right) for row in control.success],
                "tokens": [[part.token for part in list_places(draw)] for draw in control.insertions[:1]],
            }
            for kind, control in controls.items()
        },
        "verdicts": [find_verdict(result, label) for label in range(len(study.labels))],
        "flips": [vars(flip) for flip in result.flips[:MAX_FLIPS]],
    }


def _pool(shares: np.ndarray, weights: np.ndarray) -> float:
    """A mean over classes, weighted by their examples; NaN where there are none."""
    total = weights.sum()
    return float((np.nan_to_num(shares) * weights).sum() / total) if total else math.nan


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else None
    return value
