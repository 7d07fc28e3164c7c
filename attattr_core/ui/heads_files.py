"""Open an importance or a study, and go back from it to the chosen checkpoint."""

from pathlib import Path
from typing import Any

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.heads.importance_files import load_importance
from attattr_core.heads.results import HeadImportance, HeadStudy
from attattr_core.heads.study_files import FORMAT, load_study
from attattr_core.ui.components import taking_upload, warn
from attattr_core.ui.heads_payload import Heads, Shelf, show_shipped
from attattr_core.ui.long_work import Desk
from attattr_core.ui.models import Choice

#: The most of each that the page shows.
MOST = {
    "layers": 64,
    "heads a layer": 64,
    "importances": 12,
    "curves": 64,
    "points": 20_000,
    "characters of a name": 200,
}


def open_heads(path: str | None, shelf: Shelf, desk: Desk) -> tuple[Any, Any, Any]:
    """Shows a saved file, ours or a list of the authors' scripts: values for the view, the status and the shelf."""
    try:
        with taking_upload(path) as file:
            study = read_file(file, shelf.shown.study)
        _check_size(study)
    except UserError as error:
        return gr.skip(), warn(str(error)), gr.skip()
    desk.end()
    shelf = shelf.put(shelf.shown.settle()).put(Heads("", study.model, study, "opened"))
    return shelf.build_message(), "", shelf


def go_back(choice: Choice | None, shelf: Shelf, desk: Desk) -> tuple[Any, Any, Any]:
    """Shows the chosen checkpoint again: values for the view, the status and the shelf."""
    desk.end()
    if choice is None:
        return gr.skip(), "", gr.skip()
    shelf = shelf.put(shelf.find(choice.key) or show_shipped(choice.key, choice.description.name))
    return shelf.build_message(), "", shelf


def read_file(path: Path, shown: HeadStudy | None) -> HeadStudy:
    """Reads a study, or an importance as a study without curves.

    Args:
        path: The file.
        shown: The study on the page; a flat list of the authors' is taken for one of as many layers and heads.

    Raises:
        UserError: When it is neither, or damaged.
    """
    with path.open("rb") as file:
        is_study = f'"{FORMAT}"'.encode() in file.read(256)
    if is_study:
        return load_study(path)
    try:
        importance = load_importance(path)
    except UserError:
        if shown is None:
            raise
        importance = load_importance(path, shape=next(iter(shown.importances.values())).values.shape)
    return _wrap(importance)


def _wrap(importance: HeadImportance) -> HeadStudy:
    about = {name: getattr(importance, name) for name in ("model", "revision", "data", "data_sha256")}
    measured = {"metric_name": "accuracy", "n_examples": 0, "n_seeds": 0, "versions": importance.versions or {}}
    return HeadStudy({importance.method: importance}, (), (), **about, **measured)


def _check_size(study: HeadStudy) -> None:
    first = next(iter(study.importances.values()))
    curves = [*study.curves, *study.layerwise]
    names = [study.model, study.revision, study.data, *study.importances, *(curve.method for curve in curves)]
    names += [text for part in study.importances.values() for text in (part.model, part.revision, part.data)]
    sizes = (*first.values.shape, len(study.importances), len(curves), sum(len(curve.n_pruned) for curve in curves))
    for (what, most), size in zip(MOST.items(), (*sizes, max(map(len, names))), strict=True):
        if size > most:
            raise UserError(f"This file has {size:,} {what}: the page shows up to {most:,}; open it in Python instead.")
