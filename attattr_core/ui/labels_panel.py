"""The Labels panel: what is known about a checkpoint's label names, and the visitor's own names in their place."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from attattr_core.errors import UserError
from attattr_core.ui.components import tell, warn
from attattr_core.ui.models import LINKED, Choice, Models

Names = dict[str, tuple[str, ...]]
_PAGE = Path(__file__).parent / "static" / "page"
_MAX_SHOWN = 60  # characters of names in the panel's heading


class LabelsPanel(NamedTuple):
    """The components of the panel."""

    fold: gr.Accordion
    report: gr.HTML
    field: gr.Textbox
    use: gr.Button
    reset: gr.Button
    check: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """What `show_labels` fills."""
        return [self.fold, self.report, self.field]


def build_labels_panel(models: Models, first: Choice) -> LabelsPanel:
    """Builds the panel, closed."""
    labels = models.find_labels(first, None)
    with gr.Accordion(_title(labels), open=False, elem_id="labels") as fold:
        report = gr.HTML(
            _describe(models, first, None),
            html_template='<div class="aa-names" data-testid="label-report"></div>',
            css_template=(_PAGE / "labels.css").read_text(encoding="utf-8"),
            js_on_load=(_PAGE / "labels.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            elem_id="label-report",
        )
        with gr.Row(elem_classes="aa-label-row"):
            field = gr.Textbox(
                "\n".join(labels),
                label="Names, one a line, class 0 first",
                lines=3,
                max_lines=8,
                elem_id="label-names",
                min_width=240,
            )
            with gr.Column(scale=0, min_width=220, elem_classes="aa-label-buttons"):
                use = gr.Button("Use these names", size="sm", elem_id="use-names")
                reset = gr.Button("Use the config's names", size="sm", elem_id="reset-names")
                check = gr.Button("Check label order", size="sm", elem_id="check-names")
    return LabelsPanel(fold, report, field, use, reset, check)


def show_labels(models: Models, choice: Choice, names: Names | None) -> tuple[Any, Any, Any]:
    """Values for the panel; it opens by itself where the names need a look and the visitor has not given any."""
    labels = models.find_labels(choice, names)
    report = models.reports.get(choice.key)
    proposed = report.proposal.labels if report and report.proposal and report.proposal.confidence != "unclear" else ()
    is_own = bool(models.find_own(choice, names))
    fold = {"label": _title(labels, is_own)}
    if report and report.is_suspect and not is_own:
        fold["open"] = True
    field = "\n".join(labels if is_own else proposed or labels)
    return gr.update(**fold), _describe(models, choice, names), gr.update(value=field)


def use_names(
    models: Models,
    choice: Choice,
    names: Names | None,
    text: str | None,
    session: Any,
    target: str | None,
) -> tuple[Any, ...]:
    """Gives the classes the visitor's names, or with None those of the configuration again; others do not see it.

    Returns:
        Values for the status, the names, the view, the session and the target. A shown result of this checkpoint gets
        the names as well.
    """
    from attattr_core.labels.naming import check_names

    before = models.find_labels(choice, names)
    kept = {key: value for key, value in (names or {}).items() if key not in (choice.key, LINKED + choice.text)}
    try:
        if text is not None:
            lines = [line for line in text.splitlines() if line.strip()]
            kept[choice.key] = check_names(lines, len(before) or len(lines))
    except UserError as error:
        return warn(str(error)), *(gr.skip() for _ in range(4))
    labels = models.find_labels(choice, kept)
    if target in before and len(before) == len(labels):
        target = labels[before.index(target)]
    view, session = relabel(choice, labels, session)
    said = tell(f"The classes of {choice.description.name} are called {', '.join(labels)} in this tab.")
    return said, kept, view, session, target


def relabel(choice: Choice | None, labels: tuple[str, ...], session: Any) -> tuple[Any, Any]:
    """Gives a shown result of a checkpoint other label names; one that is still running gets them at its end.

    Returns:
        Values for the view and the session.
    """
    is_shown = session is not None and choice is not None and session.key == choice.key and session.status != "running"
    if not is_shown or len(session.result.labels) != len(labels) or session.result.labels == labels:
        return gr.skip(), gr.skip()
    session = replace(session, result=replace(session.result, labels=labels))
    return session.build_message([]), session


def _title(labels: tuple[str, ...], is_own: bool = False) -> str:
    named = ", ".join(labels)
    shown = named if len(named) <= _MAX_SHOWN else f"{named[:_MAX_SHOWN]}…"
    return f"Labels{' (yours)' if is_own else ''}: {shown or 'not named'}"


def _describe(models: Models, choice: Choice, names: Names | None) -> str:
    """What the panel says, as JSON; every text in it is data, to be shown as text."""
    report = models.reports.get(choice.key)
    proposal = report.proposal if report else None
    content = {
        "labels": models.find_labels(choice, names),
        "config": report.labels if report else choice.description.labels,
        "loaded": report is not None,
        "findings": report.findings if report else (),
        "proposal": None
        if proposal is None
        else {
            "task": proposal.task,
            "labels": proposal.labels,
            "confidence": proposal.confidence,
            "summary": proposal.summary,
            "suspicion": proposal.suspicion,
            "evidence": [
                [list(probe.texts), probe.expected, list(probe.probabilities), probe.matches]
                for probe in proposal.evidence
            ],
        },
    }
    return json.dumps(content).replace("<", "\\u003c")
