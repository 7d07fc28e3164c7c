"""Ranking and pruning heads step by step, for the page and for programs: what was measured on this server is kept."""

from collections.abc import Iterator

from attattr_core.datasets import ExampleSet
from attattr_core.errors import UserError
from attattr_core.heads.results import HeadImportance
from attattr_core.settings import Settings
from attattr_core.ui.heads_jobs import CurvesJob, CurvesStep, ImportanceJob, ImportanceStep
from attattr_core.ui.heads_request import Request
from attattr_core.ui.heads_work import prune_heads, rank_heads
from attattr_core.ui.job_log import Refusal
from attattr_core.ui.models import Choice
from attattr_core.ui.store import find_store, make_key

SEED = 0  # of the choice of examples


def rank_once(
    choice: Choice, examples: ExampleSet, method: str, *, n_examples: int, seed: int | None, settings: Settings
) -> Iterator[ImportanceStep]:
    """Ranks the heads by a method; what was measured before under the same conditions is taken.

    Args:
        choice: The checkpoint.
        examples: Labelled by its class indices.
        method: One of `attattr_core.heads.results.METHODS`.
        n_examples: How many count, at most.
        seed: Where their choice begins; None for the first ones.
        settings: The convention of attributions.

    Raises:
        UserError: For what `attattr_core.heads.importance.measure_importance` refuses.
    """
    facts = {"method": method, "n": n_examples, "seed": seed, "settings": settings if method == "attattr" else None}
    key = make_key(kind="importance", model=choice.key, data=examples.sha256, labels=examples.label_names, **facts)
    store = find_store()
    known = store.find(key)
    if known is not None:
        yield known
        return
    n_ranking = min(n_examples, len(examples))
    job = ImportanceJob(choice.description, examples, method, n_ranking, seed, settings, store.find_file(key))
    for step in rank_heads(job):
        if isinstance(step, Refusal):
            raise UserError(step.sentence)
        if step.n_done == step.n_total:
            store.keep(key, step)
        yield step


def prune(
    choice: Choice, examples: ExampleSet, request: Request, importances: dict[str, HeadImportance]
) -> Iterator[CurvesStep]:
    """Measures pruning curves.

    Args:
        choice: The checkpoint.
        examples: Labelled by its class indices.
        request: What is asked for.
        importances: What orders the heads, by name.

    Raises:
        UserError: For what `attattr_core.heads.pruning.measure_curves` refuses.
    """
    for step in prune_heads(_plan(choice, examples, request, importances)):
        if isinstance(step, Refusal):
            raise UserError(step.sentence)
        yield step


def _plan(choice: Choice, examples: ExampleSet, request: Request, importances: dict[str, HeadImportance]) -> CurvesJob:
    orders = {
        name: [importance.list_order(direction).tolist() for direction in request.directions]
        for name, importance in importances.items()
    }
    facts = {
        "n": (request.n_ranking, request.n_pruning),
        "directions": request.directions,
        "seeds": request.n_seeds,
        "every": request.every_head,
    }
    key = make_key(
        kind="curves", model=choice.key, data=examples.sha256, labels=examples.label_names, orders=orders, **facts
    )
    return CurvesJob(
        choice.description,
        examples,
        request.n_pruning,
        SEED,
        dict(importances),
        request.directions,
        request.n_seeds,
        request.every_head,
        find_store().find_file(key),
    )
