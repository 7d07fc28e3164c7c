"""The straight paths of some layers' contexts from their baseline to the clean pass: F and its gradients along them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from attattr_core.engine.chunks import Chunks, count_rows
from attattr_core.engine.replay import Record, Start, replay


@dataclass(frozen=True)
class Paths:
    """The paths of n layers for B examples: start + α · direction, each (P, T, H, d) with P = n·B, layer by layer.

    Attributes:
        model: The instrumented model.
        clean: Its record of the examples.
        layers: The layers, ascending.
        start: The contexts at α = 0.
        direction: From there to the contexts of the clean pass.
        compute_output: F from logits and the indices of their examples.
        chunks: What runs rows in chunks that fit the memory.
        precision: In which F and its gradients are computed along the paths; F(A′) is float32.
    """

    model: PreTrainedModel
    clean: Record
    layers: tuple[int, ...]
    start: Tensor
    direction: Tensor
    compute_output: Callable[[Tensor, Tensor], Tensor]
    chunks: Chunks
    precision: str

    def evaluate_start(self) -> Tensor:
        """Computes F(A′), (P,)."""
        paths = torch.arange(len(self.start))
        with torch.no_grad():
            found = self._run(paths, lambda rows: self._evaluate(rows, self.start[rows.to(self.start.device)]))
            return torch.cat([values for _, values in found])

    def differentiate(self, paths: Tensor, alphas: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Computes F and its gradient at one point of the path of each row.

        Args:
            paths: The path of each row, ascending, (N,), on the processor: what runs together depends on them.
            alphas: Where on it, (N,).

        Yields:
            For a chunk of n rows their indices, (n,), F, (n,), and ∂F/∂C, (n, T, H, d).
        """

        def differentiate(rows: Tensor) -> tuple[Tensor, Tensor]:
            return self._differentiate(paths[rows], alphas[rows])

        for rows, found in self._run(torch.arange(len(paths)), differentiate, self.precision):
            yield rows, *found

    def _run(
        self, rows: Tensor, function: Callable[[Tensor], Any], precision: str = "float32"
    ) -> Iterator[tuple[Tensor, Any]]:
        n_tokens = self.start.shape[1]
        n_rows = count_rows(self.model, n_tokens, len(self.clean.layers) - self.layers[0])
        return self.chunks.run(rows, n_rows, n_tokens, function, precision=precision)

    def _differentiate(self, paths: Tensor, alphas: Tensor) -> tuple[Tensor, Tensor]:
        where, alphas = paths.to(self.start.device), alphas.to(self.start).view(-1, 1, 1, 1)
        points = (self.start[where] + alphas * self.direction[where]).requires_grad_()
        with torch.enable_grad():
            values = self._evaluate(paths, points)
        (gradients,) = torch.autograd.grad(values.sum(), points)
        return values.detach(), gradients

    def _evaluate(self, paths: Tensor, points: Tensor) -> Tensor:
        """Computes F, (n,), at points of ascending paths, (n, T, H, d)."""
        n_examples = len(self.clean.logits)
        examples = (paths % n_examples).to(points.device)
        counts = torch.bincount(paths // n_examples, minlength=len(self.layers)).tolist()
        parts = zip(self.layers, points.split(counts), examples.split(counts), strict=True)
        starts = [Start(*part) for part in parts if len(part[1])]
        return self.compute_output(replay(self.model, self.clean, starts), examples)
