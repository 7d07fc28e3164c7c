"""Files of triggers and of what they do."""

import csv
import io
import re
from typing import Any

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.pictures import FORMATS, render
from attattr_core.triggers.files import dump_triggers
from attattr_core.triggers.results import TriggerResult, TriggerStudy
from attattr_core.triggers.study_files import dump_study
from attattr_core.ui.components import pack_download, warn
from attattr_core.ui.models import Choice
from attattr_core.ui.triggers_measure import Kept, find_shown
from attattr_core.ui.triggers_payload import Mined, find_results, list_places

_TYPES = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "json": "application/json",
    "csv": "text/csv",
}
_COLUMNS = (
    *("trigger", "tokens", "places", "strength", "predicted", "layer", "head", "checkpoint", "data", "gold class", "n"),
    *("accuracy before", "low", "high", "accuracy with trigger", "low", "high", "success", "low", "high"),
    *("mean change of probability", "random accuracy", "random success", "shuffled accuracy", "shuffled success"),
)


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


def write_csv(mined: Mined) -> str:
    """Writes one row a trigger and gold class; a trigger that was not evaluated has one row without figures."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    labels = mined.triggers.labels or (mined.study.labels if mined.study else ())
    studies = [(study, find_results(mined.triggers, study)) for study in (mined.study, mined.transfer) if study]
    for number, (trigger, insertions) in enumerate(zip(mined.triggers.triggers, mined.insertions, strict=True)):
        places = list_places(insertions)
        label = labels[trigger.target_label] if trigger.target_label < len(labels) else trigger.target_label
        start = (
            number + 1,
            " ".join(part.token for part in places),
            " ".join(f"{'AB'[part.sentence]}:{part.place:.4g}" for part in places),
            *(trigger.strength, label),
            *("" if index is None else index + 1 for index in (trigger.layer, trigger.head)),
        )
        rows = [row for study, results in studies if results[number] for row in _list_rows(study, results[number])]
        writer.writerows([*start, *row] for row in rows or [[]])
    return buffer.getvalue()


def _list_rows(study: TriggerStudy, result: TriggerResult) -> list[list[Any]]:
    controls = {control.kind: control for control in result.controls}
    means = [
        getattr(controls[kind], name).mean(0) if kind in controls else None
        for kind in ("random", "shuffled")
        for name in ("accuracy", "success")
    ]
    return [
        [
            *(study.model, study.data, label, int(study.n_by_class[k])),
            *(part[k] for shares in (study.before, result.after, result.success) for part in vars(shares).values()),
            result.change[k],
            *("" if mean is None else mean[k] for mean in means),
        ]
        for k, label in enumerate(study.labels)
    ]


def _write(mined: Mined, file_format: str, asked: dict[str, Any]) -> bytes:
    if file_format == "csv":
        return write_csv(mined).encode()
    if file_format == "json":
        whole = mined.study is not None and len(mined.study.results) >= len(mined.triggers.triggers)
        text = dump_study(mined.study, triggers=mined.triggers) if whole else dump_triggers(mined.triggers)
        return text.encode()
    row = asked.get("row")
    results = find_results(mined.triggers, mined.study)
    if type(row) is not int or not 0 <= row < len(results) or results[row] is None:
        raise UserError("A picture shows one evaluated trigger: pick a row of the table that has results.")
    from attattr_core.triggers.pictures import draw_result

    assert file_format in FORMATS
    studies = [(mined.study, results[row])]
    transferred = find_results(mined.triggers, mined.transfer)[row]
    if mined.transfer is not None and transferred is not None:
        studies.append((mined.transfer, transferred))
    measure = "success" if asked.get("measure") == "success" else "accuracy"
    return render(draw_result(studies, measure=measure), file_format)
