"""Mining and evaluating triggers. On ZeroGPU another process does it, as with `attattr_core.ui.work`."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from attattr_core.datasets import ExampleSet
from attattr_core.hub import Description, find_snapshot
from attattr_core.triggers.cut_texts import tell_cut
from attattr_core.triggers.overlap import choose_examples, drop_mined
from attattr_core.triggers.results import TriggerSet, TriggerStudy
from attattr_core.ui.job_log import Refusal, count_rows, logged
from attattr_core.ui.models import identify
from attattr_core.ui.shortages import refusing
from attattr_core.ui.spaces import LONGEST, estimate_seconds, on_gpu
from attattr_core.ui.work import find_cache

if TYPE_CHECKING:
    from attattr_core.checkpoints.checkpoint import Checkpoint

_CHARACTERS = 100  # of an example, as most have
_EVALUATED = "to evaluate on"


@dataclass(frozen=True)
class MiningJob:
    """What is to be mined.

    Attributes:
        description: The checkpoint.
        names: The visitor's own label names, or ().
        examples: The data.
        mode: The way of mining.
        n_examples: How many examples.
        min_tokens: Shorter ones are left out.
        seed: Where their random choice begins; None for the first ones.
        state: A file that keeps what is done.
    """

    description: Description
    names: tuple[str, ...]
    examples: ExampleSet
    mode: str
    n_examples: int
    min_tokens: int
    seed: int | None
    state: Path


@dataclass(frozen=True)
class EvaluationJob:
    """What is to be evaluated.

    Attributes:
        description: The checkpoint that the triggers were mined on.
        names: The visitor's own label names for it, or ().
        examples: The data.
        triggers: The triggers.
        n_triggers: How many of them, the first.
        n_seeds: Random controls beside each.
        only_best: Whether only the three best of each class get controls.
        drops: Whether examples that were mined are left out, in place of refusing them.
        second: Another checkpoint, which is attacked in its place, or None.
        second_names: The visitor's own label names for that one.
    """

    description: Description
    names: tuple[str, ...]
    examples: ExampleSet
    triggers: TriggerSet
    n_triggers: int
    n_seeds: int
    only_best: bool = False
    drops: bool = False
    second: Description | None = None
    second_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notice:
    """What there is to know about the data, or ""."""

    sentence: str


@dataclass(frozen=True, eq=False)
class Part:
    """What there is so far, and how far the work is; unlike the core's own steps it is read without loading torch.

    Attributes:
        found: The triggers, or what they do.
        n_done: Pieces of work done.
        n_total: And to do.
    """

    found: TriggerSet | TriggerStudy
    n_done: int
    n_total: int


def _count_bytes(description: Description) -> int:
    parts = [part for part in (description, description.base) if part is not None]
    return sum(path.stat().st_size for part in parts for path in find_snapshot(part).glob("*.safetensors"))


def _estimate_mining(job: MiningJob) -> int:
    one = estimate_seconds(_count_bytes(job.description), n_characters=_CHARACTERS, n_nodes=64)
    return min(LONGEST, one + job.n_examples // 4)


def _estimate_evaluation(job: EvaluationJob) -> int:
    passes = len(job.examples) * job.n_triggers * (1 + 2 * job.n_seeds)
    return min(LONGEST, estimate_seconds(_count_bytes(job.description)) + passes // 1000)


@logged("mining", lambda _, job: count_rows(min(len(job.examples), job.n_examples)))
@on_gpu(_estimate_mining)
@refusing("a smaller model or shorter texts")
def mine(job: MiningJob) -> Iterator[Part | Notice | Refusal]:
    """Mines triggers, some examples at a time, after a `Notice`; a `Refusal` ends it."""
    from attattr_core.triggers.mining import mine_triggers

    with _use(job.description, job.names) as checkpoint:
        chosen = choose_examples(len(job.examples), job.n_examples, job.seed)
        mined = replace(job.examples, examples=tuple(job.examples.examples[index] for index in chosen))
        yield Notice(tell_cut(checkpoint, mined, "to mine"))
        options = {name: getattr(job, name) for name in ("mode", "n_examples", "min_tokens", "seed", "state")}
        with closing(mine_triggers(checkpoint, job.examples, **options)) as steps:
            for step in steps:
                yield Part(step.triggers, step.n_done, step.n_total)


@logged("evaluation", lambda _, job: count_rows(len(job.examples)))
@on_gpu(_estimate_evaluation)
@refusing("a smaller model or shorter texts")
def evaluate(job: EvaluationJob) -> Iterator[Part | Notice | Refusal]:
    """Evaluates triggers, one pass over the data at a time, after a `Notice`; a `Refusal` ends it."""
    from attattr_core.triggers.evaluation import evaluate_triggers
    from attattr_core.triggers.transfer import transfer_triggers

    names = ("n_triggers", "n_seeds", "only_best")
    options = {"drop_overlap": job.drops, **{name: getattr(job, name) for name in names}}
    with ExitStack() as stack:
        checkpoint = attacked = stack.enter_context(_use(job.description, job.names))
        if job.second is not None:
            attacked = stack.enter_context(_use(job.second, job.second_names))
        examples = drop_mined(job.examples, job.triggers.example_digests, drop=True) if job.drops else job.examples
        yield Notice(tell_cut(attacked, examples, _EVALUATED))
        if job.second is None:
            steps = evaluate_triggers(checkpoint, job.examples, job.triggers, **options)
        else:
            steps = transfer_triggers(checkpoint, attacked, job.examples, job.triggers, **options)
        for step in stack.enter_context(closing(steps)):
            yield Part(step.study, step.n_done, step.n_total)


@contextmanager
def _use(description: Description, names: tuple[str, ...]) -> "Iterator[Checkpoint]":
    """The checkpoint with the visitor's label names; a model of the Hub may load and then fail at every text."""
    from attattr_core.checkpoints.loading import explaining
    from attattr_core.labels.naming import rename_labels

    name, revision = identify(description)
    with (
        find_cache().use(name, revision=revision, description=description) as checkpoint,
        explaining(description.name, "run on these texts"),
    ):
        yield rename_labels(checkpoint, names) if names else checkpoint
