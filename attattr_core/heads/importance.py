"""Head importance on a labelled data set (section 4 of the paper): attribution, and what it is compared with.

* ``attattr``: I_h = Σ_x max_{i,j} Attr_h(A), of the gold label's probability; the maximum is signed. The paper writes
  the expectation over x, which orders heads the same.
* ``taylor`` (Michel et al., 2019): Σ_x Σ_i |⟨∂loss/∂C_h[i], C_h[i]⟩|, C_h the head's context; each layer is divided by
  its L2 norm over heads.
* ``taylor-authors``: the same of the sum of the logits in place of the loss, as the authors' script has it.
* ``ablation``: accuracy lost when this head alone is off. Heads of equal accuracy are told apart by the mean
  probability that the gold label loses, which weighs a thousandth of one example.
* ``attention``: mean over x of the largest attention probability.
* ``random``: numbers from 0 to 1.

The loss is the cross-entropy with the gold label: the binary one for a single logit, the gold label's own where every
label has a probability of its own, and the squared error for a regression, whose "accuracy" is minus that error.
"""

import platform
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.cluster.workers import LocalWorkers, Work, Workers
from attattr_core.datasets import ExampleSet, pick_examples
from attattr_core.engine.batches import record_batch
from attattr_core.engine.encoding import Encoded, encode, encode_all
from attattr_core.engine.families import count_heads
from attattr_core.engine.outputs import check_function
from attattr_core.engine.products import find_product
from attattr_core.engine.replay import instrumented
from attattr_core.errors import UserError
from attattr_core.heads.golds import Golds, find_golds
from attattr_core.heads.importance_state import State, build_key
from attattr_core.heads.measures import combine, measure_batch
from attattr_core.heads.predictions import list_buckets
from attattr_core.heads.results import METHODS, HeadImportance
from attattr_core.settings import Settings

DEFAULT_EXAMPLES = 200
_CPU_TOKENS = 256  # of a batch: with a few nodes each they fill a processor


@dataclass(frozen=True, eq=False)
class ImportanceSoFar:
    """What there is of an importance while it is measured.

    Attributes:
        importance: Of the examples done; its ``n_examples`` counts them. Zeros while none is.
        n_done: Examples done.
        n_total: Examples in all.
        share: Share of the work that is done, from 0 to 1, for a long example is more work than a short one.
    """

    importance: HeadImportance
    n_done: int
    n_total: int
    share: float


def describe_importance(
    checkpoint: Checkpoint,
    examples: ExampleSet,
    method: str = "attattr",
    *,
    n_examples: int | None = DEFAULT_EXAMPLES,
    seed: int | None = None,
    settings: Settings | None = None,
) -> HeadImportance:
    """Says what `measure_importance` would measure: everything but the values, which are empty.

    Args and Raises are those of `measure_importance`.
    """
    if method not in METHODS:
        raise UserError(f"Unknown method {str(method)[:80]!r}: choose one of {', '.join(METHODS)}.")
    if n_examples is not None and (type(n_examples) is not int or n_examples < 1):
        raise UserError(f"The number of examples is {str(n_examples)[:80]}: choose 1 or more.")
    if seed is not None and (type(seed) is not int or seed < 0):
        raise UserError(f"The seed is {str(seed)[:80]}: choose a whole number from 0 up, or none.")
    n_chosen = min(len(examples), n_examples or len(examples))
    is_random = method == "random"
    return HeadImportance(
        values=np.empty((0, 0)),
        method=method,
        model=checkpoint.name,
        revision=checkpoint.revision,
        data="" if is_random else examples.file_name,
        data_sha256="" if is_random else examples.sha256,
        n_examples=0 if is_random else n_chosen,
        seed=seed or 0 if is_random else seed,
        settings=(settings or Settings()) if method == "attattr" else None,
        versions={"python": platform.python_version(), **{name: version(name) for name in ("torch", "transformers")}},
    )


def measure_importance(
    checkpoint: Checkpoint,
    examples: ExampleSet,
    method: str = "attattr",
    *,
    n_examples: int | None = DEFAULT_EXAMPLES,
    seed: int | None = None,
    settings: Settings | None = None,
    state: str | Path | None = None,
    workers: Workers | None = None,
) -> Iterator[ImportanceSoFar]:
    """Measures how important each head is, batch by batch.

    Args:
        checkpoint: The classifier.
        examples: Labelled examples that the classifier was not trained on.
        method: One of `attattr_core.heads.results.METHODS`; this module's first lines say what each is.
        n_examples: How many examples count, at most; None for all.
        seed: Where their random choice begins; None takes the first ones.
        settings: The convention of the attributions, for ``"attattr"``.
        state: A file that keeps what is done. Where it is there already and keeps this very work, the work goes on
            from there, and gives the same result, bit for bit, as without a stop (on the same processor).
        workers: Who does the work; None for this process. The result is the same (on the same kind of
            processor with as many threads; else but for rounding).

    Returns:
        A generator of what there is so far: new values after each batch of examples, and the same ones with a larger
        share in between. Closing it stops the work and leaves the model as it was.

    Raises:
        UserError: For an unknown method, data without examples or with other classes than the model's, a text that
            cannot be encoded, or a state file that keeps other work or is damaged.
        UnsupportedModelError: When the family cannot be attributed.

    Differs from the authors' code: exact quadrature up to the tolerance in place of 20 left nodes, which
    ``Settings(rule="left", n_steps=20)`` gives.
    """
    described = describe_importance(checkpoint, examples, method, n_examples=n_examples, seed=seed, settings=settings)
    if not len(examples):
        raise UserError("There are no examples in the data: give some.")
    if method == "random":
        return _draw(checkpoint, examples, described)
    chosen = pick_examples(examples, described.n_examples, seed=seed)
    golds = find_golds(checkpoint, chosen, range(len(chosen)))
    if described.settings is not None:
        _check_settings(described.settings, golds)
    texts = [(example.text, example.text_pair) for example in chosen.examples]
    workers = workers or LocalWorkers(checkpoint)
    key = build_key(checkpoint, described, texts, golds, workers.device_type) if state else {}
    kept = State(Path(state) if state else None, key, len(texts), onednn=find_product())
    return _measure(checkpoint, texts, golds, described, kept, workers)


def _check_settings(settings: Settings, golds: Golds) -> None:
    check_function(settings.function, golds.kind)
    if settings.function == "log-probability" and bool((golds.signs < 0).any()):
        raise UserError(
            "The log-probability of an absent label is not what a single logit is explained by: choose 'probability' "
            "or 'logit'."
        )


def _draw(checkpoint: Checkpoint, examples: ExampleSet, described: HeadImportance) -> Iterator[ImportanceSoFar]:
    first = examples.examples[0]
    with instrumented(checkpoint.model):
        layers = record_batch(checkpoint, [encode(checkpoint, first.text, first.text_pair)]).layers
    values = np.random.default_rng(described.seed).random((len(layers), layers[0].attention.shape[1]))
    yield ImportanceSoFar(replace(described, values=values), n_done=1, n_total=1, share=1.0)


def _measure(
    checkpoint: Checkpoint,
    texts: list[tuple[str, str | None]],
    golds: Golds,
    described: HeadImportance,
    state: State,
    workers: Workers,
) -> Iterator[ImportanceSoFar]:
    encoded = list(encode_all(checkpoint, texts))
    lengths = np.array([len(example.tokens) for example in encoded])
    is_cut = [example.n_cut > 0 for example in encoded]
    sizes = np.stack([np.ones_like(lengths), lengths, is_cut], axis=1)  # of an example: itself, its tokens, whether cut
    counts, totals = sizes[list(state.contributions)].sum(axis=0), sizes.sum(axis=0)
    so_far = _summarise(checkpoint, described, state.total, counts, totals)
    if state.contributions:
        yield so_far
    batches = list_batches(checkpoint, encoded, workers.device_type)
    waiting = [batch for batch in batches if any(index not in state.contributions for index in batch)]
    prepare = partial(_prepare, method=described.method, settings=described.settings or Settings())
    shards = (([encoded[index] for index in batch], golds.pick(batch)) for batch in waiting)
    try:
        with closing(workers.start(prepare, onednn=state.onednn)(shards)) as steps:
            for number, share, contributions in steps:
                batch = waiting[number]
                if contributions is not None:
                    counts = counts + sizes[state.add(batch, contributions)].sum(axis=0)
                    so_far = _summarise(checkpoint, described, state.total, counts, totals)
                    yield so_far
                else:
                    yield replace(so_far, share=so_far.share + share * float(lengths[batch].sum() / totals[1]))
    finally:
        state.flush()


def _prepare(checkpoint: Checkpoint, method: str, settings: Settings) -> Work:
    def work(encoded: Sequence[Encoded], golds: Golds) -> Iterator[tuple[float, np.ndarray | None]]:
        with instrumented(checkpoint.model):
            yield from measure_batch(checkpoint, encoded, golds.to(checkpoint.device), method, settings)

    return work


def list_batches(checkpoint: Checkpoint, encoded: Sequence[Encoded], device_type: str) -> list[list[int]]:
    """Lists which examples run together, short and long ones in turn, so that what there is so far stands for all.

    On a processor batches are no larger than fills it: work that is stopped loses less, and less of it is padding.
    """
    batches = list_buckets(checkpoint, list(encoded))
    if device_type != "cpu":
        return batches
    split = []
    for batch in batches:
        longest = max(len(encoded[index].tokens) for index in batch)
        size = -(-_CPU_TOKENS // longest)
        n_parts = -(-len(batch) // size)
        split += [part.tolist() for part in np.array_split(batch, n_parts)]
    return split


def _summarise(
    checkpoint: Checkpoint, described: HeadImportance, total: np.ndarray | float, done: np.ndarray, asked: np.ndarray
) -> ImportanceSoFar:
    """Sums up what is done; ``done`` and ``asked`` count examples, their tokens and the cut ones, (3,)."""
    n_done, n_tokens, n_cut = done.tolist()
    values = np.zeros(count_heads(checkpoint.model.config))
    if isinstance(total, np.ndarray):
        values = combine(total, described.method, n_examples=n_done, n_tokens=n_tokens)
    importance = replace(described, values=values, n_examples=n_done, n_cut=n_cut)
    return ImportanceSoFar(importance, n_done, int(asked[0]), n_tokens / int(asked[1]))
