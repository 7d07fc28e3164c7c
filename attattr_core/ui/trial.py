"""Words in one's own text: Compare, Stop, and what is done with the two results."""

import csv
import io
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from attattr_core.attribution import Attribution
from attattr_core.errors import UserError
from attattr_core.storage import clean_text, to_lists
from attattr_core.triggers.difference import Span, WordInsertion, find_lost, insert_words, select_difference
from attattr_core.ui.components import pack_download, tell, warn
from attattr_core.ui.model_picker import Names
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.running import Session, prepare_job
from attattr_core.ui.trial_payload import VERSION, WHICH, Trial
from attattr_core.ui.triggers_payload import dump
from attattr_core.ui.work import Job, LabelReport, Refusal, Step, attribute_job, is_loaded
from attattr_core.view import FORMATS

MAX_INSERTIONS = 40
_TYPES = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "json": "application/json",
    "csv": "text/csv",
}


def compare_texts(
    models: Models,
    model: str,
    texts: tuple[str, str],
    target: str,
    fields: tuple[Any, ...],
    choice: Choice | None,
    names: Names | None,
    session: Session | None,
    asked: Any,
) -> Iterator[tuple[Any, Any, Any]]:
    """Attributes the header's text as it is and with words in it, for the label that it has as it is.

    Yields:
        Values for the view, the status and the state that keeps both results.
    """
    try:
        choice, job = prepare_job(models, model, texts, target, fields, choice, names)
        clean_texts = job.texts if job.texts[1].strip() else job.texts[:1]
        changed, spans = insert_words(clean_texts, read_insertions(asked))
        trial = Trial(spans, key=choice.key)
        yield trial.build_message(), "" if is_loaded(job.description) else _tell_loading(job), trial
        known = _find_known(session, choice, job)
        for clean in [known] if known else _attribute(models, choice, job):
            trial = replace(trial, clean=clean.result, seconds=(clean.seconds, 0.0), device=clean.device)
            yield trial.build_message(), "", trial
        label = trial.clean.labels[trial.clean.target]
        second = replace(job, texts=(*changed, "")[:2], target=label, reports=False)
        for part in _attribute(models, choice, second):
            _check_seen(part.result, spans)
            trial = replace(trial, triggered=part.result, seconds=(trial.seconds[0], part.seconds), device=part.device)
            if part.result.finished.all():
                trial = replace(trial, status="done")
            yield trial.build_message(), "", trial
    except UserError as error:
        yield refuse(str(error)), warn(str(error)), gr.skip()


def stop_comparing(trial: Trial | None) -> tuple[Any, Any]:
    """Keeps what was ready when it was stopped: values for the view and the state."""
    if trial is None or trial.status != "running":
        return refuse(), gr.skip()
    stopped = replace(trial, status="stopped")
    return stopped.build_message(), stopped


def open_trial(trial: Trial | None, asked: Any) -> tuple[Any, Any, Any, Any]:
    """Shows one of the two results in the heatmaps and the tree: values for view, status, session and tabs."""
    try:
        which, tab = str(asked.get("which")), str(asked.get("tab"))
        result = _find_result(trial, asked, which)
        if tab not in ("heatmaps", "tree"):
            raise UserError(f"There is no tab {tab[:40]!r} for a result: choose the heatmaps or the tree.")
        status = "done" if result.finished.all() else "stopped"
        seconds = trial.seconds[WHICH.index(which)]
        session = Session(result, secrets.token_hex(6), status, seconds, trial.device, trial.key)
        note = tell("Shown is the text with the inserted words; the header still holds it as it is.")
        return session.build_message(), note if which == "triggered" else "", session, gr.Tabs(selected=tab)
    except UserError as error:
        return gr.skip(), warn(str(error)), gr.skip(), gr.skip()


def export_trial(trial: Trial | None, event: gr.EventData) -> tuple[Any, Any]:
    """Answers the view's ``export_trial`` event: values for the downloader and the status."""
    asked = event._data if isinstance(event._data, dict) else {}
    try:
        file_format, layer, head = str(asked.get("format")), _read_index(asked, "layer"), _read_index(asked, "head")
        if file_format not in _TYPES:
            raise UserError(f"Unknown file format {file_format[:80]!r}: choose one of {', '.join(_TYPES)}.")
        _find_result(trial, asked, "triggered")
        content = _write(trial, file_format, layer, head)
        where = ("" if layer is None else f"-layer{layer + 1}") + ("" if head is None else f"-head{head + 1}")
        model = re.sub(r"[^\w.-]+", "-", trial.clean.model) or "result"
        return pack_download(f"attattr-{model}-difference{where}.{file_format}", content, _TYPES[file_format]), ""
    except UserError as error:
        return gr.skip(), warn(str(error))


def read_insertions(asked: Any) -> list[WordInsertion]:
    """Reads what the page says is inserted; it is not trusted.

    Raises:
        UserError: When it says nothing, or too much.
    """
    try:
        insertions = [
            WordInsertion(clean_text(part["word"]).strip(), int(part["sentence"]), int(part["gap"]))
            for part in asked["insertions"]
        ]
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise UserError("The page did not say which words are inserted: reload it.") from error
    if not 0 < len(insertions) <= MAX_INSERTIONS:
        raise UserError(f"There are {len(insertions)} words to insert: choose 1 to {MAX_INSERTIONS}.")
    if any(len(insertion.word) > 200 for insertion in insertions):
        raise UserError("A word to insert is longer than 200 characters: shorten it.")
    return insertions


def refuse(reason: str = "") -> str:
    """A message that ends the waiting and leaves what is shown; the random part makes it a new one.

    Args:
        reason: What to say beside the button, or "".
    """
    return dump(version=VERSION, status="refused", id=secrets.token_hex(4), reason=reason)


def _attribute(models: Models, choice: Choice, job: Job) -> Iterator[Step]:
    for part in attribute_job(job):
        if isinstance(part, Refusal):
            raise UserError(part.sentence)
        if isinstance(part, LabelReport):
            models.note(choice, part)
        else:
            yield part


def _check_seen(triggered: Attribution, spans: tuple[tuple[Span, ...], ...]) -> None:
    """Refuses to compare with words that the model does not see, as if they changed nothing."""
    lost = find_lost(triggered, spans)
    if lost:
        raise UserError(
            f"{triggered.model!r} takes {len(triggered.tokens)} tokens of this text, and the inserted "
            f"{' and '.join(f'{word[:40]!r}' for word in lost[:3])} would stand beyond them: move what is inserted "
            "forward, or shorten the text."
        )


def _find_known(session: Session | None, choice: Choice, job: Job) -> Step | None:
    """The result that is shown, where it is that of the header's text."""
    if session is None or session.key != choice.key or session.status not in ("done", "example"):
        return None
    result = session.result
    texts = tuple(text for text in job.texts if text.strip())
    label = "predicted" if result.target == result.prediction else result.labels[result.target]
    is_same = (
        result.finished.all()
        and tuple(result.texts) == texts
        and result.settings == job.settings
        and job.target == label
        and (not job.names or tuple(job.names) == tuple(result.labels))
    )
    return Step(result, session.seconds, session.device) if is_same else None


def _find_result(trial: Trial | None, asked: Any, which: str) -> Attribution:
    if trial is not None and trial.status == "put away" and trial.run == asked.get("run"):
        raise UserError("This comparison was put away to make room for others: press Compare again.")
    result = getattr(trial, which, None) if which in WHICH else None
    if result is None or trial.run != asked.get("run"):
        raise UserError("This comparison is no longer on the server: press Compare again.")
    return result


def _tell_loading(job: Job) -> str:
    return tell(f"Loading {job.description.name} …")


def _read_index(asked: Any, name: str) -> int | None:
    value = asked.get(name)
    return value if type(value) is int else None


def _write(trial: Trial, file_format: str, layer: int | None, head: int | None) -> bytes:
    difference = trial.compare()
    if file_format in FORMATS:
        from attattr_core.pictures import render
        from attattr_core.triggers.difference_pictures import draw_difference

        return render(draw_difference(difference, layer, head), file_format)
    clean, triggered, change = select_difference(difference, layer, head)
    if file_format == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(("receiver", "receives", "sender", "sends", "as it is", "with the words", "difference"))
        for i, receiver in enumerate(difference.tokens):
            for j, sender in enumerate(difference.tokens):
                is_new = difference.inserted[i] or difference.inserted[j]
                values = "" if is_new else clean[i, j].item(), triggered[i, j].item(), change[i, j].item()
                writer.writerow((i, receiver, j, sender, *values))
        return buffer.getvalue().encode()
    content = {
        "model": trial.clean.model,
        "revision": trial.clean.revision,
        "texts": trial.clean.texts,
        "texts_with_words": trial.triggered.texts,
        "labels": trial.clean.labels,
        "probabilities": to_lists(trial.clean.probabilities),
        "probabilities_with_words": to_lists(trial.triggered.probabilities),
        "target": difference.label,
        "unit": difference.unit,
        "layer": None if layer is None else layer + 1,
        "head": None if head is None else head + 1,
        "rows": "receive",
        "columns": "send",
        "tokens": difference.tokens,
        "inserted": difference.inserted,
        "as_it_is": to_lists(clean.astype("float32")),
        "with_the_words": to_lists(triggered.astype("float32")),
        "difference": to_lists(change.astype("float32")),
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode()
