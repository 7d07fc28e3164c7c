"""Mine, Evaluate and Stop on the triggers tab: from its fields to messages for its view."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from attattr_core.datasets import ExampleSet, digest_example
from attattr_core.errors import UserError
from attattr_core.triggers.overlap import choose_examples, drop_mined
from attattr_core.ui.components import tell, warn
from attattr_core.ui.data_picker import DataChoice, read_choice
from attattr_core.ui.model_picker import Names
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.triggers_payload import Mined, Progress, Shown, gather
from attattr_core.ui.triggers_shipped import find_shipped, read_file
from attattr_core.ui.triggers_work import EvaluationJob, MiningJob, evaluate, mine
from attattr_core.ui.work import Refusal, is_loaded

LIMITS = {"examples to mine": 5000, "least number of tokens": 512, "triggers to evaluate": 500, "random draws": 20}
_MAX_KEPT = 4  # checkpoints whose results a visitor's tab keeps
_SECONDS_BETWEEN_MESSAGES = 0.5

Kept = dict[str, Shown]
Values = tuple[Any, Any, Any]  # for the view, the status and the state


@dataclass(frozen=True)
class Wanted:
    """What the fields of the tab say.

    Attributes:
        mining: The data to mine.
        evaluation: The data to evaluate on.
        mode: The way of mining.
        n_examples: Examples to mine.
        min_tokens: Shorter ones are left out.
        n_triggers: Triggers to evaluate.
        n_seeds: Random draws beside each.
        at_random: Whether the examples to mine are chosen at random; else they are the first ones.
        only_best: Whether only the three best of each class get random draws.
        drops: Whether mined examples are left out of the evaluation, in place of refusing it.
    """

    mining: DataChoice
    evaluation: DataChoice
    mode: str
    n_examples: float
    min_tokens: float
    n_triggers: float
    n_seeds: float
    at_random: bool = True
    only_best: bool = False
    drops: bool = False

    @property
    def seed(self) -> int | None:
        """Where the choice of the examples begins."""
        return 0 if self.at_random else None

    def count(self) -> tuple[int, int, int, int]:
        """Reads the four numbers.

        Raises:
            UserError: For what is no whole number, or out of range.
        """
        values = (self.n_examples, self.min_tokens, self.n_triggers, self.n_seeds)
        least = (1, 0, 1, 0)
        return tuple(
            _read_count(name, value, low, high)
            for (name, high), value, low in zip(LIMITS.items(), values, least, strict=True)
        )


def fill(choice: Choice | None, kept: Kept | None) -> str:
    """Fills the view with what is known for a checkpoint: a visitor's own result, else that which comes with it."""
    shown = find_shown(choice, kept)
    return "" if shown is None else shown.build_message()


def find_shown(choice: Choice | None, kept: Kept | None) -> Shown | None:
    """Finds what the tab shows for a checkpoint."""
    if choice is None:
        return None
    return (kept or {}).get(choice.key) or find_shipped(choice.description.name)


def mine_data(
    models: Models,
    model: str,
    choice: Choice | None,
    names: Names | None,
    kept: Kept | None,
    wanted: Wanted,
    *,
    evaluates: bool,
) -> Iterator[Values]:
    """Mines triggers and, where that is wanted, evaluates them.

    Yields:
        Values for the view, the status and the state.
    """
    work = _Work(models, model, choice, names, kept)
    try:
        n_examples, min_tokens, n_triggers, n_seeds = wanted.count()
        choice = work.start()
        examples = read_choice(wanted.mining, None)
        others = read_choice(wanted.evaluation, None) if evaluates else None
        if others is not None and not wanted.drops:
            check_apart(examples, others, n_examples, wanted.seed)
        own = _own(names, choice)
        job = MiningJob(choice.description, own, examples, wanted.mode, n_examples, min_tokens, wanted.seed)
        yield work.say(f"Loading {choice.description.name} …" if not is_loaded(choice.description) else "")
        mined = None
        for part in _refusing(mine(job)):
            if work.is_due(part.n_done, part.n_total, "examples" if job.mode == "paper" else "steps", "mining"):
                mined = gather(part.triggers) if part.triggers.triggers else None
                yield work.show("running", wanted.mode, mined)
        if not part.triggers.triggers:
            raise UserError("No trigger was found in these examples: take more of them, or other data.")
        mined = gather(part.triggers)
        if others is None:
            yield work.show("done", wanted.mode, mined)
            return
        job = EvaluationJob(choice.description, own, others, mined.triggers, n_triggers, n_seeds)
        job = replace(job, only_best=wanted.only_best, drops=wanted.drops)
        yield from _evaluate(work, job, mined, wanted)
    except UserError as error:
        yield work.refuse(error)


def evaluate_shown(
    models: Models,
    model: str,
    choice: Choice | None,
    names: Names | None,
    kept: Kept | None,
    mode: str,
    wanted: Wanted,
    second: Choice | None = None,
) -> Iterator[Values]:
    """Evaluates the triggers of the table, on their own checkpoint or on a second one.

    Yields:
        Values for the view, the status and the state.
    """
    work = _Work(models, model, choice, names, kept)
    try:
        *_, n_triggers, n_seeds = wanted.count()
        first = work.start()
        shown = find_shown(first, kept)
        mined = None if shown is None else shown.find(mode)
        if mined is None:
            raise UserError("There are no triggers to evaluate: mine some first, or open a trigger file.")
        attacked = (second or first).description
        if not (second or first).is_here:
            raise UserError(f"{attacked.name!r} is not downloaded yet: press Load first.")
        others = read_choice(wanted.evaluation, None)
        yield work.say(f"Loading {attacked.name} …" if not is_loaded(attacked) else "")
        job = EvaluationJob(first.description, _own(names, first), others, mined.triggers, n_triggers, n_seeds)
        job = replace(job, only_best=wanted.only_best, drops=wanted.drops)
        if second is not None:
            job = replace(job, second=attacked, second_names=_own(names, second))
        yield from _evaluate(work, job, mined, wanted)
    except UserError as error:
        yield work.refuse(error)


def stop_work(choice: Choice | None, kept: Kept | None) -> tuple[Any, Any]:
    """Keeps what there was when the work was stopped: values for the view and the state."""
    shown = (kept or {}).get(choice.key) if choice else None
    if shown is None or shown.status != "running":
        return gr.skip(), gr.skip()
    stopped = replace(shown, status="stopped")
    return stopped.build_message(), {**kept, choice.key: stopped}


def open_file(path: str, models: Models, choice: Choice | None, names: Names | None, kept: Kept | None) -> Values:
    """Shows a trigger file, ours or the authors'."""
    try:
        if choice is None:
            raise UserError("No checkpoint is chosen: choose the one that the triggers belong to first.")
        shown = read_file(Path(path), models.find_labels(choice, names))
        shown = replace(shown, has_shipped=find_shipped(choice.description.name) is not None)
    except UserError as error:
        return gr.skip(), warn(str(error)), gr.skip()
    finally:
        Path(path).unlink(missing_ok=True)  # it holds tokens of somebody's texts
    return shown.build_message(), "", _keep(kept, choice.key, shown)


def forget_own(choice: Choice | None, kept: Kept | None) -> tuple[Any, Any]:
    """Goes back to the result that comes with the checkpoint: values for the view and the state."""
    left = {key: shown for key, shown in (kept or {}).items() if choice is None or key != choice.key}
    return fill(choice, left), left


def use_flip(choice: Choice | None, kept: Kept | None, asked: Any) -> Values:
    """Puts an example that flipped into the header: values for its two texts and the status."""
    shown = find_shown(choice, kept)
    asked = asked if isinstance(asked, dict) else {}
    try:
        if shown is None or asked.get("run") != shown.run:
            raise UserError("This example is no longer on the server: evaluate again.")
        mined = shown.find(str(asked.get("mode")))
        index = asked.get("index")
        if mined is None or mined.source is None or type(index) is not int:
            raise UserError("The data that this example is from are not at hand: evaluate again.")
        data, drops = mined.source
        examples = read_choice(data, None)
        if drops:
            examples = drop_mined(examples, mined.triggers.example_digests, drop=True)
        if not 0 <= index < len(examples):
            raise UserError("The data have changed since they were evaluated: evaluate again.")
        example = examples.examples[index]
        return example.text, example.text_pair or "", ""
    except UserError as error:
        return gr.skip(), gr.skip(), warn(str(error))


def check_apart(mining: ExampleSet, evaluation: ExampleSet, n_examples: int, seed: int | None) -> None:
    """Refuses evaluation data that hold examples to be mined, before any work is done.

    Raises:
        UserError: When they do.
    """
    mined = {digest_example(mining.examples[index]) for index in choose_examples(len(mining), n_examples, seed)}
    n_both = sum(digest_example(example) in mined for example in evaluation.examples)
    if n_both:
        raise UserError(
            f"{n_both} of the {len(evaluation)} examples of {evaluation.file_name!r} would be mined too, and what is "
            "measured on them proves nothing: choose other data, or leave mined examples out (see 2)."
        )


class _Work:
    """One piece of work: what the visitor sees of it."""

    def __init__(
        self, models: Models, model: str, choice: Choice | None, names: Names | None, kept: Kept | None
    ) -> None:
        self.models, self.model, self.choice, self.names, self.kept = models, model, choice, names, kept
        self.run, self.started, self.last = secrets.token_hex(6), time.monotonic(), 0.0
        self.progress: Progress | None = None

    def start(self) -> Choice:
        self.choice = self.models.find(self.model, self.choice)
        if not self.choice.is_here:
            raise UserError(f"{self.choice.description.name!r} is not downloaded yet: press Load first.")
        return self.choice

    def is_due(self, n_done: int, n_total: int, unit: str, what: str) -> bool:
        """Notes how far the work is; whether the visitor has not been told for a while."""
        now = time.monotonic()
        self.progress = Progress(what, unit, n_done, n_total, now - self.started)
        if now - self.last < _SECONDS_BETWEEN_MESSAGES:
            return False
        self.last = now
        return True

    def restart(self) -> None:
        self.started = time.monotonic()

    def show(self, status: str, mode: str, mined: Mined | None) -> Values:
        """Shows what there is so far; before there is anything, what was there before."""
        before = find_shown(self.choice, self.kept)
        groups = dict(before.mined) if before is not None else {}
        if mined is not None:
            groups[mode] = mined
        has_shipped = find_shipped(self.choice.description.name) is not None
        shown = Shown(self.run, status, groups, mode, self.progress, has_shipped=has_shipped)
        self.kept = _keep(self.kept, self.choice.key, shown)
        return shown.build_message(), "", self.kept

    def say(self, sentence: str) -> Values:
        return gr.skip(), tell(sentence) if sentence else "", gr.skip()

    def refuse(self, error: UserError) -> Values:
        """Says what went wrong; what was there stays, and is no longer running."""
        shown = (self.kept or {}).get(self.choice.key) if self.choice else None
        if shown is None or shown.run != self.run or shown.status != "running":
            return gr.skip(), warn(str(error)), gr.skip()
        stopped = replace(shown, status="stopped")
        return stopped.build_message(), warn(str(error)), _keep(self.kept, self.choice.key, stopped)


def _evaluate(work: _Work, job: EvaluationJob, mined: Mined, wanted: Wanted) -> Iterator[Values]:
    attacked, mode = job.second or job.description, mined.triggers.mode

    def add(part: Any) -> Mined:
        if job.second is not None:
            return replace(mined, transfer=part.study)
        return replace(mined, study=part.study, source=(wanted.evaluation, wanted.drops))

    work.restart()
    for part in _refusing(evaluate(job)):
        if work.is_due(part.n_done, part.n_total, "passes over the data", f"evaluating on {attacked.name}"):
            yield work.show("running", mode, add(part))
    yield work.show("done", mode, add(part))


def _own(names: Names | None, choice: Choice) -> tuple[str, ...]:
    return (names or {}).get(choice.key, ())


def _refusing(parts: Iterator[Any]) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, Refusal):
            raise UserError(part.sentence)
        yield part


def _keep(kept: Kept | None, key: str, shown: Shown) -> Kept:
    others = {name: value for name, value in (kept or {}).items() if name != key}
    return {**dict(list(others.items())[-_MAX_KEPT + 1 :]), key: shown}


def _read_count(name: str, value: Any, least: int, most: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"The number of {name} is {str(value)[:80]!r}: type a number.") from error
    if number != value or not least <= number <= most:
        raise UserError(f"The number of {name} is {value}: choose a whole number from {least} to {most} here.")
    return number
