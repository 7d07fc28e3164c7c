"""What the browser gets to draw triggers and what they do, and what a visitor's tab keeps."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from attattr_core.triggers.patterns import choose_insertions
from attattr_core.triggers.pieces import strip_marks
from attattr_core.triggers.results import Insertion, Trigger, TriggerResult, TriggerSet, TriggerStudy
from attattr_core.triggers.words import carries_label, mark_loaded

VERSION = 1
MAX_FLIPS = 12  # of each trigger; the figures count all
_DIGITS = 6


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Attributes:
        what: In words, such as ``"mining"``.
        unit: What is counted.
        n_done: How many are done.
        n_total: How many there will be.
        seconds: Time taken so far.
    """

    what: str
    unit: str
    n_done: int
    n_total: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Mined:
    """Triggers of one way of mining, and what they do.

    Attributes:
        triggers: The patterns.
        insertions: What each puts into a text.
        loaded: For each, which of its tokens carry a label themselves.
        study: What they do to the checkpoint that they were mined on, or None before that was measured.
        transfer: What they do to a second checkpoint.
        source: The visitor's choice of the data that the study is about, and whether mined examples were left out;
            None where they are not at hand.
        origin: ``"precomputed"``, ``"opened"`` or ``"live"``.
        file: Name of the file that was opened, or "".
    """

    triggers: TriggerSet
    insertions: tuple[tuple[Insertion, ...], ...]
    loaded: tuple[tuple[bool, ...], ...]
    study: TriggerStudy | None = None
    transfer: TriggerStudy | None = None
    source: Any = None
    origin: str = "live"
    file: str = ""


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
        """Builds the value of the triggers view."""
        return dump(
            version=VERSION,
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


def gather(triggers: TriggerSet, study: TriggerStudy | None = None, *, origin: str = "live", file: str = "") -> Mined:
    """Finds what triggers put into a text, as it is measured or as it would be.

    Args:
        triggers: The patterns.
        study: What they do, where it was measured.
        origin: Where they come from, as in `Mined`.
        file: Name of the file that was opened.
    """
    found = find_results(triggers, study)
    insertions = tuple(
        choose_insertions(trigger) if result is None else result.insertions
        for trigger, result in zip(triggers.triggers, found, strict=True)
    )
    loaded = tuple(_mark(trigger, parts) for trigger, parts in zip(triggers.triggers, insertions, strict=True))
    return Mined(triggers, insertions, loaded, study, origin=origin, file=file)


def judge(result: TriggerResult) -> list[str]:
    """Says for each gold class whether a trigger beats random tokens at the same places.

    Returns:
        ``"beats"`` where its success lies above that of every random draw, and the lower end of its 95 % interval above
        their mean; ``"unclear"`` where only the first holds; ``"no"`` otherwise; ``""`` where nothing was right before
        or there is no control.
    """
    control = next((control.success for control in result.controls if control.kind == "random"), None)
    if control is None:
        return ["" for _ in result.success.accuracy]
    return [
        _judge_class(*values)
        for values in zip(result.success.accuracy.tolist(), result.success.low.tolist(), control.T, strict=True)
    ]


def list_places(insertions: Sequence[Insertion]) -> list[Insertion]:
    """Sorts insertions by where they go."""
    return sorted(insertions, key=lambda insertion: (insertion.sentence, insertion.place))


def dump(**content: Any) -> str:
    """Writes a message: no markup, not even inert, and null for what is no number."""
    return json.dumps(_plain(content), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _mark(trigger: Trigger, insertions: tuple[Insertion, ...]) -> tuple[bool, ...]:
    """Which tokens carry a label themselves, as pieces of words where the pattern's example tells the word."""
    for use_all in (False, True):
        marks = mark_loaded(trigger, use_all=use_all)
        if len(marks) == len(insertions):
            return marks
    return tuple(carries_label(insertion.token) for insertion in insertions)


def _judge_class(success: float, low: float, control: np.ndarray) -> str:
    drawn = control[np.isfinite(control)]
    if not len(drawn) or not math.isfinite(success):
        return ""
    if success <= drawn.max():
        return "no"
    return "beats" if low > drawn.mean() else "unclear"


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
        "pair": any(insertion.sentence for insertions in mined.insertions for insertion in insertions),
        "study": _describe_study(mined.study, found[0]),
        "transfer": _describe_study(mined.transfer, found[1]),
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


def find_results(triggers: TriggerSet, study: TriggerStudy | None) -> list[TriggerResult | None]:
    """Finds the result of each trigger, or None.

    Each result is used once, since two examples may give equal triggers; on a second checkpoint the same classes may
    have other numbers.
    """
    waiting: dict[Trigger, list[TriggerResult]] = {}
    for result in reversed(study.results if study else ()):
        if result.trigger is not None:
            waiting.setdefault(_drop_labels(result.trigger), []).append(result)
    left = [waiting.get(_drop_labels(trigger)) for trigger in triggers.triggers]
    return [results.pop() if results else None for results in left]


def _drop_labels(trigger: Trigger) -> Trigger:
    return replace(trigger, target_label=0, golden_label=0)


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
        "best": [[row for row in group if row is not None] for group in best],
    }


def _describe_result(result: TriggerResult | None, study: TriggerStudy | None) -> dict[str, Any] | None:
    if result is None or study is None:
        return None
    right = np.rint(np.nan_to_num(study.before.accuracy) * study.n_by_class)  # examples that were right before
    controls = {control.kind: control for control in result.controls}
    return {
        "after": vars(result.after),
        "success": vars(result.success),
        "change": result.change,
        "n_flips": result.n_flips,
        "whole": _pool(result.success.accuracy, right),
        "controls": {
            kind: {
                "accuracy": control.accuracy,
                "success": control.success,
                "whole": [_pool(row, right) for row in control.success],
                "tokens": [[part.token for part in list_places(draw)] for draw in control.insertions[:1]],
            }
            for kind, control in controls.items()
        },
        "verdicts": judge(result),
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
