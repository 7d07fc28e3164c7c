"""Files of what the tab of heads shows: pictures, tables, and the study itself."""

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.heads.comparison import compare_importances
from attattr_core.heads.names import METHOD_NAMES
from attattr_core.heads.results import HeadImportance, HeadStudy
from attattr_core.heads.study_files import dump_study, tabulate_areas, tabulate_curves, tabulate_importances
from attattr_core.ui.components import pack_download, warn
from attattr_core.ui.heads_payload import Shelf, list_compared, name_key
from attattr_core.view import FORMATS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TYPES = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "json": "application/json",
    "csv": "text/csv",
}
_PICTURES = ("grids", "curves", "layerwise", "areas", "scatter")


def export_heads(shelf: Shelf, event: gr.EventData) -> tuple[Any, Any]:
    """Answers the view's ``export_heads`` event: values for the downloader and the status."""
    asked = event._data if isinstance(event._data, dict) else {}
    try:
        study = shelf.shown.study
        if study is None or asked.get("run") != shelf.shown.run:
            raise UserError("The study shown is no longer on the server: measure again, then export.")
        picture, file_format = str(asked.get("picture")), str(asked.get("format"))
        if file_format not in _TYPES or picture not in _PICTURES:
            raise UserError(f"Unknown file format {file_format[:80]!r}: choose one of {', '.join(_TYPES)}.")
        view = asked.get("view") if isinstance(asked.get("view"), dict) else {}
        content = _write(shelf, picture, file_format, view)
        parts = ["attattr", re.sub(r"[^\w.-]+", "-", study.model)[:80], "heads", picture]
        return pack_download("-".join(filter(None, parts)) + f".{file_format}", content, _TYPES[file_format]), ""
    except UserError as error:
        return gr.skip(), warn(str(error))


def _write(shelf: Shelf, picture: str, file_format: str, view: dict[str, Any]) -> bytes:
    study = shelf.shown.study
    if picture == "scatter":
        return _write_comparison(_find_pair(shelf, view.get("pair")), file_format)
    if file_format in FORMATS:
        from attattr_core.pictures import render

        return render(_draw(study, picture, view.get("hidden")), file_format)
    if file_format == "json":
        return dump_study(study).encode()
    if picture == "grids":
        return tabulate_importances(study.importances).encode()
    return (tabulate_areas(study) if picture == "areas" else tabulate_curves(study)).encode()


def _draw(study: HeadStudy, picture: str, hidden: Any) -> "Figure":
    from attattr_core.heads.pictures import draw_curves, draw_importances

    if picture == "grids":
        return draw_importances(study.importances)
    if picture == "areas":
        raise UserError("The areas come as a table: choose CSV or JSON, or the picture of the curves.")
    names = [name for name in hidden if isinstance(name, str)] if isinstance(hidden, list) else []
    curves, layerwise = (
        tuple(curve for curve in part if curve.method not in names) for part in (study.curves, study.layerwise)
    )
    return draw_curves(replace(study, curves=curves, layerwise=layerwise), layerwise=picture == "layerwise")


def _find_pair(shelf: Shelf, keys: Any) -> list[tuple[str, HeadImportance]]:
    """The two importances that are compared, each with its name for people."""
    compared = list_compared(shelf.shown.study, shelf.list_others())
    known = {name_key(*part): (_name(*part[:2]), part[1]) for part in compared}
    if not isinstance(keys, list) or len(keys) != 2 or not all(isinstance(key, str) and key in known for key in keys):
        raise UserError("The importances to compare are not on the server: choose them again, then export.")
    return [known[key] for key in keys]


def _name(name: str, importance: HeadImportance) -> str:
    return " · ".join(part for part in (METHOD_NAMES.get(name, name), importance.model) if part)


def _write_comparison(pair: list[tuple[str, HeadImportance]], file_format: str) -> bytes:
    (x, one), (y, other) = pair
    if file_format == "csv":
        return tabulate_importances({f"x: {x}": one, f"y: {y}": other}).encode()
    compared = compare_importances(one, other)
    if file_format in FORMATS:
        from attattr_core.heads.pictures import draw_comparison
        from attattr_core.pictures import render

        return render(draw_comparison(compared, names=(x, y)), file_format)
    content = {
        "x": {"name": x, "head_importance": compared.x.tolist()},
        "y": {"name": y, "head_importance": compared.y.tolist()},
        "pearson": compared.pearson,
        "spearman": compared.spearman,
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode()
