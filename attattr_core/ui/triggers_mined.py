"""Triggers of one way of mining with all that is known of them, as a visitor's tab keeps them."""

from dataclasses import dataclass, field, replace
from typing import Any

from attattr_core.triggers.patterns import choose_insertions
from attattr_core.triggers.results import Insertion, Trigger, TriggerResult, TriggerSet, TriggerStudy
from attattr_core.triggers.words import carries_label, mark_loaded


@dataclass(frozen=True, eq=False)
class Mined:
    """Triggers of one way of mining, and what they do.

    Attributes:
        triggers: The patterns.
        insertions: What each puts into a text.
        loaded: For each, which of its tokens carry a label themselves.
        study: What they do to the checkpoint that they were mined on, or None before that was measured.
        transfer: What they do to a second checkpoint.
        source: The visitor's choice of the data that the study is about, the class names that they were read by, and
            whether mined examples were left out; None where they are not at hand.
        origin: ``"precomputed"``, ``"opened"`` or ``"live"``.
        file: Name of the file that was opened, or "".
        n_wanted: Examples that were to be mined, where fewer are so far; else 0.
        notices: What there is to know about the data, of ``"mining"``, ``"study"`` and ``"transfer"``.
    """

    triggers: TriggerSet
    insertions: tuple[tuple[Insertion, ...], ...]
    loaded: tuple[tuple[bool, ...], ...]
    study: TriggerStudy | None = None
    transfer: TriggerStudy | None = None
    source: Any = None
    origin: str = "live"
    file: str = ""
    n_wanted: int = 0
    notices: dict[str, str] = field(default_factory=dict)


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


def _mark(trigger: Trigger, insertions: tuple[Insertion, ...]) -> tuple[bool, ...]:
    """Which tokens carry a label themselves, as pieces of words where the pattern's example tells the word."""
    for use_all in (False, True):
        marks = mark_loaded(trigger, use_all=use_all)
        if len(marks) == len(insertions):
            return marks
    return tuple(carries_label(insertion.token) for insertion in insertions)
