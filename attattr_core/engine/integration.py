"""Equation 5 of the paper for one layer: the integral of gradients along the path of its attention.

    Attr_h(A) = (A_h − A′_h) ⊙ ∫₀¹ ∂F(A′ + α(A − A′)) / ∂A_h dα

All heads of the layer move together; layers below are untouched, layers above recompute. The gradient is taken for
the layer's context C = A V, averaged over the nodes, and only then brought back to A (see
`attattr_core.engine.replay`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from attattr_core.engine.chunks import Chunks, count_rows, telling_shortage
from attattr_core.engine.outputs import compute_output, find_output_kind
from attattr_core.engine.path import Path
from attattr_core.engine.precision import check_precision, computing
from attattr_core.engine.quadrature import plan_nodes
from attattr_core.engine.replay import Record, compute_context, trace
from attattr_core.settings import Settings


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


class Integrator:
    """Attributes the layers of B examples one after the other, usually from the top one down.

    Without a fixed number of nodes each example gets the fewest that meet the tolerance. The gradient at α = 1 is that
    of the clean pass: one backward pass gives it for all layers.
    """

    def __init__(self, model: PreTrainedModel, clean: Record, targets: Tensor, settings: Settings) -> None:
        """Prepares what layers share.

        Args:
            model: The instrumented model (see `attattr_core.engine.replay.instrumented`).
            clean: Its record of the examples.
            targets: The label explained in each example, (B,).
            settings: Rule, number of nodes or tolerance, and F.
        """
        self.model, self.clean, self.targets, self.settings = model, clean, targets, settings
        check_precision(settings.precision, model)
        self.chunks = Chunks(model)
        self.plan = plan_nodes(settings.rule, settings.n_steps)
        self.takes_start = self.plan.has_start and settings.precision == "float32"  # F(A′) from the node α = 0
        plain = {"dtype": clean.logits.dtype, "device": clean.logits.device}
        self.alphas, self.weights = (torch.as_tensor(of, **plain) for of in (self.plan.alphas, self.plan.weights))
        self.output = self._compute_output(clean.logits, self._list_examples())
        self.end_gradients = self._differentiate_end() if self.plan.has_end else None

    def integrate(self, layer: int, baseline: Tensor) -> LayerIntegral:
        """Attributes one layer's attention.

        Args:
            layer: Index of the layer.
            baseline: A′, (B, H, T, T) or broadcastable to it.

        Returns:
            The integral.

        Raises:
            UserError: When what cannot be cut into chunks does not fit the memory.
        """
        n_tokens = self.clean.layers[layer].attention.shape[-1]
        with telling_shortage(self.model, n_tokens), computing("float32", self.model.device):
            return self._integrate(layer, baseline)

    def _integrate(self, layer: int, baseline: Tensor) -> LayerIntegral:
        attention, value = self.clean.layers[layer].attention, self.clean.layers[layer].value
        start, end = compute_context(baseline.expand_as(attention), value), compute_context(attention, value)
        parts = (self.model, self.clean, layer, start, end - start, self._compute_output, self.chunks)
        path = Path(*parts, self.settings.precision)
        gradient, *found = self._average_gradient(path, self._begin_sums(layer, end))
        # back from the context to the attention: ∂F/∂A_h[i, j] = ⟨∂F/∂C_h[i], V_h[j]⟩
        per_attention = gradient.transpose(1, 2) @ value.transpose(-2, -1)  # (B, H, T, d) @ (B, H, d, T)
        return LayerIntegral((attention - baseline) * per_attention, *found)

    def _average_gradient(self, path: Path, sums: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Averages ∂F/∂C, (B, T, H, d), with as many nodes as it takes; F(A′), the delta and their number are (B,)."""
        baseline_output = torch.zeros_like(self.output) if self.takes_start else path.evaluate_start()
        gradient, deltas, n_nodes = torch.zeros_like(path.start), torch.zeros_like(self.output), self.targets.clone()
        still_open, begin = self._list_examples(), 0
        for level, end in enumerate(self.plan.ends):
            self._add_nodes(path, sums, baseline_output, still_open, range(begin, end))
            gradient[still_open], n_nodes[still_open] = sums[level, still_open], self.plan.n_nodes[level]
            start, own = baseline_output[still_open], self.output[still_open]
            delta = _compute_delta(gradient[still_open] * path.direction[still_open], own, start)
            largest_gap = self.settings.compute_largest_gap(own, start)
            is_open = delta.abs() > largest_gap
            if level and self.settings.precision != "float32":  # what more nodes do not change is left by rounding
                is_open &= (delta - deltas[still_open]).abs() > largest_gap
            deltas[still_open], begin = delta, end
            still_open = still_open[is_open]
            if not len(still_open):
                break
        return gradient, baseline_output, deltas, n_nodes

    def _add_nodes(self, path: Path, sums: Tensor, baseline_output: Tensor, examples: Tensor, nodes: range) -> None:
        """Runs nodes of some examples, adds their gradients to each level's sum and takes F(A′) from α = 0."""
        if not nodes:  # α = 1 is all there is
            return
        levels = np.flatnonzero(self.plan.weights[:, nodes].any(axis=1)).tolist()
        pairs = torch.cartesian_prod(examples, torch.arange(nodes.start, nodes.stop, device=sums.device))
        for rows, values, gradients in path.differentiate(pairs[:, 0], self.alphas[pairs[:, 1]]):
            which, node = pairs[rows].unbind(1)
            for level in levels:  # known without asking a card, which would make it wait
                sums[level].index_add_(0, which, gradients * self.weights[level, node].view(-1, 1, 1, 1))
            if self.takes_start:
                baseline_output.index_add_(0, which, values * (node == 0))

    def _begin_sums(self, layer: int, end: Tensor) -> Tensor:
        """Each level's weighted sum of gradients, (K, B, T, H, d), with the node α = 1 in it."""
        if self.end_gradients is None:
            return end.new_zeros(len(self.plan.ends), *end.shape)
        weights = torch.as_tensor(self.plan.end_weights, dtype=end.dtype).to(end)
        return weights.view(-1, 1, 1, 1, 1) * self.end_gradients[layer]

    def _differentiate_end(self) -> list[Tensor]:
        """Differentiates F for the context of every layer in the clean pass, each (B, T, H, d)."""

        def differentiate(rows: Tensor) -> tuple[Tensor, ...]:
            inputs = {name: tensor[rows] for name, tensor in self.clean.inputs.items()}
            return trace(self.model, inputs, lambda logits: self._compute_output(logits, rows).sum()).gradients

        n_tokens = self.clean.layers[0].attention.shape[-1]
        n_rows = count_rows(self.model, n_tokens, len(self.clean.layers))
        precision = self.settings.precision
        found = self.chunks.run(self._list_examples(), n_rows, n_tokens, differentiate, precision=precision)
        parts = [gradients for _, gradients in found]
        return [torch.cat(of_layer) for of_layer in zip(*parts, strict=True)]

    def _list_examples(self) -> Tensor:
        return torch.arange(len(self.targets), device=self.targets.device)

    def _compute_output(self, logits: Tensor, examples: Tensor) -> Tensor:
        return compute_output(
            logits, self.targets[examples], self.settings.function, find_output_kind(self.model.config)
        )


def _compute_delta(parts: Tensor, output: Tensor, baseline_output: Tensor) -> Tensor:
    """Sums each example's parts, less F(A) − F(A′), in double precision, which Apple's GPUs lack; (B, …) gives (B,)."""
    is_apple = output.device.type == "mps"
    total, change, start = (part.cpu() if is_apple else part for part in (parts, output, baseline_output))
    return (total.flatten(1).double().sum(1) - (change.double() - start.double())).to(output)
