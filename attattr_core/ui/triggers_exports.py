"""Files of triggers and of what they do."""

import re
from typing import Any

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.pictures import render
from attattr_core.triggers.files import dump_triggers
from attattr_core.triggers.pictures import draw_study
from attattr_core.triggers.study_files import dump_study
from attattr_core.triggers.tables import dump_csv
from attattr_core.ui.components import pack_download, warn
from attattr_core.ui.models import Choice
from attattr_core.ui.triggers_measure import Kept, find_shown
from attattr_core.ui.triggers_payload import Mined, find_results

_TYPES = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "json": "application/json",
    "csv": "text/csv",
}


def export_triggers(choice: Choice | None, kept: Kept | None, event: gr.EventData) -> tuple[Any, Any]:
    """Answers the view's ``export_triggers`` event: values for the downloader and the status."""
    asked = event._data if isinstance(event._data, dict) else {}
    shown = find_shown(choice, kept)
    try:
        file_format = str(asked.get("format"))
        if file_format not in _TYPES:
            raise UserError(f"Unknown file format {file_format[:80]!r}: choose one of {', '.join(_TYPES)}.")
        mined = None if shown is None or asked.get("run") != shown.run else shown.find(str(asked.get("mode")))
        if mined is None:
            raise UserError("These triggers are no longer on the server: mine them again, or open their file.")
        content = _write(mined, file_format, asked)
        model = re.sub(r"[^\w.-]+", "-", mined.triggers.model) or "model"
        mode = re.sub(r"[^\w.-]+", "-", mined.triggers.mode)
        name = "-".join(filter(None, ("attattr", model, "triggers", mode)))
        return pack_download(f"{name}.{file_format}", content, _TYPES[file_format]), ""
    except UserError as error:
        return gr.skip(), warn(str(error))


def _write(mined: Mined, file_format: str, asked: dict[str, Any]) -> bytes:
    if file_format == "json":
        is_whole = mined.study is not None and len(mined.study.results) >= len(mined.triggers.triggers)
        text = dump_study(mined.study, triggers=mined.triggers) if is_whole else dump_triggers(mined.triggers)
        return text.encode()
    if mined.study is None:
        raise UserError("These triggers are not evaluated yet: evaluate them for a table or a picture, or take JSON.")
    if file_format == "csv":
        return dump_csv(*(study for study in (mined.study, mined.transfer) if study is not None)).encode()
    return render(draw_study(mined.study, numbers=_choose_numbers(mined, asked)), file_format)


def _choose_numbers(mined: Mined, asked: dict[str, Any]) -> list[list[int]] | None:
    """The picked trigger for each class, or None for the three best."""
    if asked.get("picture") == "best":
        return None
    row, found = asked.get("row"), find_results(mined.triggers, mined.study)
    if type(row) is not int or not 0 <= row < len(found) or found[row] is None:
        raise UserError("The picture shows one trigger that was evaluated: pick a row of the table that has results.")
    number = next(k for k, result in enumerate(mined.study.results) if result is found[row])
    return [[number]] * len(mined.study.labels)
