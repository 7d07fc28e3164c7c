"""The straight path of one layer's context from its baseline to the clean pass: F and its gradients along it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from attattr_core.engine.replay import Record, replay

CPU_BYTES = 1 << 30
CPU_TOKENS = 512  # of a chunk: its states fit a processor's cache, and larger ones gain nothing


@dataclass(frozen=True)
class Path:
    """The path of B examples: start + α · direction, each (B, T, H, d).

    Attributes:
        model: The instrumented model.
        clean: Its record of the examples.
        layer: Index of the layer.
        start: The context at α = 0.
        direction: From there to the context of the clean pass.
        compute_output: F from logits and the indices of their examples.
    """

    model: PreTrainedModel
    clean: Record
    layer: int
    start: Tensor
    direction: Tensor
    compute_output: Callable[[Tensor, Tensor], Tensor]

    def evaluate_start(self) -> Tensor:
        """Computes F(A′), (B,)."""
        examples = torch.arange(len(self.start), device=self.start.device)
        with torch.no_grad():
            parts = [self._evaluate(rows, self.start[rows]) for rows in examples.split(self.count_rows())]
        return torch.cat(parts)

    def differentiate(self, examples: Tensor, alphas: Tensor) -> tuple[Tensor, Tensor]:
        """Computes F, (n,), and ∂F/∂C, (n, T, H, d), at one point of each row's path; examples and alphas are (n,)."""
        context = (self.start[examples] + alphas.view(-1, 1, 1, 1) * self.direction[examples]).requires_grad_()
        with torch.enable_grad():
            values = self._evaluate(examples, context)
        (gradients,) = torch.autograd.grad(values.sum(), context)
        return values.detach(), gradients

    def _evaluate(self, examples: Tensor, context: Tensor) -> Tensor:
        return self.compute_output(replay(self.model, self.clean, self.layer, context, examples), examples)

    def count_rows(self) -> int:
        """Chooses how many rows may run at a time."""
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
