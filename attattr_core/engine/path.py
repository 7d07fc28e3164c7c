"""The straight path of one layer's context from its baseline to the clean pass: F and its gradients along it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from attattr_core.engine.chunks import Chunks, count_rows
from attattr_core.engine.replay import Record, replay


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
        chunks: What runs rows in chunks that fit the memory.
        precision: In which F and its gradients are computed along the path; F(A′) is float32.
    """

    model: PreTrainedModel
    clean: Record
    layer: int
    start: Tensor
    direction: Tensor
    compute_output: Callable[[Tensor, Tensor], Tensor]
    chunks: Chunks
    precision: str

    def evaluate_start(self) -> Tensor:
        """Computes F(A′), (B,)."""
        examples = torch.arange(len(self.start), device=self.start.device)
        with torch.no_grad():
            found = self._run(examples, lambda rows: self._evaluate(rows, self.start[rows]))
            return torch.cat([values for _, values in found])

    def differentiate(self, examples: Tensor, alphas: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Computes F and its gradient at one point of the path of each row; examples and alphas are (N,).

        Yields:
            For a chunk of n rows their indices, (n,), F, (n,), and ∂F/∂C, (n, T, H, d).
        """
        every = torch.arange(len(examples), device=self.start.device)

        def differentiate(rows: Tensor) -> tuple[Tensor, Tensor]:
            return self._differentiate(examples[rows], alphas[rows])

        for rows, found in self._run(every, differentiate, self.precision):
            yield rows, *found

    def _run(
        self, rows: Tensor, function: Callable[[Tensor], Any], precision: str = "float32"
    ) -> Iterator[tuple[Tensor, Any]]:
        n_tokens = self.start.shape[1]
        n_rows = count_rows(self.model, n_tokens, len(self.clean.layers) - self.layer)
        return self.chunks.run(rows, n_rows, n_tokens, function, precision=precision)

    def _differentiate(self, examples: Tensor, alphas: Tensor) -> tuple[Tensor, Tensor]:
        context = (self.start[examples] + alphas.view(-1, 1, 1, 1) * self.direction[examples]).requires_grad_()
        with torch.enable_grad():
            values = self._evaluate(examples, context)
        (gradients,) = torch.autograd.grad(values.sum(), context)
        return values.detach(), gradients

    def _evaluate(self, examples: Tensor, context: Tensor) -> Tensor:
        return self.compute_output(replay(self.model, self.clean, self.layer, context, examples), examples)
