"""What triggers do, as a table and in sentences; no torch."""

import csv
import io
from collections.abc import Sequence
from typing import Literal

import numpy as np

from attattr_core.storage import guard_cell
from attattr_core.triggers.results import (
    ClassAccuracy,
    Control,
    Insertion,
    Trigger,
    TriggerResult,
    TriggerSet,
    TriggerStudy,
)

_MAX_REASONS = 3  # that are told

Verdict = Literal["more than chance", "no more than chance"]


def name_insertions(insertions: Sequence[Insertion]) -> str:
    """Names what is inserted, such as ``"she + never"``."""
    return " + ".join(insertion.token for insertion in insertions)


def find_control(result: TriggerResult, kind: str) -> Control | None:
    """Finds the control of one kind; None where it was not measured."""
    return next((control for control in result.controls if control.kind == kind), None)


def find_verdict(result: TriggerResult, label: int) -> Verdict | None:
    """Judges what a trigger does to a class beside as many random tokens at the same places.

    Args:
        result: What the trigger does.
        label: The gold class.

    Returns:
        ``"more than chance"`` where on the confirming half the lower end of the success rate's 95 % Wilson interval is
        above the highest rate of the random draws; None where the class was not split, none of its confirming examples
        was right before, or there is no random control.
    """
    control = find_control(result, "random")
    if result.confirmed_success is None or control is None or control.confirmed_success is None:
        return None
    low, highest = result.confirmed_success.low[label], control.confirmed_success[:, label].max()
    if np.isnan(low) or np.isnan(highest):
        return None
    return "more than chance" if low > highest else "no more than chance"


def dump_csv(*studies: TriggerStudy) -> str:
    """Writes studies as one table: a row for each trigger and gold class of each checkpoint."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    shares = [name for kind in ("accuracy", "success") for name in (kind, f"{kind}_low", f"{kind}_high")]
    controls = [f"{kind}_{name}" for kind in ("random", "shuffled") for name in ("mean", "min", "max", "success")]
    start = ("model", "data", "trigger", "tokens", "places", "strength", "mined_class", "gold_class", "n")
    confirmed = ["rank", "n_confirming", *(f"confirmed_{name}" for name in ("before", *shares))]
    chance = [f"confirmed_random_success_{name}" for name in ("mean", "min", "max")]
    writer.writerow(
        [*start, "accuracy_before", *shares, "mean_change", "n_flips", *controls, *confirmed, *chance, "verdict"]
    )
    for study in studies:
        for number, result in enumerate(study.results):
            for label, name in enumerate(study.labels):
                best = study.best[label]
                rank = str(best.index(number) + 1) if number in best else ""
                row = [str(number + 1), *_describe(result.trigger, result.insertions, study.labels), guard_cell(name)]
                row += [*_measure(result, study, label), rank, *_confirm(result, study, label)]
                writer.writerow([guard_cell(study.model), guard_cell(study.data), *row])
    return file.getvalue()


def dump_list(triggers: TriggerSet, insertions: Sequence[Sequence[Insertion]]) -> str:
    """Writes triggers alone as one table, a row for each: what goes where.

    Args:
        triggers: The triggers.
        insertions: What each puts into a text.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("model", "data", "trigger", "tokens", "places", "strength", "mined_class"))
    start = [guard_cell(triggers.model), guard_cell(triggers.data)]
    for number, (trigger, parts) in enumerate(zip(triggers.triggers, insertions, strict=True)):
        writer.writerow([*start, str(number + 1), *_describe(trigger, parts, triggers.labels)])
    return file.getvalue()


def describe_best(study: TriggerStudy) -> list[str]:
    """Says a line a class, and one for each of its best triggers, what they do beside random tokens."""
    lines = []
    for label, numbers in enumerate(study.best):
        if not study.n_by_class[label]:
            lines.append(f"{study.labels[label]}: no examples")
            continue
        before = f"{study.labels[label]}: {study.before.accuracy[label]:.1%} of {study.n_by_class[label]} right before"
        half = "" if study.confirmed_before is None else " on the half that chooses"
        lines.append(before + (", with the best triggers:" if numbers else f"; no trigger lowers it{half}"))
        lines += [f"  {_describe_result(study.results[number], study, label)}" for number in numbers]
    return lines


def describe_skipped(study: TriggerStudy) -> str:
    """Says which triggers could not be inserted, and of the first ones why; "" where there is none."""
    if not study.skipped:
        return ""
    were = "trigger was" if len(study.skipped) == 1 else "triggers were"
    reasons = "; ".join(f"{' + '.join(one.tokens)}: {one.reason}" for one in study.skipped[:_MAX_REASONS])
    more = " …" if len(study.skipped) > _MAX_REASONS else ""
    return f"{len(study.skipped)} {were} skipped on {study.model}: {reasons}{more}"


def _describe(trigger: Trigger | None, insertions: Sequence[Insertion], labels: Sequence[str]) -> list[str]:
    places = " ".join(f"{'AB'[one.sentence]}:{one.place:.3f}" for one in insertions)
    is_known = trigger is not None and trigger.target_label < len(labels)
    mined = labels[trigger.target_label] if is_known else ""
    strength = "" if trigger is None else f"{trigger.strength:.6g}"
    return [guard_cell(name_insertions(insertions)), places, strength, guard_cell(mined)]


def _measure(result: TriggerResult, study: TriggerStudy, label: int) -> list[str]:
    shares = [
        getattr(part, name)[label] for part in (result.after, result.success) for name in ("accuracy", "low", "high")
    ]
    values = [study.before.accuracy[label], *shares, result.change[label]]
    row = [str(study.n_by_class[label]), *map(_write, values), str(result.n_flips[label])]
    for kind in ("random", "shuffled"):
        control = find_control(result, kind)
        column = None if control is None else control.accuracy[:, label]
        row += (
            [""] * 4
            if column is None
            else [*map(_write, (column.mean(), column.min(), column.max(), control.success[:, label].mean()))]
        )
    return row


def _confirm(result: TriggerResult, study: TriggerStudy, label: int) -> list[str]:
    """The cells that say what was measured on the confirming half; all are empty in a study without one."""
    control = find_control(result, "random")
    shares = [
        np.nan if part is None else getattr(part, name)[label]
        for part in (result.confirmed_after, result.confirmed_success)
        for name in ("accuracy", "low", "high")
    ]
    before = np.nan if study.confirmed_before is None else study.confirmed_before.accuracy[label]
    has_draws = control is not None and control.confirmed_success is not None
    draws = control.confirmed_success[:, label] if has_draws else np.array([np.nan])
    values = [before, *shares, draws.mean(), draws.min(), draws.max()]
    n_confirming = "" if study.n_confirming is None else str(study.n_confirming[label])
    return [n_confirming, *map(_write, values), find_verdict(result, label) or ""]


def _describe_result(result: TriggerResult, study: TriggerStudy, label: int) -> str:
    sentence = f"“{name_insertions(result.insertions)}” {_describe_share(result.after, label)}"
    control = find_control(result, "random")
    if control is not None:
        sentence += f", random tokens {_describe_draws(control.accuracy[:, label])}"
    if result.confirmed_success is None:
        return sentence
    success = _describe_share(result.confirmed_success, label)
    n_confirming = 0 if study.n_confirming is None else study.n_confirming[label]
    sentence += f"; success on the {n_confirming} confirming examples {success}"
    if control is not None and control.confirmed_success is not None:
        sentence += f", random tokens {_describe_draws(control.confirmed_success[:, label])}"
    return sentence + f": {find_verdict(result, label) or 'no verdict'}"


def _describe_share(share: ClassAccuracy, label: int) -> str:
    value, low, high = (getattr(share, name)[label] for name in ("accuracy", "low", "high"))
    return "n.a." if np.isnan(value) else f"{value:.1%} ({low:.1%} to {high:.1%})"


def _describe_draws(values: np.ndarray) -> str:
    is_known = not np.isnan(values).any()
    return f"{values.mean():.1%} ({values.min():.1%} to {values.max():.1%})" if is_known else "n.a."


def _write(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"
