"""Run and Stop: from the header's fields to messages for the view, layer by layer."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import gradio as gr
import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.bundle import load_bundle
from attattr_core.errors import UserError
from attattr_core.settings import Settings
from attattr_core.storage import clean_text
from attattr_core.ui.components import taking_upload, tell, warn
from attattr_core.ui.examples import EXAMPLES, FIRST, load_example
from attattr_core.ui.model_picker import PREDICTED, Names
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.payload import build_payload, build_whole_map
from attattr_core.ui.work import Job, LabelReport, Refusal, attribute_job, is_loaded

LONG_CHARACTERS = 800  # of texts, some 180 tokens
TOLERANCE, FIXED = "to a tolerance", "fixed nodes"
AUTOMATIC = "automatic"  # the rule that suits the choice between the two
MAX_STEPS = 256  # fixed nodes on the page; the command line takes more
MAX_SHOWN = {"tokens": 512, "layers": 64, "heads": 64, "labels": 1000, "characters of a name": 200}


@dataclass(frozen=True)
class Session:
    """What a visitor is looking at: a result, perhaps unfinished, and what its messages to the view carry.

    The key is that of the checkpoint's `attattr_core.ui.models.Choice`, or "" where it is not known.
    """

    result: Attribution
    run: str
    status: str
    seconds: float = 0.0
    device: str = ""
    key: str = ""

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What of it is large (`attattr_core.ui.visitors`)."""
        return self.result.attention, self.result.attribution

    def put_away(self) -> "Session | PutAway":
        """What stays where room is needed; a run that goes on is left alone."""
        return self if self.status == "running" else PutAway(self.run)

    def build_message(self, layers: list[int] | None = None) -> str:
        """Builds the view's value; with all finished layers unless some are named."""
        return build_payload(
            self.result, run=self.run, status=self.status, seconds=self.seconds, device=self.device, layers=layers
        )


@dataclass(frozen=True)
class PutAway:
    """What is left of a `Session` whose result made room for others; the page still shows it."""

    run: str
    status: str = "put away"
    key: str = ""


def run_attribution(
    models: Models,
    model: str,
    text: str,
    text_pair: str,
    target: str,
    function: str,
    baseline: str,
    precision: str,
    tolerance: float,
    n_steps: float,
    rule: str,
    choice: Choice | None = None,
    names: Names | None = None,
) -> Iterator[tuple[Any, Any, Any]]:
    """Attributes and streams.

    Yields:
        Values for the view, the status and the session, after some layers each.
    """
    kept: Any = None
    try:
        fields = (function, baseline, precision, tolerance, n_steps, rule)
        choice, job = prepare_job(models, model, (text, text_pair), target, fields, choice, names)
        for values in _stream(models, choice, job):
            kept = values[-1]
            yield values
    except UserError as error:
        view, _, kept = stop_run(kept if isinstance(kept, Session) else None)
        yield view, warn(str(error)), kept


def is_long_run(model: str, text: str, text_pair: str, *rest: Any) -> bool:
    """Tells whether a run will take long enough to let others go first from its beginning."""
    return len(str(text or "")) + len(str(text_pair or "")) > LONG_CHARACTERS  # a program may send anything


def prepare_job(
    models: Models,
    model: str,
    texts: tuple[str, str],
    target: str,
    fields: tuple[Any, ...],
    choice: Choice | None,
    names: Names | None,
) -> tuple[Choice, Job]:
    """Reads the header: what is to be attributed.

    Raises:
        UserError: For a text that is too long, a checkpoint that is not here, or settings that are none.
    """
    settings = read_settings(*fields)
    models.page.check_texts(texts)
    choice = models.find(model, choice)
    if not choice.is_here:  # a download here would hold up everybody else's runs
        raise UserError(f"{choice.description.name!r} is not downloaded yet: press Load first.")
    own = models.find_own(choice, names)
    job = Job(choice.description, own, tuple(clean_text(text or "") for text in texts), target or PREDICTED, settings)
    return choice, replace(job, reports=choice.key not in models.reports, limits=models.page)


def run_example(
    models: Models, model: str, text: str, text_pair: str, *rest: Any
) -> Iterator[tuple[Any, Any, Any, gr.Dropdown]]:
    """Runs an example: its predicted label is explained, whatever was explained before."""
    choice, names = models.find(model), rest[-1]
    target = gr.Dropdown([PREDICTED, *models.find_labels(choice, names)], value=PREDICTED)
    for view, status, session in run_attribution(models, model, text, text_pair, PREDICTED, *rest):
        yield view, status, session, target


def stop_run(session: Session | None) -> tuple[Any, Any, Any]:
    """Keeps the layers that were ready when the run was stopped."""
    if session is None or session.status != "running":
        return gr.skip(), "", gr.skip()
    stopped = replace(session, status="stopped")
    return stopped.build_message(), "", stopped


def open_result(path: str | None) -> tuple[Any, Any, Any, Any]:
    """Shows a saved result file or bundle: values for the view, the status and the session, and a bundle's words."""
    try:
        with taking_upload(path) as file:
            bundle = load_bundle(file)
        _check_size(bundle.attribution)
    except UserError as error:
        return gr.skip(), warn(str(error)), gr.skip(), None
    session = Session(bundle.attribution, secrets.token_hex(6), "opened")
    return session.build_message(), "", session, bundle.view


def send_whole_map(session: Session | PutAway | None, event: gr.EventData) -> Any:
    """Answers a view of a long text: the whole map of the head that is selected there."""
    asked = event._data if isinstance(event._data, dict) else {}
    layer, head = asked.get("layer"), asked.get("head")
    if not isinstance(session, Session) or asked.get("run") != session.run:
        return gr.skip()  # the strongest entries stay
    result = session.result
    is_layer = type(layer) is int and layer in range(result.n_layers) and result.finished[layer]
    is_head = head is None or (type(head) is int and head in range(result.n_heads))
    return build_whole_map(result, run=session.run, layer=layer, head=head) if is_layer and is_head else gr.skip()


def find_session(session: Session | PutAway | None, run: Any, then: str) -> Session:
    """Finds the result that the page shows.

    Args:
        session: What the server has of it; None where that is the first screen.
        run: What the page says that names it; not trusted.
        then: What the visitor wants to do with it, in a word.

    Raises:
        UserError: When it is not on the server any more.
    """
    session = session or find_first_session()
    if session is None or run != session.run:
        raise UserError(f"The result shown is no longer on the server: press Run again, then {then}.")
    if isinstance(session, PutAway):
        raise UserError(f"The result shown was put away to make room for others: press Run again, then {then}.")
    return session


@cache
def find_first_session() -> Session | None:
    """What the first screen shows: a finished example."""
    result = load_example(FIRST)
    return None if result is None else Session(result, "first", "example", key=f"{EXAMPLES[FIRST][0]}@")


def _check_size(result: Attribution) -> None:
    names = (result.model, result.revision, result.notice[:1], *result.labels, *result.tokens, *result.word_labels)
    sizes = (len(result.tokens), result.n_layers, result.n_heads, len(result.labels), max(map(len, names)))
    for (what, most), size in zip(MAX_SHOWN.items(), sizes, strict=True):
        if size > most:
            raise UserError(f"This result has {size:,} {what}: the page shows up to {most}; open it in Python instead.")


def read_settings(
    function: str, baseline: str, precision: str, tolerance: float, n_steps: float, rule: str
) -> Settings:
    """Reads the fields of the convention.

    Raises:
        UserError: For a value that is out of range.
    """
    if precision not in (TOLERANCE, FIXED):
        raise UserError(f"Unknown quadrature {str(precision)[:80]!r}: choose {TOLERANCE!r} or {FIXED!r}.")
    own_rule = None if rule == AUTOMATIC else rule
    if precision == FIXED:
        n_nodes = _read_number("number of nodes", n_steps, int)
        if n_nodes != n_steps or n_nodes > MAX_STEPS:
            raise UserError(
                f"The number of nodes is {str(n_steps)[:80]}: choose a whole number from 1 to {MAX_STEPS} here."
            )
        return Settings(function, baseline, own_rule, n_nodes)
    return Settings(function, baseline, own_rule, tolerance=_read_number("tolerance", tolerance, float))


def _read_number(name: str, value: Any, kind: type) -> Any:
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"The {name} is {str(value)[:80]!r}: type a number.") from error


def _stream(models: Models, choice: Choice, job: Job) -> Iterator[tuple[Any, Any, Any]]:
    if not is_loaded(job.description):
        yield gr.skip(), tell(f"Loading {job.description.name} …"), gr.skip()
    run, sent = secrets.token_hex(6), set()
    for part in attribute_job(job):
        if isinstance(part, Refusal):
            raise UserError(part.sentence)
        if isinstance(part, LabelReport):
            models.note(choice, part)
            continue
        result = part.result
        is_done = bool(result.finished.all())
        session = Session(result, run, "done" if is_done else "running", part.seconds, part.device, choice.key)
        fresh = [layer for layer in range(result.n_layers) if result.finished[layer] and layer not in sent]
        sent.update(fresh)
        yield session.build_message(None if is_done else fresh), "", session
