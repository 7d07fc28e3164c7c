"""Measuring heads, which needs a model. On ZeroGPU another process does it, as with `attattr_core.ui.work`."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attattr_core.datasets import ExampleSet, pick_examples
from attattr_core.hub import Description, find_snapshot
from attattr_core.ui.heads_jobs import CurvesJob, CurvesStep, ImportanceJob, ImportanceStep, SmallerJob, SmallerStep
from attattr_core.ui.job_log import Refusal, count_rows, logged
from attattr_core.ui.models import identify
from attattr_core.ui.shortages import refusing
from attattr_core.ui.spaces import LONGEST, estimate_seconds, on_gpu
from attattr_core.ui.work import find_cache

if TYPE_CHECKING:
    from attattr_core.heads.shrinking import ShrinkSoFar

_SECONDS_BETWEEN_STEPS = 0.4
_LEAST_UNSEEN = 30  # examples; with fewer the curves would say little
_TIMING = {"n_rounds": 5, "n_timed": 16}  # fewer than on the command line, where nobody waits


def _estimate(job: Any) -> int:
    parts = [part for part in (job.description, job.description.base) if part is not None]
    n_bytes = sum(path.stat().st_size for part in parts for path in find_snapshot(part).glob("*.safetensors"))
    n_characters = sum(len(example.text.encode()) for example in job.examples.examples)
    return max(LONGEST // 2, estimate_seconds(n_bytes, n_characters=n_characters))


def _count(_: Any, job: Any) -> str:
    return count_rows(min(len(job.examples), getattr(job, "n_examples", len(job.examples))))


@logged("head importance", _count)
@on_gpu(_estimate)
@refusing("a smaller model or fewer examples")
def rank_heads(job: ImportanceJob) -> Iterator[ImportanceStep | Refusal]:
    """Measures an importance, batch by batch; a `Refusal` ends it."""
    from attattr_core.heads.importance import measure_importance

    options = {"n_examples": job.n_examples, "seed": job.seed, "state": job.state}
    last = 0.0
    with _use(job.description) as checkpoint:
        for part in measure_importance(checkpoint, job.examples, job.method, settings=job.settings, **options):
            if part.n_done == part.n_total or time.monotonic() - last > _SECONDS_BETWEEN_STEPS:
                last = time.monotonic()
                yield ImportanceStep(part.importance, part.n_done, part.n_total, part.share)


@logged("pruning", _count)
@on_gpu(_estimate)
@refusing("a smaller model or fewer examples")
def prune_heads(job: CurvesJob) -> Iterator[CurvesStep | Refusal]:
    """Measures pruning curves; a `Refusal` ends it."""
    from attattr_core.heads.pruning import measure_curves

    options = {"directions": job.directions, "n_seeds": job.n_seeds, "every_head": job.every_head, "layerwise": True}
    last, sent = 0.0, None
    with _use(job.description) as checkpoint:
        examples, notice = _choose_examples(job)
        for part in measure_curves(checkpoint, examples, job.importances, state=job.state, **options):
            is_done = part.n_done == part.n_total
            if is_done or time.monotonic() - last > _SECONDS_BETWEEN_STEPS:
                last = time.monotonic()
                yield CurvesStep(None if part.study is sent else part.study, part.n_done, part.n_total, notice)
                sent = part.study


def _choose_examples(job: CurvesJob) -> tuple[ExampleSet, str]:
    """Chooses what curves are measured on, and says where examples that ranked the heads are among it."""
    from attattr_core.heads.pruning import find_seen, leave_out_seen

    examples, importances, notice = job.examples, job.importances.values(), ""
    n_seen = len(find_seen(examples, importances))
    if any(not one.data_sha256 and one.method != "random" for one in importances):
        notice = "It is not known which examples ranked the heads; where these are among them, the curves flatter."
    elif len(examples) - n_seen >= min(_LEAST_UNSEEN, job.n_examples):
        examples = leave_out_seen(examples, importances)
    else:
        notice = (
            "The curves are measured on examples that ranked the heads too, which flatters them: "
            f"{n_seen} of the {len(examples)} did."
        )
    seed = job.seed if job.n_examples < len(examples) else None
    return pick_examples(examples, job.n_examples, seed=seed), notice


@logged("smaller model", _count)
@on_gpu(_estimate)
@refusing("a smaller model or fewer examples")
def shrink_heads(job: SmallerJob) -> Iterator[SmallerStep | Refusal]:
    """Makes a smaller model and packs it for a download; a `Refusal` ends it."""
    from attattr_core.heads.shrinking import pack_smaller

    with _use(job.description) as checkpoint:
        options = {"importance": job.importance, "examples": job.examples, **_TIMING}
        for part in pack_smaller(checkpoint, job.heads, job.path, **options):
            yield _describe_step(part)


def _describe_step(part: "ShrinkSoFar") -> SmallerStep:
    counts = part.stage, part.n_done, part.n_total
    if part.stage != "done":
        return SmallerStep(*counts)
    compared = part.comparison
    figures = list(compared.models.values())
    return SmallerStep(
        *counts,
        (figures[0], figures[1]),
        metric_name=compared.metric_name,
        n_examples=compared.n_examples,
        n_zeroed=part.smaller.n_zeroed,
        device=compared.device,
    )


def _use(description: Description) -> Any:
    name, revision = identify(description)
    return find_cache().use(name, revision=revision, description=description)
