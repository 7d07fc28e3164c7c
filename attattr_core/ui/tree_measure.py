"""Measure and Stop below the tree: curves of the shown input, and means over the embedded sentences."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from attattr_core.datasets import read_examples
from attattr_core.errors import UserError
from attattr_core.results import summarise_mode
from attattr_core.trees.tree import MODES
from attattr_core.ui.components import tell, warn
from attattr_core.ui.curve_payload import Curves, Means, find_shipped
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.running import PutAway, Session, find_session
from attattr_core.ui.tree_payload import build_shown_tree, read_options
from attattr_core.ui.tree_work import Refusal, measure_curves, measure_means
from attattr_core.ui.work import is_loaded

_DATA = Path(__file__).resolve().parents[2] / "assets" / "data"
_N_EXAMPLES = 100
_EVERY = 2  # examples between two messages


def measure_shown(
    models: Models, model: str, choice: Choice | None, session: Session | PutAway | None, asked: Any
) -> Iterator[tuple[Any, Any, Any]]:
    """Measures the curves of the tree that is shown.

    Yields:
        Values for the chart, the status and the state that keeps the curves.
    """
    try:
        session = _find_session(session, asked)
        options = read_options(asked.get("view"))
        tree = build_shown_tree(session.result, options)
        if not tree.edges:
            raise UserError("The tree shown has no edges, so there is nothing to remove: lower its threshold.")
        choice = _find_choice(models, model, choice, session)
        if not is_loaded(choice.description):
            yield gr.skip(), tell(f"Loading {choice.description.name} …"), gr.skip()
        for part in measure_curves(choice.description, session.result, tree):
            if isinstance(part, Refusal):
                raise UserError(part.sentence)
            is_done = len(part.curves.counts) == part.n_total
            kept = Curves(session.run, options, part.curves, part.n_total, "done" if is_done else "measuring")
            yield kept.build_message(), "", kept
    except UserError as error:
        yield _refuse("curves"), warn(str(error)), gr.skip()


def measure_data(
    models: Models, model: str, choice: Choice | None, session: Session | PutAway | None, asked: Any
) -> Iterator[tuple[Any, Any, Any]]:
    """Measures means over the embedded sentences, or pairs where a pair is shown.

    Yields:
        Values for the chart, the status and the state that keeps the means.
    """
    try:
        session = _find_session(session, asked)
        mode = str(asked.get("mode"))
        if mode not in MODES:
            raise UserError(f"Unknown tree mode {mode[:80]!r}: choose one of {', '.join(MODES)}.")
        choice = _find_choice(models, model, choice, session)
        data = "snli.tsv" if len(session.result.texts) > 1 else "sst2.tsv"
        examples = read_examples(_DATA / data).examples
        picks = np.random.default_rng(0).permutation(len(examples))[:_N_EXAMPLES]
        texts = [(examples[pick].text, examples[pick].text_pair) for pick in picks]
        shipped = find_shipped(session.result)
        others = {} if shipped is None else {name: part for name, part in shipped.means.modes.items() if name != mode}
        result = session.result
        means = Means(result.model, result.revision, data, others, n_total=len(texts), status="measuring", mode=mode)
        yield means.build_message(), "", means
        for part in measure_means(choice.description, texts, mode):
            if isinstance(part, Refusal):
                raise UserError(part.sentence)
            n_done = len(part.n_edges)
            if n_done % _EVERY and n_done < len(texts):
                continue
            status = "done" if n_done == len(texts) else "measuring"
            means = replace(means, modes={**means.modes, mode: summarise_mode(part)}, status=status)
            yield means.build_message(), "", means
    except UserError as error:
        yield _refuse("means"), warn(str(error)), gr.skip()


def stop_measuring(curves: Curves | None, means: Means | None) -> tuple[Any, Any, Any, Any]:
    """Keeps what was measured when it was stopped: values for both charts and both states."""
    kept = [
        replace(part, status="stopped") if part is not None and part.status == "measuring" else None
        for part in (curves, means)
    ]
    messages = [_refuse("stopped") if part is None else part.build_message() for part in kept]
    return *messages, *(gr.skip() if part is None else part for part in kept)


def _find_session(session: Session | PutAway | None, asked: Any) -> Session:
    session = find_session(session, asked.get("run") if isinstance(asked, dict) else None, "measure")
    if session.status == "running" or not session.result.finished.all():
        raise UserError("Not all layers of this result are computed: press Run and let it finish, then measure.")
    return session


def _find_choice(models: Models, model: str, choice: Choice | None, session: Session) -> Choice:
    choice = models.find(model, choice)
    if session.key and session.key.split("@")[0] != choice.key.split("@")[0]:
        raise UserError(
            f"The result shown belongs to {session.result.model[:80]!r}, and {choice.description.name!r} is chosen "
            "above: choose the first one again, or press Run."
        )
    if not choice.is_here:
        raise UserError(f"{choice.description.name!r} is not downloaded yet: press Load first.")
    return choice


def _refuse(why: str) -> str:
    """A message that ends a chart's waiting and leaves what it shows; the random part makes it a new one."""
    return f'{{"status": "refused", "why": "{why}", "id": "{secrets.token_hex(4)}"}}'
