"""What triggers do, as a file: the list of triggers, each with one accuracy per label name, controls and intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from attattr_core.errors import UserError
from attattr_core.files.json_files import read_count
from attattr_core.files.whole_files import write_whole
from attattr_core.storage import clean_text
from attattr_core.triggers.entries import AUTHORS_KEYS, hide_text, read_trigger, write_trigger
from attattr_core.triggers.files import complain, dump_entries, read_entries, write_provenance
from attattr_core.triggers.results import (
    ClassAccuracy,
    Control,
    Flip,
    Insertion,
    Skipped,
    TriggerResult,
    TriggerSet,
    TriggerStudy,
)

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "results"
_OWN_KEYS = ("insertions", "accuracy", "success", "change", "n_flips", "choosing", "confirmed", "controls", "flips")
_RESERVED = {*AUTHORS_KEYS, *_OWN_KEYS, "layer", "head", "provenance", "study"}
_CONTROL_SHARES = ("accuracy", "success", "confirmed_accuracy", "confirmed_success")
_STUDY_TEXTS = ("model", "revision", "source_model", "data", "data_sha256")


def save_study(
    study: TriggerStudy, path: str | Path, *, triggers: TriggerSet | None = None, with_texts: bool = True
) -> None:
    """Saves a study as a JSON list, which `load_study` and `attattr_core.triggers.files.load_triggers` read.

    Args:
        study: What to save.
        path: The file.
        triggers: Where its triggers come from.
        with_texts: Keep tokens of mined and of flipped examples; without them only trigger tokens and figures stay.
    """
    write_whole(path, dump_study(study, triggers=triggers, with_texts=with_texts))


def dump_study(study: TriggerStudy, *, triggers: TriggerSet | None = None, with_texts: bool = True) -> str:
    """Writes a study as a JSON list, as `save_study` does."""
    entries = [_write_result(result, study.labels, with_texts) for result in study.results]
    entries = entries or [{}]
    if triggers is not None:
        entries[0]["provenance"] = write_provenance(triggers)
    entries[0]["study"] = {
        **{name: getattr(study, name) for name in (*_STUDY_TEXTS, "n_examples", "versions")},
        "labels": list(study.labels),
        "n_by_class": study.n_by_class.tolist(),
        "before": _write_shares(study.before),
        "best": [list(numbers) for numbers in study.best],
        **_write_confirming(study),
    }
    return dump_entries(entries)


def load_study(path: str | Path) -> TriggerStudy:
    """Loads a study that `save_study` wrote; the file is not trusted.

    Raises:
        UserError: When the file is missing, too large, damaged or something else.
    """
    path = Path(path)
    entries = read_entries(path)
    if not any("study" in entry for entry in entries):
        raise UserError(f"{path.name!r} holds triggers that were not evaluated here: evaluate them first.")
    try:
        return _assemble(entries)
    except Exception as error:  # whatever wrong types of a damaged file raise
        raise complain(path) from error


def find_studies(checkpoint: str) -> dict[str, Path]:
    """Finds the studies that come with an embedded checkpoint, by the way of mining."""
    paths = {"paper": FOLDER / f"triggers-{checkpoint}.json", "pooled": FOLDER / f"triggers-{checkpoint}-pooled.json"}
    return {mode: path for mode, path in paths.items() if path.is_file()}


def _write_confirming(study: TriggerStudy) -> dict[str, Any]:
    content: dict[str, Any] = {"skipped": [asdict(one) for one in study.skipped]} if study.skipped else {}
    if study.n_confirming is not None and study.confirmed_before is not None:
        before = _write_shares(study.confirmed_before)
        content["confirming"] = {"n_by_class": study.n_confirming.tolist(), "before": before}
    return content


def _write_result(result: TriggerResult, labels: Sequence[str], with_texts: bool) -> dict[str, Any]:
    trigger = result.trigger if with_texts or result.trigger is None else hide_text(result.trigger)
    accuracies = {
        label: None if np.isnan(value) else float(value)
        for label, value in zip(labels, result.after.accuracy, strict=True)
        if label not in _RESERVED
    }
    entry = {
        **({} if trigger is None else write_trigger(trigger)),
        **accuracies,
        "insertions": _write_insertions(result.insertions),
        "accuracy": _write_shares(result.after),
        "success": _write_shares(result.success),
        "change": _round(result.change),
        "n_flips": result.n_flips.tolist(),
        **_write_halves(result),
        "controls": [_write_control(control) for control in result.controls],
    }
    return {**entry, "flips": [asdict(flip) for flip in result.flips]} if with_texts else entry


def _write_halves(result: TriggerResult) -> dict[str, Any]:
    if result.choosing_accuracy is None or result.confirmed_after is None or result.confirmed_success is None:
        return {}
    parts = {"accuracy": _write_shares(result.confirmed_after), "success": _write_shares(result.confirmed_success)}
    return {"choosing": _round(result.choosing_accuracy), "confirmed": parts}


def _write_control(control: Control) -> dict[str, Any]:
    content = {
        "kind": control.kind,
        "insertions": [_write_insertions(insertions) for insertions in control.insertions],
        **{name: _round(getattr(control, name)) for name in _CONTROL_SHARES[:2]},
    }
    if control.confirmed_success is None:
        return content
    return {**content, **{name: _round(getattr(control, name)) for name in _CONTROL_SHARES[2:]}}


def _assemble(entries: list[dict[str, Any]]) -> TriggerStudy:
    content = next(entry["study"] for entry in entries if "study" in entry)
    labels = tuple(clean_text(label) for label in content["labels"])
    n_by_class = np.array([read_count(value) for value in content["n_by_class"]], np.int64)
    results = tuple(_read_result(entry, len(labels)) for entry in entries if "accuracy" in entry)
    best = tuple(tuple(read_count(number) for number in numbers) for numbers in content["best"])
    is_whole = all(number < len(results) for numbers in best for number in numbers) and len(best) == len(labels)
    if not is_whole or n_by_class.shape != (len(labels),) or len(labels) < 2:
        raise ValueError("the parts do not fit each other")
    return TriggerStudy(
        results=results,
        before=_read_shares(content["before"], len(labels)),
        n_by_class=n_by_class,
        best=best,
        labels=labels,
        **{name: clean_text(content[name]) for name in _STUDY_TEXTS},
        n_examples=read_count(content["n_examples"]),
        versions={clean_text(name): clean_text(value) for name, value in content["versions"].items()},
        **_read_confirming(content, len(labels)),
        skipped=tuple(_read_skipped(one) for one in content.get("skipped", ())),
    )


def _read_confirming(content: Mapping[str, Any], n_labels: int) -> dict[str, Any]:
    if "confirming" not in content:
        return {}
    part = content["confirming"]
    counts = np.array([read_count(value) for value in part["n_by_class"]], np.int64)
    if counts.shape != (n_labels,):
        raise ValueError("another number of classes")
    return {"n_confirming": counts, "confirmed_before": _read_shares(part["before"], n_labels)}


def _read_skipped(content: Mapping[str, Any]) -> Skipped:
    return Skipped(tuple(clean_text(token) for token in content["tokens"]), clean_text(content["reason"]))


def _read_result(entry: Mapping[str, Any], n_labels: int) -> TriggerResult:
    n_flips = np.array([read_count(value) for value in entry["n_flips"]], np.int64)
    if n_flips.shape != (n_labels,):
        raise ValueError("another number of classes")
    return TriggerResult(
        trigger=read_trigger(entry) if "tokens" in entry else None,
        insertions=_read_insertions(entry["insertions"]),
        after=_read_shares(entry["accuracy"], n_labels),
        success=_read_shares(entry["success"], n_labels),
        change=_read_numbers(entry["change"], (n_labels,), least=-1),
        controls=tuple(_read_control(control, n_labels) for control in entry["controls"]),
        flips=tuple(_read_flip(flip, n_labels) for flip in entry.get("flips", ())),
        n_flips=n_flips,
        **_read_halves(entry, n_labels),
    )


def _read_halves(entry: Mapping[str, Any], n_labels: int) -> dict[str, Any]:
    if "confirmed" not in entry:
        return {}
    return {
        "choosing_accuracy": _read_numbers(entry["choosing"], (n_labels,)),
        "confirmed_after": _read_shares(entry["confirmed"]["accuracy"], n_labels),
        "confirmed_success": _read_shares(entry["confirmed"]["success"], n_labels),
    }


def _read_control(content: Mapping[str, Any], n_labels: int) -> Control:
    insertions = tuple(_read_insertions(part) for part in content["insertions"])
    shape = (len(insertions), n_labels)
    if content["kind"] not in ("random", "shuffled") or not insertions:
        raise ValueError("another control")
    shares = {name: _read_numbers(content[name], shape) for name in _CONTROL_SHARES if name in content}
    return Control(content["kind"], insertions, **shares)


def _read_flip(content: Mapping[str, Any], n_labels: int) -> Flip:
    tokens = tuple(clean_text(token) for token in content["tokens"])
    inserted = tuple(read_count(position) for position in content["inserted"])
    before, after = read_count(content["before"]), read_count(content["after"])
    probabilities = _read_numbers([content["probability_before"], content["probability_after"]], (2,)).tolist()
    if max(before, after) >= n_labels or any(position >= len(tokens) for position in inserted):
        raise ValueError("out of range")
    return Flip(read_count(content["index"]), tokens, inserted, before, after, *probabilities)


def _write_insertions(insertions: Sequence[Insertion]) -> list[list[Any]]:
    return [[one.token, one.sentence, round(one.place, 6)] for one in insertions]


def _read_insertions(content: Any) -> tuple[Insertion, ...]:
    read = tuple(Insertion(clean_text(token), read_count(number), float(at)) for token, number, at in content)
    if not all(one.sentence in (0, 1) and 0 <= one.place <= 1 for one in read):
        raise ValueError("a place that is none")
    return read


def _write_shares(shares: ClassAccuracy) -> dict[str, Any]:
    return {"value": _round(shares.accuracy), "low": _round(shares.low), "high": _round(shares.high)}


def _read_shares(content: Mapping[str, Any], n_labels: int) -> ClassAccuracy:
    return ClassAccuracy(*(_read_numbers(content[name], (n_labels,)) for name in ("value", "low", "high")))


def _round(values: np.ndarray) -> Any:
    """Nested lists with six digits after the point; NaN becomes null."""
    if values.ndim > 1:
        return [_round(row) for row in values]
    return [None if np.isnan(value) else round(float(value), 6) + 0.0 for value in values]  # no -0.0


def _read_numbers(content: Any, shape: tuple[int, ...], *, least: float = 0) -> np.ndarray:
    values = np.asarray(content, np.float64)  # null becomes NaN
    if values.shape != shape or not (np.isnan(values) | ((values >= least) & (values <= 1))).all():
        raise ValueError("another shape, or not a share")
    return values
