"""Choose a checkpoint: a list that takes any Hub id, Load, and a line that says what it is."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from attattr_core.checkpoints.catalog import EMBEDDED
from attattr_core.checkpoints.curated import find_curated
from attattr_core.errors import UserError
from attattr_core.hub import Progress
from attattr_core.ui.components import tell, warn
from attattr_core.ui.labels_panel import show_labels
from attattr_core.ui.long_work import follow_download
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.spaces import IS_ZERO_GPU
from attattr_core.ui.work import Job, LabelReport, Refusal, inspect_job, is_loaded

PREDICTED = "predicted"
Names = dict[str, tuple[str, ...]]
_PAGE = Path(__file__).parent / "static" / "page"


def build_picker(models: Models, first: Choice) -> tuple[gr.Dropdown, gr.Button]:
    """Builds the list and the Load button."""
    with gr.Row(elem_classes="aa-picker"):
        model = gr.Dropdown(
            models.list_choices(),
            value=first.text,
            label="Checkpoint, or a Hub id",
            allow_custom_value=True,
            elem_id="model",
            scale=1,
            min_width=200,
        )
        load = gr.Button("Load", size="md", elem_id="load", scale=0, min_width=72)
    return model, load


def build_card(value: str, *, elem_id: str = "card") -> gr.HTML:
    """Builds the line about the checkpoint; its values come from `describe_choice`."""
    return gr.HTML(
        value,
        html_template=f'<div class="aa-card" data-testid="{elem_id}"></div>',
        css_template=(_PAGE / "card.css").read_text(encoding="utf-8"),
        js_on_load=(_PAGE / "card.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=elem_id,
    )


def describe_choice(
    models: Models,
    choice: Choice,
    names: Names | None = None,
    *,
    progress: Progress | None = None,
    rate: float = 0.0,
    refused: bool = False,
) -> str:
    """Describes a checkpoint for the page.

    Args:
        models: What the server offers.
        choice: The checkpoint.
        names: The visitor's own label names, by key.
        progress: How far its download is.
        rate: Bytes a second.
        refused: Whether something else stands in the field, which was refused.

    Returns:
        JSON; every text in it is data, to be shown as text.
    """
    described, report = choice.description, models.reports.get(choice.key)
    content = {
        "name": described.name,
        "revision": described.revision[:7],
        "url": described.url,
        "family": described.model_type,
        "architecture": described.architecture,
        "size": _describe_size(choice, report),
        "base": f"LoRA adapter on {described.base.name}" if described.base else "",
        "labels": models.find_labels(choice, names),
        "renamed": bool(models.find_own(choice, names)),
        "curated": _describe_entry(described.name),
        "notice": described.notice,
        "refused": refused,
        "progress": [progress.n_bytes, progress.n_total, rate] if progress else None,
    }
    return json.dumps(content).replace("<", "\\u003c")


def show_choice(models: Models, choice: Choice, names: Names | None, target: str | None) -> tuple[Any, ...]:
    """Values for the card, the target and the Labels panel."""
    labels = models.find_labels(choice, names)
    kept = target if target in labels else PREDICTED
    card = describe_choice(models, choice, names)
    return card, gr.Dropdown([PREDICTED, *labels], value=kept), *show_labels(models, choice, names)


def look_up(models: Models, text: str, choice: Choice | None, names: Names | None) -> Iterator[tuple[Any, Any, Any]]:
    """Looks a checkpoint's metadata up as soon as it is named.

    Yields:
        Values for the status, the choice and the card. After a refusal, what was chosen before stays, and the card
        offers it. What a visitor may be typing into is not among them: Gradio sends a generator's last values twice.
    """
    text = str(text or "").strip()
    if text not in EMBEDDED and not (choice and choice.text == text):
        yield tell(f"Looking {text[:200]} up …"), gr.skip(), gr.skip()
    try:
        choice = models.find(text, choice)
        yield "", choice, describe_choice(models, choice, names)
    except UserError as error:
        yield warn(str(error)), gr.skip(), _offer(models, choice, names)


def fetch(models: Models, model: str, choice: Choice | None, names: Names | None) -> Iterator[tuple[Any, Any, Any]]:
    """Downloads a checkpoint where that is needed.

    Yields:
        Values for the status, the choice and the card.

    Raises:
        gr.Error: After a refusal, so that nothing follows; the sentence stands in the status.
    """
    before = choice
    try:
        choice = models.find(model, choice)
        if not choice.is_here:
            for progress, rate in follow_download(choice.description):
                choice = replace(choice, n_bytes_here=progress.n_bytes)
                yield "", choice, describe_choice(models, choice, names, progress=progress, rate=rate)
        yield "", choice, describe_choice(models, choice, names)
    except UserError as error:
        is_found = choice is not before or (choice and choice.text == str(model).strip())
        card = describe_choice(models, choice, names) if is_found else _offer(models, before, names)
        yield warn(str(error)), gr.skip(), card
        raise gr.Error(str(error), visible=False, print_exception=False) from error


def inspect(models: Models, choice: Choice, *, probes: bool = False) -> Iterator[str]:
    """Loads a checkpoint into memory and looks at its label names.

    Yields:
        Values for the status.
    """
    known = models.reports.get(choice.key)
    if known and (IS_ZERO_GPU or is_loaded(choice.description)) and (known.proposal or not probes):
        yield ""
        return
    yield tell(f"Loading {choice.description.name} …")
    sentence = ""
    try:
        for part in inspect_job(Job(choice.description, probes=probes)):
            if isinstance(part, Refusal):
                raise UserError(part.sentence)
            models.note(choice, part)
            named = choice.description.name
            sentence = tell(f"The label names of {named} need a look: see Labels.") if part.is_suspect else ""
    except UserError as error:
        sentence = warn(str(error))
    yield sentence


def _describe_entry(name: str) -> str:
    """What the curated list says, for a checkpoint that is on it."""
    entry = find_curated(name)
    if entry is None:
        return ""
    order = f", known order {', '.join(entry.labels)}" if entry.labels else ""
    return f"{entry.dataset}, takes {'pairs' if entry.is_pair else 'single sentences'}{order}. {entry.remark}".strip()


def _offer(models: Models, choice: Choice | None, names: Names | None) -> Any:
    return gr.skip() if choice is None else describe_choice(models, choice, names, refused=True)


def _describe_size(choice: Choice, report: LabelReport | None) -> str:
    described = choice.description
    n_parameters = f"{report.n_parameters / 1e6:.1f} M parameters, " if report else ""
    if is_loaded(described):
        return f"{n_parameters}in memory"
    if described.name in EMBEDDED:
        return f"{n_parameters}embedded"
    if not described.n_bytes:
        return f"{n_parameters}in a folder"
    size = f"{described.n_bytes / 1e6:.1f} MB"
    if choice.is_here:
        return f"{n_parameters}{size}, in the cache"
    if choice.n_bytes_here:
        return f"{choice.n_bytes_here / 1e6:.1f} of {size} are here: Load goes on from there"
    return f"{size} to download"
