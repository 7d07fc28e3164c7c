"""Links and bundles: what of the page's state an address says, and how an address or a bundle is taken up again."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from attattr_core.attribution import Attribution
from attattr_core.checkpoints.catalog import EMBEDDED
from attattr_core.engine.quadrature import RULES
from attattr_core.errors import UserError
from attattr_core.settings import BASELINES, DEFAULT_TOLERANCE, FUNCTIONS
from attattr_core.storage import clean_text
from attattr_core.ui.components import STATUS_STYLE
from attattr_core.ui.link_fields import MOST_NAME, TAB_FIELDS, write_value
from attattr_core.ui.model_picker import PREDICTED, Names
from attattr_core.ui.models import LINKED, Models
from attattr_core.ui.running import AUTOMATIC, FIXED, TOLERANCE, Session, open_result, read_settings

#: The header's fields that an address names, with what they hold at first (the checkpoint is the page's to say).
FIELDS: dict[str, Any] = {
    "model": "",
    "target": PREDICTED,
    "function": FUNCTIONS[0],
    "baseline": BASELINES[0],
    "quadrature": TOLERANCE,
    "tolerance": DEFAULT_TOLERANCE,
    "nodes": 64,
    "rule": AUTOMATIC,
}
TABS = ("heatmaps", "tree", "heads", "triggers", "about")
_CHOICES = {
    "function": FUNCTIONS,
    "baseline": BASELINES,
    "quadrature": (TOLERANCE, FIXED),
    "rule": (AUTOMATIC, *RULES),
    "tab": TABS,
}
_MOST_LABELS, _MOST_CHARACTERS = 1000, 20_000
# What starts by itself when a link is opened: little more than an example does.
_MOST_STARTED_CHARACTERS, _MOST_STARTED_NODES, _LEAST_STARTED_TOLERANCE = 1000, 64, 0.001
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PAGE = Path(__file__).parent / "static" / "page"


@dataclass(frozen=True)
class Asked:
    """What is left of an address after it was checked.

    Attributes:
        fields: Values of `FIELDS` and `TAB_FIELDS`; only those that were named.
        tab: The tab, or None.
        texts: Sentences A and B, or None.
        refused: What was named and is not known, in words.
        labels: Label names of the visitor's own, for the checkpoint that is named; () for none.
    """

    fields: Mapping[str, Any]
    tab: str | None
    texts: tuple[str, str] | None
    refused: tuple[str, ...]
    labels: tuple[str, ...] = ()


def build_link(model: str) -> gr.HTML:
    """Builds the component that keeps the page's address; it shows a sentence only where a link needs one.

    Args:
        model: The checkpoint that stands in the header at first.

    Returns:
        The component; it triggers ``restore`` with what an address asks for, and presses Run where that may start.
    """
    first = {**_list_first(), "model": model}
    return gr.HTML(
        json.dumps({"fields": list(first.items())}),
        html_template='<div class="aa-status" role="status" data-testid="link-note" hidden></div>',
        css_template=STATUS_STYLE,
        js_on_load=(_PAGE / "link.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="link",
    )


def _list_first() -> dict[str, str]:
    first = FIELDS | {name: field.first for name, field in TAB_FIELDS.items()}
    return {name: write_value(value) for name, value in first.items()}


def restore_link(models: Models, asked: Any, names: Names | None = None) -> tuple[Any, ...]:
    """Takes up an address; nothing is loaded or downloaded by it.

    Args:
        models: What the server offers.
        asked: What the page read from its address; not trusted.
        names: The visitor's own label names, by key.

    Returns:
        Values for the link, the tabs, the texts, the names, and the fields of `FIELDS` and `TAB_FIELDS`.
    """
    asked = asked if isinstance(asked, dict) else {}
    wanted = read_address(models, asked.get("query"), asked.get("text"), asked.get("pair"))
    note = describe_refused(wanted.refused)
    starts = asked.get("may_start") is True and not wanted.refused and may_start(wanted)
    if wanted.texts is not None and not starts:
        note = f"The link brought a text: press Run to explain it. {note}".strip()
    return fill_page(wanted, names, note=note, start=starts)


def open_bundle(models: Models, path: str | None, names: Names | None = None) -> tuple[Any, ...]:
    """Opens a result file or a bundle, which brings its settings, its texts and how it was looked at.

    Returns:
        Values for the view, the status and the session, then those of `restore_link`.
    """
    view, status, session, words = open_result(path)
    if words is None:
        return view, status, session, *(gr.skip() for _ in range(5 + len(_list_first())))
    result = session.result
    texts = (*result.texts, "")[:2]
    wanted = read_address(models, {**words, **name_fields(result)}, *texts, labels=result.labels)
    return (
        view,
        status,
        session,
        *fill_page(wanted, names, note=describe_refused(wanted.refused), words=words, session=session),
    )


def name_fields(result: Attribution) -> dict[str, str]:
    """Names the header's fields with which a result is computed again."""
    settings = result.settings
    fields = {
        "target": result.labels[result.target],
        "function": settings.function,
        "baseline": settings.baseline,
        "quadrature": TOLERANCE if settings.n_steps is None else FIXED,
        "tolerance": str(settings.tolerance),
        "rule": AUTOMATIC if replace(settings, rule=None).rule == settings.rule else settings.rule,
    }
    if settings.n_steps is not None:
        fields["nodes"] = str(settings.n_steps)
    commit = result.revision.partition("+")[0]
    if result.model in EMBEDDED:
        fields["model"] = result.model
    elif _COMMIT.fullmatch(commit):
        fields["model"] = f"{result.model}@{commit}"
    return fields


def read_address(
    models: Models, query: Any, text: Any = None, pair: Any = None, *, labels: tuple[str, ...] = ()
) -> Asked:
    """Reads what an address names; it is not trusted, and what is not known is left out.

    Args:
        models: What the server offers.
        query: Names and values.
        text: Sentence A.
        pair: Sentence B.
        labels: Label names that belong to the checkpoint, where they are not in the query.
    """
    words = {name: clean_text(value) for name, value in _items(query) if isinstance(value, str)}
    fields: dict[str, Any] = {}
    refused = []
    for name, value in words.items():
        if name in _CHOICES and value not in _CHOICES[name]:
            refused.append(f"{name} {value[:40]!r}")
        elif name in _CHOICES and name != "tab":
            fields[name] = value
        elif name in ("model", "target") and 0 < len(value.strip()) <= MOST_NAME:
            fields[name] = value.strip()
        elif name in ("tolerance", "nodes"):
            _read_number(name, value, fields, refused)
        elif name in TAB_FIELDS:
            try:
                fields[name] = TAB_FIELDS[name].read(value)
            except ValueError:
                refused.append(f"{name} {value[:40]!r}")
    model, target = fields.get("model"), fields.get("target", PREDICTED)
    known = models.find_labels(models.find(model), None) if model in EMBEDDED else ()
    if words.get("labels"):
        labels = _read_labels(words["labels"], len(known), refused)
    if model in EMBEDDED and target not in (PREDICTED, *known, *labels):
        refused.append(f"label {fields.pop('target')[:40]!r}")
    texts = None
    if isinstance(text, str) or isinstance(pair, str):
        texts = tuple(clean_text(part) if isinstance(part, str) else "" for part in (text, pair))
        if max(map(len, texts)) > _MOST_CHARACTERS:
            texts, refused = None, [*refused, f"text of more than {_MOST_CHARACTERS:,} characters"]
    tab = words.get("tab")
    return Asked(fields, tab if tab in TABS else None, texts, tuple(refused), labels if model else ())


def may_start(wanted: Asked) -> bool:
    """Whether what a link asks for may run unasked: an embedded checkpoint, a short text, a common convention."""
    if wanted.texts is None or not wanted.texts[0].strip() or wanted.fields.get("model") not in EMBEDDED:
        return False
    fields = {**FIELDS, **wanted.fields}
    if fields["quadrature"] == FIXED:
        is_common = fields["nodes"] <= _MOST_STARTED_NODES
    else:
        is_common = fields["tolerance"] >= _LEAST_STARTED_TOLERANCE
    return is_common and len("".join(wanted.texts)) <= _MOST_STARTED_CHARACTERS


def describe_refused(refused: tuple[str, ...]) -> str:
    """Says in one sentence what of a link was left out."""
    return f"Not known here, and left out of what the link asks for: {', '.join(refused)}." if refused else ""


def fill_page(
    wanted: Asked,
    names: Names | None = None,
    *,
    note: str = "",
    start: bool = False,
    words: Mapping[str, str] | None = None,
    session: Session | None = None,
) -> tuple[Any, ...]:
    """Values for the link, the tabs, the texts, the names and the fields."""
    first = _list_first()
    message = {
        "fields": list(first.items()),
        "id": secrets.token_hex(4),
        "values": {name: write_value(value) for name, value in wanted.fields.items()},
        "note": note,
        "start": start,
        "query": words,
        "run": session and session.run,
    }
    tabs = gr.skip() if wanted.tab is None else gr.Tabs(selected=wanted.tab)
    texts = (gr.skip(), gr.skip()) if wanted.texts is None else wanted.texts
    named = {**(names or {}), LINKED + wanted.fields["model"]: wanted.labels} if wanted.labels else gr.skip()
    fields = (wanted.fields.get(name, gr.skip()) for name in first)
    return json.dumps(message).replace("<", "\\u003c"), tabs, *texts, named, *fields


def _items(query: Any) -> list[tuple[Any, Any]]:
    return list(query.items()) if isinstance(query, dict) else []


def _read_labels(text: str, n_classes: int, refused: list[str]) -> tuple[str, ...]:
    """Reads label names, one a line; of a checkpoint of the Hub it is not known here how many there are."""
    from attattr_core.labels.naming import check_names

    lines = text.splitlines()
    try:
        if len(text) > _MOST_LABELS:
            raise UserError("They are too long.")
        return check_names(lines, n_classes or len(lines))
    except UserError:
        refused.append(f"label names {text[:40]!r}")
        return ()


def _read_number(name: str, value: str, fields: dict[str, Any], refused: list[str]) -> None:
    """Reads a number as the header does."""
    try:
        number = float(value) if name == "tolerance" else int(value)
        read_settings(
            FUNCTIONS[0], BASELINES[0], TOLERANCE if name == "tolerance" else FIXED, number, number, AUTOMATIC
        )
    except (ValueError, UserError):
        refused.append(f"{name} {value[:40]!r}")
    else:
        fields[name] = number
