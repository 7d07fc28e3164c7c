"""Studies as files: JSON that `load_study` reads again, and CSV tables. Those that come with the program are in assets.

The JSON has ``rates`` and ``metric`` of the first curve at its top, as the authors' result files have one list.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from attattr_core.files.json_files import read_count, reading_json
from attattr_core.files.whole_files import write_whole
from attattr_core.heads.plan import RATES, count_pruned
from attattr_core.heads.results import (
    DIRECTIONS,
    LARGEST,
    METRICS,
    AreaDifference,
    HeadImportance,
    HeadStudy,
    PruningCurve,
)
from attattr_core.settings import Settings
from attattr_core.storage import clean_text, guard_cell

FORMAT, VERSION = "attattr-heads", 1
FOLDER = Path(__file__).resolve().parent.parent.parent / "assets" / "results"
_MAX_BYTES = 8 << 20  # ten times what every head of a large model takes; parsed, it may take fifty times as much
_MAX_HEADS = 1 << 20
_INTERVALS = ("wilson", "bootstrap", "seeds")
_ARRAYS = ("n_pruned", "metric", "low", "high")
_TEXTS = ("metric_name", "model", "revision", "data", "data_sha256")
_DIGITS = 6


def find_study(checkpoint: str) -> Path:
    """Where the study that comes with an embedded checkpoint lies."""
    return FOLDER / f"heads-{checkpoint}.json"


def dump_study(study: HeadStudy) -> str:
    """Writes a study as JSON; points of curves have six digits, importances all of theirs."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        **_write_first_curve(study),
        **{name: getattr(study, name) for name in (*_TEXTS, "n_examples", "n_cut", "n_seeds")},
        "importances": {name: _write_importance(importance) for name, importance in study.importances.items()},
        "curves": [_write_curve(curve) for curve in study.curves],
        "layerwise": [_write_curve(curve) for curve in study.layerwise],
        "differences": [_round(asdict(difference)) for difference in study.differences],
        "versions": study.versions,
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def save_study(study: HeadStudy, path: str | Path) -> None:
    """Saves a study as JSON.

    Raises:
        UserError: When the file cannot be written.
    """
    write_whole(path, dump_study(study))


def load_study(path: str | Path) -> HeadStudy:
    """Loads a file that `save_study` wrote; the file is not trusted.

    Raises:
        UserError: When the file is missing, too large, damaged, of a later version or something else.
    """
    complaint = "is not a study of heads by this program, or it is damaged: measure it again"
    with reading_json(path, max_bytes=_MAX_BYTES, complaint=complaint) as content:
        return parse_study(content)


def parse_study(content: Any) -> HeadStudy:
    """Reads a study from the content of its JSON; whatever does not fit raises some exception."""
    if content["format"] != FORMAT or content["version"] != VERSION:
        raise ValueError("another format")
    importances = {clean_text(name): _read_importance(part) for name, part in content["importances"].items()}
    shapes = {importance.values.shape for importance in importances.values()}
    ((n_layers, n_heads),) = shapes
    study = HeadStudy(
        importances=importances,
        curves=tuple(_read_curve(part, n_layers * n_heads) for part in content["curves"]),
        layerwise=tuple(_read_curve(part, n_heads) for part in content["layerwise"]),
        n_examples=read_count(content["n_examples"]),
        n_cut=read_count(content.get("n_cut", 0)),
        n_seeds=read_count(content["n_seeds"]),
        versions={clean_text(name): clean_text(value) for name, value in content["versions"].items()},
        differences=tuple(_read_difference(part) for part in content["differences"]),
        **{name: clean_text(content[name]) for name in _TEXTS},
    )
    if study.metric_name not in METRICS:
        raise ValueError("another metric")
    return study


def tabulate_curves(study: HeadStudy) -> str:
    """Writes all points of all curves as CSV, a row each."""
    header = "curve,method,direction,n_pruned,n_heads,rate,metric,low,high,interval"
    rows = [header.replace("metric", study.metric_name, 1)]
    for kind, curves in (("model", study.curves), ("layerwise", study.layerwise)):
        for curve in curves:
            start = f"{kind},{_quote(curve.method)},{curve.direction}"
            for index, n_pruned in enumerate(curve.n_pruned):
                numbers = (curve.rates[index], curve.metric[index], curve.low[index], curve.high[index])
                shown = ",".join(f"{number:.6g}" for number in numbers)
                rows.append(f"{start},{n_pruned},{curve.n_heads},{shown},{curve.interval}")
    return "\n".join(rows) + "\n"


def tabulate_areas(study: HeadStudy) -> str:
    """Writes the areas of all curves, then their differences, as CSV."""
    rows = ["curve,method,minus,direction,area,low,high"]
    for kind, curves in (("model", study.curves), ("layerwise", study.layerwise)):
        for curve in curves:
            numbers = f"{curve.area:.6g},{curve.area_low:.6g},{curve.area_high:.6g}"
            rows.append(f"{kind},{_quote(curve.method)},,{curve.direction},{numbers}")
    for gap in study.differences:
        kind, numbers = "layerwise" if gap.layerwise else "model", f"{gap.difference:.6g},{gap.low:.6g},{gap.high:.6g}"
        rows.append(f"{kind},{_quote(gap.method)},{_quote(gap.other)},{gap.direction},{numbers}")
    return "\n".join(rows) + "\n"


def tabulate_importances(importances: Mapping[str, HeadImportance]) -> str:
    """Writes importances of one shape as CSV: a row a head, a column a method; layers and heads count from 1."""
    rows = ["layer,head," + ",".join(_quote(name) for name in importances)]
    first = next(iter(importances.values()))
    for layer, head in np.ndindex(first.values.shape):
        values = ",".join(f"{importance.values[layer, head]:.9g}" for importance in importances.values())
        rows.append(f"{layer + 1},{head + 1},{values}")
    return "\n".join(rows) + "\n"


def _quote(text: str) -> str:
    """A cell of CSV; no spreadsheet takes it for a formula."""
    text = guard_cell(text)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n\r') else text


def _write_first_curve(study: HeadStudy) -> dict[str, Any]:
    if not study.curves:
        return {"rates": [], "metric": []}
    curve, shape = study.curves[0], next(iter(study.importances.values())).values.shape
    is_usual = np.array_equal(curve.n_pruned, count_pruned(RATES, shape))
    return {"rates": list(RATES) if is_usual else _round(curve.rates), "metric": _round(curve.metric)}


def _write_importance(importance: HeadImportance) -> dict[str, Any]:
    content = {field.name: getattr(importance, field.name) for field in fields(importance) if field.name != "values"}
    content["settings"] = importance.settings.as_dict() if importance.settings else None
    return {"head_importance": importance.values.tolist(), **content}


def _read_importance(content: Any) -> HeadImportance:
    values = np.asarray(content["head_importance"], np.float64)
    if values.ndim != 2 or not 0 < values.size <= _MAX_HEADS or not np.all(np.abs(values) < LARGEST):
        raise ValueError("not an importance")
    versions = content["versions"]
    return HeadImportance(
        values=values,
        n_examples=read_count(content["n_examples"]),
        n_cut=read_count(content.get("n_cut", 0)),
        seed=None if content["seed"] is None else read_count(content["seed"]),
        settings=None if content["settings"] is None else Settings(**content["settings"]),
        versions=None if versions is None else {clean_text(name): clean_text(versions[name]) for name in versions},
        **{name: clean_text(content[name]) for name in ("method", "model", "revision", "data", "data_sha256")},
    )


def _write_curve(curve: PruningCurve) -> dict[str, Any]:
    content = {field.name: getattr(curve, field.name) for field in fields(curve)}
    return {**_round(content), "n_pruned": curve.n_pruned.tolist()}


def _read_curve(content: Any, n_heads: int) -> PruningCurve:
    arrays = {name: np.asarray(content[name], float) for name in _ARRAYS}
    arrays["n_pruned"] = np.array([read_count(value) for value in content["n_pruned"]])
    areas = {name: float(content[name]) for name in ("area", "area_low", "area_high")}
    n_pruned = arrays["n_pruned"]
    fits = (
        len(n_pruned) > 0
        and all(array.shape == n_pruned.shape and np.isfinite(array).all() for array in arrays.values())
        and (np.diff(n_pruned) >= 0).all()
        and n_pruned[-1] <= n_heads == content["n_heads"]
        and np.isfinite(list(areas.values())).all()
        and content["direction"] in DIRECTIONS
        and content["interval"] in _INTERVALS
    )
    if not fits:
        raise ValueError("not a curve")
    return PruningCurve(
        method=clean_text(content["method"]),
        direction=content["direction"],
        n_heads=n_heads,
        interval=content["interval"],
        **arrays,
        **areas,
    )


def _read_difference(content: Any) -> AreaDifference:
    numbers = {name: float(content[name]) for name in ("difference", "low", "high")}
    if content["direction"] not in DIRECTIONS or type(content["layerwise"]) is not bool:
        raise ValueError("not a difference")
    if not np.isfinite(list(numbers.values())).all():
        raise ValueError("not a number")
    texts = {name: clean_text(content[name]) for name in ("method", "other", "direction")}
    return AreaDifference(**texts, layerwise=content["layerwise"], **numbers)


def _round(value: Any) -> Any:
    """Rounds all floating-point numbers, at any depth, and turns arrays into lists."""
    if isinstance(value, dict):
        return {name: _round(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return [_round(part) for part in value.tolist()]
    return round(value, _DIGITS) + 0.0 if isinstance(value, float) else value  # no -0.0
