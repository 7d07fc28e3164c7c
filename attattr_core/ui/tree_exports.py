"""Files of the tree as it is shown, and of the charts below it."""

import re
from typing import TYPE_CHECKING, Any

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.trees.curves import dump_curves
from attattr_core.trees.files import dump_graphml, dump_tree
from attattr_core.ui.bundle_exports import pack_bundle
from attattr_core.ui.components import pack_download, warn
from attattr_core.ui.curve_payload import Curves, Means, write_csv, write_means_csv
from attattr_core.ui.running import PutAway, Session, find_session
from attattr_core.ui.tree_payload import build_shown_tree, read_options
from attattr_core.view import FORMATS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TYPES = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "json": "application/json",
    "graphml": "application/xml",
    "csv": "text/csv",
}


def export_tree(session: Session | PutAway | None, event: gr.EventData) -> tuple[Any, Any]:
    """Answers the tree view: values for the downloader and the status."""
    asked = _read(event)
    try:
        session = find_session(session, asked.get("run"), "export")
        if asked.get("format") == "zip":
            return pack_bundle(session.result, asked.get("link")), ""
        options = read_options(asked.get("view"))
        tree = build_shown_tree(session.result, options)
        file_format = _check_format(asked, (*FORMATS, "json", "graphml"))
        if file_format in FORMATS:
            from attattr_core.trees.pictures import draw_tree

            content = _render(draw_tree(tree), file_format)
        else:
            content = (dump_tree(tree) if file_format == "json" else dump_graphml(tree)).encode()
        return _pack(tree.model, f"tree-{options.mode}-{len(tree.edges)}edges", file_format, content), ""
    except UserError as error:
        return gr.skip(), warn(str(error))


def export_curves(curves: Curves | None, event: gr.EventData) -> tuple[Any, Any]:
    """Answers the chart of the shown input's curves."""
    asked = _read(event)
    try:
        if curves is None or asked.get("run") != curves.run:
            raise UserError("These curves are no longer on the server: measure them again, then export.")
        file_format = _check_format(asked, (*FORMATS, "json", "csv"))
        kind = "insertion" if asked.get("kind") == "insertion" else "deletion"
        if file_format in FORMATS:
            from attattr_core.trees.pictures import draw_curves

            content = _render(draw_curves(curves.curves, kind=kind), file_format)
        else:
            content = (dump_curves(curves.curves) if file_format == "json" else write_csv(curves.curves)).encode()
        return _pack("", f"{kind}-{curves.options.mode}", file_format, content), ""
    except UserError as error:
        return gr.skip(), warn(str(error))


def export_means(means: Means | None, event: gr.EventData) -> tuple[Any, Any]:
    """Answers the chart of means over a data set."""
    asked = _read(event)
    try:
        mode = str(asked.get("mode"))
        if means is None or mode not in means.modes:
            raise UserError("These means are no longer on the server: measure them again, then export.")
        file_format = _check_format(asked, (*FORMATS, "json", "csv"))
        if file_format in FORMATS:
            from attattr_core.trees.pictures import draw_dataset

            content = _render(draw_dataset(means.modes[mode], function=means.function), file_format)
        else:
            content = (means.build_message() if file_format == "json" else write_means_csv(means)).encode()
        return _pack(means.model, f"mean-deletion-{mode}", file_format, content), ""
    except UserError as error:
        return gr.skip(), warn(str(error))


def _read(event: gr.EventData) -> dict[str, Any]:
    return event._data if isinstance(event._data, dict) else {}


def _check_format(asked: dict[str, Any], allowed: tuple[str, ...]) -> str:
    file_format = str(asked.get("format"))
    if file_format not in allowed:
        raise UserError(f"Unknown file format {file_format[:80]!r}: choose one of {', '.join(allowed)}.")
    return file_format


def _pack(model: str, what: str, file_format: str, content: bytes) -> str:
    parts = ["attattr", re.sub(r"[^\w.-]+", "-", model), what]
    return pack_download("-".join(filter(None, parts)) + f".{file_format}", content, _TYPES[file_format])


def _render(figure: "Figure", file_format: str) -> bytes:
    from attattr_core.pictures import render

    return render(figure, file_format)
