"""Files of what is shown: pictures, the map as JSON, and the whole result."""

import json
import re
from typing import Any

import gradio as gr
import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.errors import UserError
from attattr_core.storage import dump_npz, to_lists
from attattr_core.ui.bundle_exports import pack_bundle
from attattr_core.ui.components import pack_download, warn
from attattr_core.ui.running import PutAway, Session, find_session
from attattr_core.view import FORMATS, MapView, find_common_limit, select_map

_MEDIA_TYPES = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "json": "application/json",
    "npz": "application/octet-stream",
}


def export_view(session: Session | PutAway | None, event: gr.EventData) -> tuple[Any, Any]:
    """Answers the view's ``export`` event.

    Returns:
        Values for the downloader and the status.
    """
    asked = event._data if isinstance(event._data, dict) else {}
    try:
        session = find_session(session, asked.get("run"), "export")
        if asked.get("format") == "zip":
            return pack_bundle(session.result, asked.get("link")), ""
        return _export(session.result, str(asked.get("format"))[:80], asked.get("view")), ""
    except UserError as error:
        return gr.skip(), warn(str(error))


def _export(result: Attribution, file_format: str, wanted: Any) -> str:
    if file_format not in _MEDIA_TYPES:
        raise UserError(f"Unknown file format {file_format!r}: choose one of {', '.join(_MEDIA_TYPES)}.")
    name = "attattr-" + (re.sub(r"[^\w.-]+", "-", result.model) or "result")
    if file_format == "npz":
        return pack_download(f"{name}.npz", dump_npz(result), _MEDIA_TYPES["npz"])
    view, options = _select(result, wanted)
    name = f"{name}-{view.title.replace(' · ', '-').replace(' ', '')}.{file_format}"
    if file_format in FORMATS:
        from attattr_core.pictures import draw_maps, render

        limit = find_common_limit(result, options.get("head")) if options.get("scale") == "common" else None
        content = render(draw_maps(view, limit=limit, picture=str(options.get("picture"))), file_format)
    else:
        content = _describe(result, view).encode()
    return pack_download(name, content, _MEDIA_TYPES[file_format])


def _select(result: Attribution, wanted: Any) -> tuple[MapView, dict[str, Any]]:
    options = wanted if isinstance(wanted, dict) else {}
    layer, head = options.get("layer"), options.get("head")
    if type(layer) is not int or type(head) not in (int, type(None)):  # a bool is no index
        raise UserError("The export names no layer and head: select a cell of the grid first.")
    view = select_map(
        result,
        layer,
        head,
        flow=str(options.get("flow", "all"))[:80],
        specials=bool(options.get("specials", True)),
        words=bool(options.get("words", False)),
    )
    return view, options


def _describe(result: Attribution, view: MapView) -> str:
    return json.dumps(
        {
            "model": result.model,
            "revision": result.revision,
            "texts": result.texts,
            "target": result.labels[result.target],
            "unit": view.unit,
            "map": view.title,
            "rows": "receive",
            "columns": "send",
            "tokens": view.tokens,
            "attention": to_lists(view.attention.astype(np.float32)),
            "attribution": to_lists(view.attribution.astype(np.float32)),
        },
        ensure_ascii=False,
        indent=1,
    )
