"""What removing heads gains and costs: parameters, bytes, time for a sentence, accuracy, side by side."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from torch import Tensor

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.datasets import ExampleSet
from attattr_core.engine.batches import bucket_examples
from attattr_core.engine.devices import describe_device
from attattr_core.engine.encoding import Encoded, collate, encode
from attattr_core.engine.families import count_heads, find_family
from attattr_core.engine.outputs import find_output_kind
from attattr_core.engine.replay import find_layers, instrumented, run_masked
from attattr_core.engine.stopping import ask
from attattr_core.heads.metrics import compute_metric
from attattr_core.heads.predictions import choose_metric, find_values, read_gold
from attattr_core.heads.removal import Head
from attattr_core.heads.weights import WEIGHTS

DEFAULT_ROUNDS, DEFAULT_TIMED = 9, 32


@dataclass(frozen=True)
class ModelFigures:
    """One model of a comparison.

    Attributes:
        n_parameters: All parameters.
        n_attention: Those of the queries, keys, values and outputs of its heads.
        n_bytes: What its weights take in a file, each in the smallest type that holds it exactly.
        metric: On the examples, by the comparison's ``metric_name``.
        seconds: For one sentence, the median over sentences and rounds.
        time_ratio: To the first model's time for the same sentence, run just before or after: the median over rounds of
            the median over sentences, so that what else the machine does now and then counts little.
        time_low: The lowest ratio of a round.
        time_high: The highest.
    """

    n_parameters: int
    n_attention: int
    n_bytes: int
    metric: float
    seconds: float
    time_ratio: float
    time_low: float
    time_high: float


@dataclass(frozen=True)
class SizeComparison:
    """Models with and without some heads, measured on the same examples in one run.

    Attributes:
        models: By name; the first one is what ratios relate to.
        metric_name: ``"accuracy"``, or what else the task wants, as in pruning curves.
        n_examples: Examples that the metric is over.
        n_timed: Sentences that are timed, one at a time.
        n_rounds: How often each; in a round the models take turns sentence by sentence.
        largest_difference: Between the logits of the last models and of the first with its heads masked, over all
            examples.
        device: What it ran on, from `attattr_core.engine.devices.describe_device`.
        n_cut: How many of the examples were cut to the length that the model takes.
    """

    models: dict[str, ModelFigures]
    metric_name: str
    n_examples: int
    n_timed: int
    n_rounds: int
    largest_difference: float
    device: str
    n_cut: int = 0


@dataclass(frozen=True)
class ComparisonSoFar:
    """How far a comparison is: steps done of all, and the comparison once it is complete."""

    n_done: int
    n_total: int
    comparison: SizeComparison | None = None


def measure_smaller(
    before: Checkpoint,
    after: Mapping[str, Checkpoint],
    examples: ExampleSet,
    heads: Sequence[Head],
    *,
    n_rounds: int = DEFAULT_ROUNDS,
    n_timed: int = DEFAULT_TIMED,
) -> Iterator[ComparisonSoFar]:
    """Compares models that lack heads with the one that has them.

    Args:
        before: The whole classifier.
        after: The models without the heads, by name.
        examples: Labelled texts, all of them classified by each model; the classes are those of ``before``.
        heads: The heads that are removed, (layer, head), which are masked in ``before`` to compare logits.
        n_rounds: Rounds of timing.
        n_timed: Sentences timed in each, taken evenly from short to long ones.

    Yields:
        Progress; the last one holds the comparison.

    Raises:
        UserError: When there are no examples, or they are not of the model's classes.
    """
    gold, metric = read_gold(before, examples), choose_metric(before, None)
    models = {"before": before, **after}
    encoded = [encode(before, example.text, example.text_pair) for example in examples.examples]
    n_total = count_steps(len(models), n_rounds)
    logits = {}
    for name, checkpoint in models.items():
        logits[name] = _run_all(checkpoint, encoded)
        yield ComparisonSoFar(len(logits), n_total)
    masked = _run_all(before, encoded, masked=heads)
    difference = max(float((logits[name] - masked).abs().max()) for name in after)
    timed = _spread_lengths(encoded, n_timed)
    _time_round(models, timed[:4])  # the first passes of a process are slow
    rounds: list[dict[str, np.ndarray]] = []
    for turn in range(n_rounds):
        yield ComparisonSoFar(len(models) + 1 + turn, n_total)
        rounds.append(_time_round(models, timed))
    kind = find_output_kind(before.model.config)
    predicted = np.stack([find_values(part, kind).numpy() for part in logits.values()])
    metrics = dict(zip(models, compute_metric(metric, predicted, gold).tolist(), strict=True))
    figures = {
        name: _gather(checkpoint, metrics[name], [(seconds[name], seconds["before"]) for seconds in rounds])
        for name, checkpoint in models.items()
    }
    device = describe_device(before.device, before.model.dtype)
    n_cut = sum(example.n_cut > 0 for example in encoded)
    comparison = SizeComparison(figures, metric, len(examples), len(timed), n_rounds, difference, device, n_cut)
    yield ComparisonSoFar(n_total, n_total, comparison)


def count_steps(n_models: int, n_rounds: int) -> int:
    """Counts the steps of `measure_smaller`: a pass for each model, one with masks, and the rounds."""
    return n_models + 1 + n_rounds


def _spread_lengths(encoded: Sequence[Encoded], n: int) -> list[Encoded]:
    """Takes n examples, or all there are, evenly from short to long ones."""
    ordered = sorted(encoded, key=lambda example: len(example.tokens))
    n = min(n, len(ordered))
    return [ordered[(2 * k + 1) * len(ordered) // (2 * n)] for k in range(n)]


def _run(checkpoint: Checkpoint, inputs: dict[str, Tensor]) -> Tensor:
    extra = {"use_cache": False} if getattr(checkpoint.model.config, "use_cache", None) is not None else {}
    return checkpoint.model(**inputs, **extra, return_dict=True).logits


@torch.no_grad()
def _run_all(checkpoint: Checkpoint, encoded: list[Encoded], *, masked: Sequence[Head] | None = None) -> Tensor:
    """Logits of all examples, in batches of similar length, (n, n_labels); with heads masked where some are given."""
    found: dict[int, Tensor] = {}
    for bucket in bucket_examples(checkpoint, encoded):
        ask()
        inputs = collate(checkpoint, [encoded[index] for index in bucket])
        logits = _run(checkpoint, inputs) if masked is None else _run_without(checkpoint, inputs, masked)
        found |= dict(zip(bucket, logits.double().cpu(), strict=True))
    return torch.stack([found[index] for index in range(len(encoded))])


def _run_without(checkpoint: Checkpoint, inputs: dict[str, Tensor], heads: Sequence[Head]) -> Tensor:
    masks = torch.ones(
        1, *count_heads(checkpoint.model.config), 1, 1, dtype=checkpoint.model.dtype, device=checkpoint.device
    )
    for layer, head in heads:
        masks[0, layer, head] = 0
    with instrumented(checkpoint.model):
        return run_masked(checkpoint.model, inputs, masks)


@torch.no_grad()
def _time_round(models: Mapping[str, Checkpoint], encoded: Sequence[Encoded]) -> dict[str, np.ndarray]:
    """Seconds that each model takes for each of these sentences, one at a time; who goes first changes."""
    seconds = {name: np.empty(len(encoded)) for name in models}
    names = list(models)
    for turn, example in enumerate(encoded):
        ask()
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            inputs = collate(models[name], [example])
            _wait(models[name])
            start = time.perf_counter()
            _run(models[name], inputs)
            _wait(models[name])
            seconds[name][turn] = time.perf_counter() - start
    return seconds


def _wait(checkpoint: Checkpoint) -> None:
    if checkpoint.device.type == "cuda":
        torch.cuda.synchronize(checkpoint.device)


def _gather(checkpoint: Checkpoint, metric: float, rounds: list[tuple[np.ndarray, np.ndarray]]) -> ModelFigures:
    """Sums up one model from the seconds of its sentences in each round, and those of the first model's."""
    ratios = [float(np.median(own / first)) for own, first in rounds]
    return ModelFigures(
        n_parameters=sum(parameter.numel() for parameter in checkpoint.model.parameters()),
        n_attention=count_attention(checkpoint.model),
        n_bytes=count_bytes(checkpoint.model),
        metric=metric,
        seconds=float(np.median([own for own, _ in rounds])),
        time_ratio=median(ratios),
        time_low=min(ratios),
        time_high=max(ratios),
    )


def count_attention(model: torch.nn.Module) -> int:
    """Counts the parameters of the attended layers' queries, keys, values and outputs, norms left out."""
    family, weights = find_family(model.config.model_type), WEIGHTS[model.config.model_type]
    is_own = "." not in weights.output  # the layer is nothing but the attention
    layers = {id(layer): layer for layer in find_layers(model.base_model, family.layers)}.values()
    named = (pair for layer in layers for pair in layer.named_parameters())
    return sum(
        parameter.numel()
        for name, parameter in named
        if (is_own or "att" in name.lower()) and "norm" not in name.lower()
    )


def compact(tensor: Tensor) -> Tensor:
    """Converts a weight to the smallest floating type that holds every number of it exactly, so float16 stays so."""
    if tensor.dtype not in (torch.float32, torch.float64):
        return tensor
    for dtype in (torch.float16, torch.bfloat16):
        smaller = tensor.to(dtype)
        if torch.equal(smaller.to(tensor.dtype), tensor):
            return smaller
    return tensor


def count_bytes(model: torch.nn.Module) -> int:
    """Counts what a model's weights take in a file, each as `compact` leaves it."""
    compacted = (compact(parameter.detach()) for parameter in model.parameters())
    return sum(tensor.numel() * tensor.element_size() for tensor in compacted)
