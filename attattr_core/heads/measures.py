"""The arithmetic of head importance: what one batch of examples contributes, and how contributions add up.

L layers, H heads, B examples. Contributions are kept for each example in float64, so that the sum over a data set does
not depend on how its examples were batched, and work that was stopped goes on to the same result.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.engine.batches import check_logits, prepare_baselines, record_batch
from attattr_core.engine.chunks import Chunks, count_rows
from attattr_core.engine.encoding import Encoded, collate
from attattr_core.engine.families import count_heads
from attattr_core.engine.integration import Integrator, LayerIntegral
from attattr_core.engine.replay import Record, Start, Trace, compute_context, replay, trace
from attattr_core.heads.golds import Golds
from attattr_core.settings import Settings

#: How much of one example the mean loss of probability may weigh, to tell heads of equal accuracy apart.
TIE_WEIGHT = 1e-3
_TINY = 1e-20


def measure_batch(
    checkpoint: Checkpoint, encoded: Sequence[Encoded], golds: Golds, method: str, settings: Settings
) -> Iterator[tuple[float, np.ndarray | None]]:
    """Computes what each example of a batch contributes to the importance of each head, step by step.

    Args:
        checkpoint: The classifier, instrumented (see `attattr_core.engine.replay.instrumented`).
        encoded: B examples that may run together (see `attattr_core.engine.batches`).
        golds: Their gold answers.
        method: One of ``"attattr"``, ``"taylor"``, ``"taylor-authors"``, ``"ablation"`` and ``"attention"``.
        settings: The convention of the attributions; other methods have none.

    Yields:
        The share of the batch's work that is done, and nothing; with the last one, 1, the contributions: (B, K, L, H),
        float64, with K = 2 for ablation and 1 elsewhere.

    Raises:
        UserError: When the model's logits are not numbers.
    """
    if method == "attattr":
        return _attribute(checkpoint, encoded, golds, settings)
    if method == "ablation":
        return _ablate(checkpoint, encoded, golds)
    if method == "attention":
        return _look(checkpoint, encoded)
    return _differentiate(checkpoint, encoded, golds, of_logits=method == "taylor-authors")


def combine(total: np.ndarray, method: str, *, n_examples: int, n_tokens: int) -> np.ndarray:
    """Turns the sum of what examples contribute, (K, L, H), into the importance, (L, H).

    Args:
        total: Of contributions from `measure_batch`.
        method: Where they come from.
        n_examples: Of how many examples.
        n_tokens: Tokens of all of them, by which the authors' script divides all layers but the last.
    """
    if method == "attattr":
        return total[0]
    if method == "taylor":
        return _normalise(total[0])
    if method == "taylor-authors":
        sizes = np.full((len(total[0]), 1), float(n_tokens))
        sizes[-1] = n_examples
        return _normalise(total[0] / sizes)
    if method == "ablation":
        return (total[0] + TIE_WEIGHT / n_examples * total[1]) / n_examples
    return total[0] / n_examples


def _normalise(values: np.ndarray) -> np.ndarray:
    return values / (np.sqrt((values**2).sum(axis=1, keepdims=True)) + _TINY)


def integrate_gold(
    checkpoint: Checkpoint, encoded: Sequence[Encoded], golds: Golds, settings: Settings
) -> Iterator[tuple[int, LayerIntegral]]:
    """Attributes the logit or probability of the gold label layer by layer, from the top; maps stay on the device.

    Yields:
        The layer and its integral over B examples, padding included.
    """
    clean = record_batch(checkpoint, encoded)
    baselines = prepare_baselines(checkpoint, clean, encoded, settings.baseline)
    integrator = Integrator(checkpoint.model, clean, golds.targets, settings)
    yield from integrator.integrate(range(len(clean.layers)), baselines)


def _attribute(
    checkpoint: Checkpoint, encoded: Sequence[Encoded], golds: Golds, settings: Settings
) -> Iterator[tuple[float, np.ndarray | None]]:
    maxima: list[np.ndarray] = []
    for layer, integral in integrate_gold(checkpoint, encoded, golds, settings):
        maxima.append(find_maxima(integral.attribution * golds.signs[:, None, None, None], encoded))
        if layer:
            n_layers = layer + len(maxima)
            yield _share_layers(len(maxima), n_layers), None
    yield 1.0, np.stack(maxima[::-1], axis=1)[:, None]


def _look(checkpoint: Checkpoint, encoded: Sequence[Encoded]) -> Iterator[tuple[float, np.ndarray | None]]:
    layers = record_batch(checkpoint, encoded).layers
    yield 1.0, np.stack([find_maxima(layer.attention, encoded) for layer in layers], axis=1)[:, None]


def _share_layers(n_done: int, n_layers: int) -> float:
    """The share of the work when the upper layers are done: the n-th from the top runs n layers."""
    return n_done * (n_done + 1) / (n_layers * (n_layers + 1))


def find_maxima(maps: Tensor, encoded: Sequence[Encoded]) -> np.ndarray:
    """Finds the largest entry of each head among an example's own tokens: (B, H, T, T) gives (B, H), float64."""
    own = _find_own(encoded, maps.device)
    if not bool(own.all()):
        maps = maps.masked_fill(~(own[:, None, :, None] & own[:, None, None, :]), -torch.inf)
    return maps.amax(dim=(2, 3)).cpu().double().numpy()


def _find_own(encoded: Sequence[Encoded], device: torch.device) -> Tensor:
    """True for an example's own tokens, False for padding, (B, T)."""
    lengths = torch.tensor([len(example.tokens) for example in encoded], device=device)
    return torch.arange(int(lengths.max()), device=device) < lengths[:, None]


def _differentiate(
    checkpoint: Checkpoint, encoded: Sequence[Encoded], golds: Golds, *, of_logits: bool
) -> Iterator[tuple[float, np.ndarray | None]]:
    """Σ_i |⟨∂loss/∂C_h[i], C_h[i]⟩| of each example, (B, 1, L, H); the authors' script has Σ logits for the loss."""
    model = checkpoint.model
    inputs, own = collate(checkpoint, encoded), _find_own(encoded, checkpoint.device)
    n_rows = count_rows(model, own.shape[1], count_heads(model.config)[0])

    def differentiate(rows: Tensor) -> Trace:
        compute = torch.sum if of_logits else lambda logits: golds.pick(rows).compute_losses(logits).sum()
        return trace(model, {name: tensor[rows] for name, tensor in inputs.items()}, compute)

    parts = []
    every = torch.arange(len(own), device=own.device)
    for rows, traced in Chunks(model).run(every, n_rows, own.shape[1], differentiate):
        check_logits(checkpoint, traced.logits)
        products = torch.stack(
            [(context * gradient).sum(-1) for context, gradient in zip(traced.contexts, traced.gradients, strict=True)],
            dim=1,
        )  # (rows, L, T, H)
        own_rows = own[rows].cpu()[:, None, :, None]
        parts.append((products.cpu().double().abs() * own_rows).sum(dim=2))
        n_done = int(rows[-1]) + 1
        if n_done < len(own):
            yield n_done / len(own), None
    yield 1.0, torch.cat(parts).numpy()[:, None]


def _ablate(
    checkpoint: Checkpoint, encoded: Sequence[Encoded], golds: Golds
) -> Iterator[tuple[float, np.ndarray | None]]:
    """What is lost without each head alone, (B, 2, L, H): right answers, and the probability of the gold label."""
    clean = record_batch(checkpoint, encoded)
    before, n_layers = _judge(clean.logits, golds), len(clean.layers)
    lost: list[Tensor] = []
    for layer in reversed(range(n_layers)):
        lost.append(before[:, :, None] - _judge_without_heads(checkpoint, clean, layer, golds))
        if layer:
            yield _share_layers(len(lost), n_layers), None
    yield 1.0, torch.stack(lost[::-1], dim=2).transpose(0, 1).numpy()  # (2, B, L, H) to (B, 2, L, H)


def _judge_without_heads(checkpoint: Checkpoint, clean: Record, layer: int, golds: Golds) -> Tensor:
    """Judges each example without each head of one layer, (2, B, H)."""
    context = compute_context(clean.layers[layer].attention, clean.layers[layer].value)  # (B, T, H, d)
    n_examples, n_tokens, n_heads, _ = context.shape
    n_rows = count_rows(checkpoint.model, n_tokens, len(clean.layers) - layer)

    def judge(rows: Tensor) -> Tensor:
        examples, heads = rows // n_heads, rows % n_heads
        others = torch.arange(n_heads, device=context.device) != heads[:, None]  # (rows, H)
        start = Start(layer, context[examples] * others[:, None, :, None], examples)
        with torch.no_grad():
            logits = replay(checkpoint.model, clean, [start])
        return _judge(logits, golds.pick(examples))

    every = torch.arange(n_examples * n_heads, device=context.device)
    parts = [judged for _, judged in Chunks(checkpoint.model).run(every, n_rows, n_tokens, judge)]
    return torch.cat(parts, dim=1).unflatten(1, (-1, n_heads))


def _judge(logits: Tensor, golds: Golds) -> Tensor:
    """Right or wrong and the probability of the gold label, (2, B), float64 on the CPU; a regression has none."""
    correct, losses = golds.compute_correct(logits), golds.compute_losses(logits)
    probabilities = torch.zeros_like(losses) if golds.kind == "regression" else (-losses).exp()
    return torch.stack([correct, probabilities]).cpu().double()
