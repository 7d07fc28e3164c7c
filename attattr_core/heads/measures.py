"""The arithmetic of head importance: what one batch of examples contributes, and how contributions add up.

L layers, H heads, B examples. Contributions are kept for each example in float64, so that the sum over a data set does
not depend on how its examples were batched, and work that was stopped goes on to the same result.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from attattr_core.batches import check_logits, prepare_baselines, record_batch
from attattr_core.checkpoints import Checkpoint
from attattr_core.encoding import Encoded, collate
from attattr_core.heads.golds import Golds
from attattr_core.integration import LayerIntegral, count_rows, integrate_layer
from attattr_core.replay import compute_context, replay, trace
from attattr_core.settings import Settings

#: How much of one example the mean loss of probability may weigh, to tell heads of equal accuracy apart.
TIE_WEIGHT = 1e-3
_TINY = 1e-20


def measure_batch(
    checkpoint: Checkpoint, encoded: Sequence[Encoded], golds: Golds, method: str, settings: Settings
) -> np.ndarray:
    """Computes what each example of a batch contributes to the importance of each head.

    Args:
        checkpoint: The classifier, instrumented (see `attattr_core.replay.instrumented`).
        encoded: B examples that may run together (see `attattr_core.batches`).
        golds: Their gold answers.
        method: One of ``"attattr"``, ``"taylor"``, ``"taylor-authors"``, ``"ablation"`` and ``"attention"``.
        settings: The convention of the attributions; other methods have none.

    Returns:
        (B, K, L, H), float64, with K = 2 for ablation and 1 elsewhere.

    Raises:
        UserError: When the model's logits are not numbers.
    """
    if method == "attattr":
        parts = [
            find_maxima(integral.attribution * golds.signs[:, None, None, None], encoded)
            for _, integral in integrate_gold(checkpoint, encoded, golds, settings)
        ]
        return np.stack(parts[::-1], axis=1)[:, None]
    if method == "attention":
        clean = record_batch(checkpoint, encoded)
        return np.stack([find_maxima(layer.attention, encoded) for layer in clean.layers], axis=1)[:, None]
    if method == "ablation":
        return _ablate(checkpoint, encoded, golds)
    return _differentiate(checkpoint, encoded, golds, of_logits=method == "taylor-authors")


def combine(contributions: np.ndarray, method: str, n_tokens: int) -> np.ndarray:
    """Turns contributions of N examples, (N, K, L, H) in their order, into the importance, (L, H).

    Args:
        contributions: From `measure_batch`.
        method: Where they come from.
        n_tokens: Tokens of all examples, by which the authors' script divides all layers but the last.
    """
    n_examples = len(contributions)
    total = contributions.sum(axis=0)  # over the first axis NumPy adds in order
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
    for layer in reversed(range(len(clean.layers))):
        yield layer, integrate_layer(checkpoint.model, clean, layer, baselines[layer], golds.targets, settings)


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


def _differentiate(checkpoint: Checkpoint, encoded: Sequence[Encoded], golds: Golds, *, of_logits: bool) -> np.ndarray:
    """Σ_i |⟨∂loss/∂C_h[i], C_h[i]⟩| of each example, (B, 1, L, H); the authors' script has Σ logits for the loss."""
    model = checkpoint.model
    inputs, own = collate(checkpoint, encoded), _find_own(encoded, checkpoint.device)
    n_rows = count_rows(model, own.shape[1], model.config.num_hidden_layers)
    parts = []
    for rows in torch.arange(len(own), device=own.device).split(n_rows):
        compute = torch.sum if of_logits else lambda logits, rows=rows: golds.pick(rows).compute_losses(logits).sum()
        traced = trace(model, {name: tensor[rows] for name, tensor in inputs.items()}, compute)
        check_logits(checkpoint, traced.logits)
        products = torch.stack(
            [(context * gradient).sum(-1) for context, gradient in zip(traced.contexts, traced.gradients, strict=True)],
            dim=1,
        )  # (rows, L, T, H)
        own_rows = own[rows].cpu()[:, None, :, None]
        parts.append((products.cpu().double().abs() * own_rows).sum(dim=2))
    return torch.cat(parts).numpy()[:, None]


def _ablate(checkpoint: Checkpoint, encoded: Sequence[Encoded], golds: Golds) -> np.ndarray:
    """What is lost without each head alone, (B, 2, L, H): right answers, and the probability of the gold label."""
    clean = record_batch(checkpoint, encoded)
    before = _judge(clean.logits, golds)
    lost = []
    for index, layer in enumerate(clean.layers):
        context = compute_context(layer.attention, layer.value)  # (B, T, H, d)
        n_heads = context.shape[2]
        n_rows = count_rows(checkpoint.model, context.shape[1], len(clean.layers) - index)
        parts = []
        for rows in torch.arange(len(encoded) * n_heads, device=context.device).split(n_rows):
            examples, heads = rows // n_heads, rows % n_heads
            others = torch.arange(n_heads, device=context.device) != heads[:, None]  # (rows, H)
            with torch.no_grad():
                changed = context[examples] * others[:, None, :, None]
                logits = replay(checkpoint.model, clean, index, changed, examples)
            parts.append(before[:, examples.cpu()] - _judge(logits, golds.pick(examples)))
        lost.append(torch.cat(parts, dim=1).unflatten(1, (-1, n_heads)))  # (2, B, H)
    return torch.stack(lost, dim=2).transpose(0, 1).numpy()  # (2, B, L, H) to (B, 2, L, H)


def _judge(logits: Tensor, golds: Golds) -> Tensor:
    """Right or wrong and the probability of the gold label, (2, B), float64 on the CPU; a regression has none."""
    correct, losses = golds.compute_correct(logits), golds.compute_losses(logits)
    probabilities = torch.zeros_like(losses) if golds.kind == "regression" else (-losses).exp()
    return torch.stack([correct, probabilities]).cpu().double()
