"""Files of triggers and of what they do."""

import re
from typing import Any

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.triggers.files import dump_triggers
from attattr_core.triggers.results import TriggerResult, TriggerStudy
from attattr_core.triggers.study_files import dump_study
from attattr_core.triggers.tables import dump_csv, dump_list
from attattr_core.ui.components import pack_download, warn
from attattr_core.ui.models import Choice
from attattr_core.ui.triggers_mined import Mined, find_results
from attattr_core.ui.triggers_shown import Kept, find_shown

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
        is_table = asked.get("what") == "table"
        content = _write_table(mined, file_format) if is_table else _write(mined, file_format, asked)
        model = re.sub(r"[^\w.-]+", "-", mined.triggers.model) or "model"
        mode = re.sub(r"[^\w.-]+", "-", mined.triggers.mode)
        name = "-".join(filter(None, ("attattr", model, "triggers", mode, "list" if is_table else "")))
        return pack_download(f"{name}.{file_format}", content, _TYPES[file_format]), ""
    except UserError as error:
        return gr.skip(), warn(str(error))


def _write_table(mined: Mined, file_format: str) -> bytes:
    """All triggers, evaluated or not, in the authors' format or as a table."""
    if file_format == "csv":
        return dump_list(mined.triggers, mined.insertions).encode()
    if file_format != "json":
        raise UserError(f"There is no {file_format} file of the table of triggers: take JSON or CSV.")
    return dump_triggers(mined.triggers).encode()


def _write(mined: Mined, file_format: str, asked: dict[str, Any]) -> bytes:
    if file_format == "json":
        text = dump_study(mined.study, triggers=mined.triggers) if mined.study else dump_triggers(mined.triggers)
        return text.encode()
    if mined.study is None:
        raise UserError("These triggers are not evaluated yet: evaluate them for a table or a picture, or take JSON.")
    if file_format == "csv":
        return dump_csv(*(study for study in (mined.study, mined.transfer) if study is not None)).encode()
    from attattr_core.pictures import render
    from attattr_core.triggers.pictures import draw_result, draw_study

    if asked.get("picture") == "best":
        return render(draw_study(mined.study), file_format)
    return render(draw_result(_pick_results(mined, asked), measure=_read_measure(asked)), file_format)


def _pick_results(mined: Mined, asked: dict[str, Any]) -> list[tuple[TriggerStudy, TriggerResult]]:
    """The picked trigger's results, on its own checkpoint and on the second one."""
    row, studies = asked.get("row"), [study for study in (mined.study, mined.transfer) if study is not None]
    if type(row) is not int or not 0 <= row < len(mined.triggers.triggers):
        raise UserError("The picture shows one trigger: pick a row of the table first.")
    found = [(study, find_results(mined.triggers, study)[row]) for study in studies]
    found = [(study, result) for study, result in found if result is not None]
    if not found:
        raise UserError("This trigger is not evaluated yet: pick a row of the table that has results.")
    return found


def _read_measure(asked: dict[str, Any]) -> str:
    return "success" if asked.get("measure") == "success" else "accuracy"
