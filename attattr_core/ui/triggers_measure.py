"""Mine, Evaluate and Transfer on the triggers tab: from its fields to messages for its view, step by step."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from attattr_core.datasets import ExampleSet
from attattr_core.errors import UserError
from attattr_core.ui.components import tell, warn
from attattr_core.ui.data_picker import read_choice
from attattr_core.ui.long_work import Clock, Desk
from attattr_core.ui.model_picker import Names
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.store import find_store, make_key
from attattr_core.ui.triggers_mined import Mined, gather
from attattr_core.ui.triggers_payload import Progress, Shown
from attattr_core.ui.triggers_request import Wanted, check_apart
from attattr_core.ui.triggers_shipped import find_shipped
from attattr_core.ui.triggers_shown import Kept, Values, find_shown, keep
from attattr_core.ui.triggers_work import EvaluationJob, MiningJob, Notice, Part, evaluate, mine
from attattr_core.ui.work import Refusal, is_loaded

_SECONDS_BETWEEN_MESSAGES = 0.5


def mine_data(
    models: Models,
    model: str,
    choice: Choice | None,
    names: Names | None,
    kept: Kept | None,
    desk: Desk,
    wanted: Wanted,
    *,
    evaluates: bool,
) -> Iterator[Values]:
    """Mines triggers and, where that is wanted, evaluates them; mining that was stopped goes on.

    Yields:
        Values for the view, the status and the state.
    """
    work = _Work(models, model, choice, names, kept)
    yield from desk.follow(work.explain(_mine(work, wanted, evaluates=evaluates)))


def evaluate_shown(
    models: Models,
    model: str,
    choice: Choice | None,
    names: Names | None,
    kept: Kept | None,
    desk: Desk,
    mode: str,
    wanted: Wanted,
    second: Choice | None = None,
) -> Iterator[Values]:
    """Evaluates the triggers of the table, on their own checkpoint or on a second one.

    Yields:
        Values for the view, the status and the state.
    """
    work = _Work(models, model, choice, names, kept)
    yield from desk.follow(work.explain(_evaluate_shown(work, mode, wanted, second)))


class _Work:
    """One piece of work: what the visitor sees of it."""

    def __init__(
        self, models: Models, model: str, choice: Choice | None, names: Names | None, kept: Kept | None
    ) -> None:
        self.models, self.model, self.choice, self.names, self.kept = models, model, choice, names, kept
        self.run, self.clock, self.last = secrets.token_hex(6), Clock(), 0.0
        self.progress: Progress | None = None
        self.notices: dict[str, str] = {}

    def start(self) -> Choice:
        self.choice = self.models.find(self.model, self.choice)
        if not self.choice.is_here:
            raise UserError(f"{self.choice.description.name!r} is not downloaded yet: press Load first.")
        return self.choice

    def listen(self, part: str, steps: Iterator[Any], data: ExampleSet) -> Iterator[Any]:
        """Passes on what a part of the work yields; notes what there is to know, and raises a refusal."""
        self.clock = Clock()
        self.notices[part] = data.notice
        for step in steps:
            if isinstance(step, Refusal):
                raise UserError(step.sentence)
            if isinstance(step, Notice):
                self.notices[part] = " ".join(filter(None, (data.notice, step.sentence)))
            else:
                yield step

    def explain(self, steps: Iterator[Values]) -> Iterator[Values]:
        """Passes steps on, and ends with a sentence where something went wrong."""
        try:
            yield from steps
        except UserError as error:
            yield self.refuse(error)

    def is_due(self, n_done: int, n_total: int, unit: str, what: str) -> bool:
        """Notes how far the work is; whether the visitor has not been told for a while."""
        left = self.clock.estimate(n_done / n_total) if n_total else None
        self.progress = Progress(what, unit, n_done, n_total, left)
        if time.monotonic() - self.last < _SECONDS_BETWEEN_MESSAGES:
            return False
        self.last = time.monotonic()
        return True

    def show(self, status: str, mode: str, mined: Mined | None) -> Values:
        """Shows what there is so far; before there is anything, what was there before."""
        before = find_shown(self.choice, self.kept)
        groups = dict(before.mined) if before is not None else {}
        if mined is not None:
            groups[mode] = replace(mined, notices={**mined.notices, **self.notices})
        has_shipped = find_shipped(self.choice.description.name) is not None
        shown = Shown(self.run, status, groups, mode, self.progress, has_shipped=has_shipped)
        self.kept = keep(self.kept, self.choice.key, shown)
        return shown.build_message(), "", self.kept

    def say(self, sentence: str) -> Values:
        return gr.skip(), tell(sentence) if sentence else "", gr.skip()

    def refuse(self, error: UserError) -> Values:
        """Says what went wrong; what was there stays, and is no longer running."""
        shown = (self.kept or {}).get(self.choice.key) if self.choice else None
        if shown is None or shown.run != self.run or shown.status != "running":
            return gr.skip(), warn(str(error)), gr.skip()
        stopped = shown.stop()
        return stopped.build_message(), warn(str(error)), keep(self.kept, self.choice.key, stopped)


def _mine(work: _Work, wanted: Wanted, *, evaluates: bool) -> Iterator[Values]:
    n_examples, min_tokens, n_triggers, n_seeds = wanted.count()
    choice, names = work.start(), work.names
    labels, own = work.models.find_labels(choice, names), work.models.find_own(choice, names)
    examples = read_choice(wanted.mining, labels)
    others = read_choice(wanted.evaluation, labels) if evaluates else None
    if others is not None and not wanted.drops:
        check_apart(examples, others, n_examples, wanted.seed)
    facts = {"mode": wanted.mode, "n_examples": n_examples, "min_tokens": min_tokens, "seed": wanted.seed}
    key = make_key(kind="mining", model=choice.key, data=examples.sha256, labels=labels, **facts)
    job = MiningJob(choice.description, own, examples, state=find_store().find_file(key), **facts)
    yield work.say(f"Loading {choice.description.name} …" if not is_loaded(choice.description) else "")
    for part in work.listen("mining", mine(job), examples):
        if work.is_due(part.n_done, part.n_total, "examples" if job.mode == "paper" else "steps", "mining"):
            yield work.show("running", wanted.mode, _gather_so_far(part) if part.found.triggers else None)
    job.state.unlink(missing_ok=True)  # nothing is left to go on with, and it holds tokens of texts
    if not part.found.triggers:
        raise UserError("No trigger was found in these examples: take more of them, or other data.")
    mined = gather(part.found)
    if others is None:
        yield work.show("done", wanted.mode, mined)
        return
    job = EvaluationJob(choice.description, own, others, mined.triggers, n_triggers, n_seeds)
    job = replace(job, only_best=wanted.only_best, drops=wanted.drops)
    yield from _evaluate(work, job, mined, wanted)


def _gather_so_far(part: Part) -> Mined:
    """Triggers of mining that may be stopped here; only the authors' way has some before its end."""
    if part.n_done == part.n_total:
        return gather(part.found)
    return replace(gather(replace(part.found, n_examples=part.n_done)), n_wanted=part.n_total)


def _evaluate_shown(work: _Work, mode: str, wanted: Wanted, second: Choice | None) -> Iterator[Values]:
    *_, n_triggers, n_seeds = wanted.count()
    first, names = work.start(), work.names
    shown = find_shown(first, work.kept)
    mined = None if shown is None else shown.find(mode)
    if mined is None:
        raise UserError("There are no triggers to evaluate: mine some first, or open a trigger file.")
    if second is not None and second.key == first.key:
        raise UserError(f"{second.description.name!r} is the first checkpoint: choose another one as the second.")
    attacked = (second or first).description
    if not (second or first).is_here:
        raise UserError(f"{attacked.name!r} is not downloaded yet: press Load first.")
    others = read_choice(wanted.evaluation, work.models.find_labels(second or first, names))
    yield work.say(f"Loading {attacked.name} …" if not is_loaded(attacked) else "")
    own = work.models.find_own(first, names)
    job = EvaluationJob(first.description, own, others, mined.triggers, n_triggers, n_seeds)
    job = replace(job, only_best=wanted.only_best, drops=wanted.drops)
    if second is not None:
        job = replace(job, second=attacked, second_names=work.models.find_own(second, names))
    yield from _evaluate(work, job, mined, wanted)


def _evaluate(work: _Work, job: EvaluationJob, mined: Mined, wanted: Wanted) -> Iterator[Values]:
    attacked, mode = job.second or job.description, mined.triggers.mode
    name = "study" if job.second is None else "transfer"
    if job.second is None:
        mined = replace(mined, source=(wanted.evaluation, job.examples.label_names, wanted.drops))
    for part in work.listen(name, evaluate(job), job.examples):
        if work.is_due(part.n_done, part.n_total, "passes over the data", f"evaluating on {attacked.name}"):
            yield work.show("running", mode, replace(mined, **{name: part.found}))
    yield work.show("done", mode, replace(mined, **{name: part.found}))
