"""Equation 5 of the paper for one layer: the integral of gradients along the path of its attention.

    Attr_h(A) = (A_h − A′_h) ⊙ ∫₀¹ ∂F(A′ + α(A − A′)) / ∂A_h dα

All heads of the layer move together; layers below are untouched, layers above recompute. The gradient is taken for
the layer's context C = A V, averaged over the nodes, and only then brought back to A (see
`attattr_core.engine.replay`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from transformers import PreTrainedModel

from attattr_core.engine.outputs import compute_output, find_output_kind
from attattr_core.engine.quadrature import compute_nodes
from attattr_core.engine.replay import Record, compute_context, replay
from attattr_core.settings import Settings

FIRST_STEPS, LAST_STEPS = 4, 64
CPU_BYTES = 1 << 30
CPU_TOKENS = 512  # of a chunk: its states fit a processor's cache, and larger ones gain nothing

_find_nodes = lru_cache(maxsize=16)(compute_nodes)  # 2048 Gauss–Legendre nodes take seconds, and every layer asks


@dataclass(frozen=True)
class LayerIntegral:
    """The attribution of one layer for B examples.

    Attributes:
        attribution: (B, H, T, T), in units of F.
        baseline_output: F(A′), (B,).
        convergence_delta: Sum of attributions − (F(A) − F(A′)), (B,).
        n_nodes: Nodes used, (B,).
    """

    attribution: Tensor
    baseline_output: Tensor
    convergence_delta: Tensor
    n_nodes: Tensor


def integrate_layer(
    model: PreTrainedModel, clean: Record, layer: int, baseline: Tensor, targets: Tensor, settings: Settings
) -> LayerIntegral:
    """Attributes one layer's attention.

    Args:
        model: The instrumented model (see `attattr_core.engine.replay.instrumented`).
        clean: Its record of B examples.
        layer: Index of the layer.
        baseline: A′, (B, H, T, T) or broadcastable to it.
        targets: The label explained in each example, (B,).
        settings: Rule, number of nodes or tolerance, and F.

    Returns:
        The integral. Without a fixed number of nodes each example gets 4, 8 … 64 of them until it meets the tolerance.
    """
    attention, value = clean.layers[layer].attention, clean.layers[layer].value
    start, end = compute_context(baseline.expand_as(attention), value), compute_context(attention, value)
    path = _Path(model, clean, layer, start, end - start, targets, settings.function)
    baseline_output = path.evaluate_start()
    output = compute_output(clean.logits, targets, settings.function, find_output_kind(model.config))
    gradient = torch.zeros_like(end)
    delta, n_nodes = torch.full_like(output, torch.nan), torch.zeros_like(targets)
    open_examples = torch.arange(len(targets), device=targets.device)
    for n_steps in _plan_steps(settings):
        gradient[open_examples] = path.average_gradient(open_examples, settings.rule, n_steps)
        n_nodes[open_examples] = n_steps
        total = _sum_in_double(gradient * path.direction)
        delta = (total - (output.cpu().double() - baseline_output.cpu().double())).to(output)
        open_examples = torch.nonzero(delta.abs() > settings.compute_largest_gap(output, baseline_output)).flatten()
        if not len(open_examples):
            break
    # back from the context to the attention: ∂F/∂A_h[i, j] = ⟨∂F/∂C_h[i], V_h[j]⟩
    per_attention = gradient.transpose(1, 2) @ value.transpose(-2, -1)  # (B, H, T, d) @ (B, H, d, T)
    return LayerIntegral((attention - baseline) * per_attention, baseline_output, delta, n_nodes)


def _sum_in_double(parts: Tensor) -> Tensor:
    """Sums each example in double precision, which Apple's GPUs lack; (B, …) gives (B,) on the CPU."""
    return (parts.cpu() if parts.device.type == "mps" else parts).flatten(1).double().sum(1).cpu()


def _plan_steps(settings: Settings) -> Iterator[int]:
    if settings.n_steps is not None:
        yield settings.n_steps
        return
    n_steps = FIRST_STEPS
    while n_steps <= LAST_STEPS:
        yield n_steps
        n_steps *= 2


@dataclass(frozen=True)
class _Path:
    """The straight path of one layer's context from its baseline: start + α · direction, each (B, T, H, d)."""

    model: PreTrainedModel
    clean: Record
    layer: int
    start: Tensor
    direction: Tensor
    targets: Tensor
    function: str

    def evaluate_start(self) -> Tensor:
        """Computes F(A′), (B,)."""
        examples = torch.arange(len(self.targets), device=self.targets.device)
        with torch.no_grad():
            parts = [self._evaluate(rows, self.start[rows]) for rows in examples.split(self._count_rows())]
        return torch.cat(parts)

    def average_gradient(self, examples: Tensor, rule: str, n_steps: int) -> Tensor:
        """Averages ∂F/∂C over the nodes, (len(examples), T, H, d); examples × nodes run as rows of bounded batches."""
        nodes, weights = (
            torch.as_tensor(part, dtype=self.start.dtype).to(self.start) for part in _find_nodes(rule, n_steps)
        )
        average = torch.zeros_like(self.start[examples])
        for rows in torch.arange(len(examples) * n_steps, device=examples.device).split(self._count_rows()):
            local, node = rows // n_steps, rows % n_steps
            which, alpha = examples[local], nodes[node].view(-1, 1, 1, 1)
            context = (self.start[which] + alpha * self.direction[which]).requires_grad_()
            with torch.enable_grad():
                total = self._evaluate(which, context).sum()
            (gradient,) = torch.autograd.grad(total, context)
            average.index_add_(0, local, gradient * weights[node].view(-1, 1, 1, 1))
        return average

    def _evaluate(self, examples: Tensor, context: Tensor) -> Tensor:
        logits = replay(self.model, self.clean, self.layer, context, examples)
        return compute_output(logits, self.targets[examples], self.function, find_output_kind(self.model.config))

    def _count_rows(self) -> int:
        return count_rows(self.model, self.start.shape[1], len(self.clean.layers) - self.layer)


def count_rows(model: PreTrainedModel, n_tokens: int, n_layers: int) -> int:
    """Chooses how many rows fit: what autograd keeps per row is about ten states and two feed-forwards a layer.

    Args:
        model: The model, on the device where it runs.
        n_tokens: Tokens of a row.
        n_layers: Layers that run.

    Returns:
        At least 1.
    """
    config = model.config
    hidden = config.hidden_size
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    per_layer = n_tokens * (10 * hidden + 3 * inner) + 3 * config.num_attention_heads * n_tokens**2
    per_row = per_layer * n_layers * model.dtype.itemsize
    if model.device.type == "cuda":
        return max(1, torch.cuda.mem_get_info(model.device)[0] // 2 // per_row)
    return max(1, min(CPU_BYTES // per_row, CPU_TOKENS // n_tokens))
