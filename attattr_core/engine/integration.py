"""Equation 5 of the paper, layer by layer: the integral of gradients along the path of a layer's attention.

    Attr_h(A) = (A_h − A′_h) ⊙ ∫₀¹ ∂F(A′ + α(A − A′)) / ∂A_h dα

All heads of the layer move together; layers below are untouched, layers above recompute. The gradient is taken for
the layer's context C = A V, averaged over the nodes, and only then brought back to A (see
`attattr_core.engine.replay`). Layers do not wait for each other: those of a short text run in one pass, in which the
nodes of each layer join the others' where they start, so that products are large and weights are read once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from attattr_core.engine.chunks import Chunks, count_rows, telling_shortage
from attattr_core.engine.families import find_family
from attattr_core.engine.outputs import compute_output, find_output_kind
from attattr_core.engine.path import Paths
from attattr_core.engine.precision import check_precision, computing
from attattr_core.engine.quadrature import plan_nodes
from attattr_core.engine.replay import LayerRecord, Record, compute_context, trace
from attattr_core.settings import Settings

_CARD_TOKENS = 8192  # that run together on a card: its product gains nothing from more


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
    """Attributes layers of B examples, from the top one down.

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
        self.alphas = torch.as_tensor(self.plan.alphas, dtype=clean.logits.dtype)
        self.weights = torch.as_tensor(self.plan.weights, **plain)
        self.n_tokens = clean.layers[0].attention.shape[-1]
        self.output = self._compute_output(clean.logits, self._list_examples())
        self.end_gradients = self._differentiate_end() if self.plan.has_end else None

    def integrate(self, layers: Sequence[int], baselines: Sequence[Tensor]) -> Iterator[tuple[int, LayerIntegral]]:
        """Attributes the attention of layers.

        Args:
            layers: Their indices.
            baselines: A′ of every layer of the model, (B, H, T, T) or broadcastable to it.

        Yields:
            The layer and its integral, from the top layer down.

        Raises:
            UserError: When what cannot be cut into chunks does not fit the memory.
        """
        for group in self._group(layers):
            with telling_shortage(self.model, self.n_tokens), computing("float32", self.model.device):
                found = self._integrate(group, [baselines[layer] for layer in group])
            yield from zip(reversed(group), reversed(found), strict=True)

    def _group(self, layers: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Yields layers whose first nodes run together, ascending; the uppermost group comes first."""
        n_rows = count_rows(self.model, self.n_tokens, len(self.clean.layers))
        if self.model.device.type != "cpu":
            n_rows = min(n_rows, _CARD_TOKENS // self.n_tokens)
        joins = find_family(self.model.config.model_type).joins
        size = max(1, n_rows // (len(self.targets) * max(1, self.plan.ends[0]))) if joins else 1
        left = sorted(layers)
        while left:
            yield tuple(left[-size:])
            left = left[:-size]

    def _integrate(self, layers: tuple[int, ...], baselines: Sequence[Tensor]) -> list[LayerIntegral]:
        records = [self.clean.layers[layer] for layer in layers]
        start = [
            compute_context(baseline.expand_as(record.attention), record.value)
            for record, baseline in zip(records, baselines, strict=True)
        ]
        end = [compute_context(record.attention, record.value) for record in records]
        start, end = (parts[0] if len(parts) == 1 else torch.cat(parts) for parts in (start, end))
        parts = (self.model, self.clean, layers, start, end - start, self._compute_output, self.chunks)
        paths = Paths(*parts, self.settings.precision)
        found = self._average_gradient(paths, self._begin_sums(layers, end))
        by_layer = zip(records, baselines, *(part.split(len(self.targets)) for part in found), strict=True)
        return [_build_integral(*parts) for parts in by_layer]

    def _average_gradient(self, paths: Paths, sums: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Averages ∂F/∂C, (P, T, H, d), with as many nodes as it takes; F(A′), the delta and their number are (P,)."""
        output = self.output.repeat(len(paths.layers))
        baseline_output = torch.zeros_like(output) if self.takes_start else paths.evaluate_start()
        gradient, deltas = torch.zeros_like(paths.start), torch.zeros_like(output)
        n_nodes = torch.zeros(len(output), dtype=torch.long, device=output.device)
        still_open, begin = torch.arange(len(output)), 0
        for level, end in enumerate(self.plan.ends):
            self._add_nodes(paths, sums, baseline_output, still_open, range(begin, end))
            where = still_open.to(output.device)
            gradient[where], n_nodes[where] = sums[level, where], self.plan.n_nodes[level]
            start, own = baseline_output[where], output[where]
            delta = _compute_delta(gradient[where] * paths.direction[where], own, start)
            largest_gap = self.settings.compute_largest_gap(own, start)
            is_open = delta.abs() > largest_gap
            if level and self.settings.precision != "float32":  # what more nodes do not change is left by rounding
                is_open &= (delta - deltas[where]).abs() > largest_gap
            deltas[where], begin = delta, end
            still_open = still_open[is_open.cpu()]
            if not len(still_open):
                break
        return gradient, baseline_output, deltas, n_nodes

    def _add_nodes(self, paths: Paths, sums: Tensor, baseline_output: Tensor, still_open: Tensor, nodes: range) -> None:
        """Runs nodes of some paths, adds their gradients to each level's sum and takes F(A′) from α = 0."""
        if not nodes:  # α = 1 is all there is
            return
        levels = np.flatnonzero(self.plan.weights[:, nodes].any(axis=1)).tolist()
        pairs = torch.cartesian_prod(still_open, torch.arange(nodes.start, nodes.stop))
        for rows, values, gradients in paths.differentiate(pairs[:, 0], self.alphas[pairs[:, 1]]):
            which, node = pairs[rows].to(sums.device).unbind(1)
            for level in levels:
                sums[level].index_add_(0, which, gradients * self.weights[level, node].view(-1, 1, 1, 1))
            if self.takes_start:
                baseline_output.index_add_(0, which, values * (node == 0))

    def _begin_sums(self, layers: tuple[int, ...], end: Tensor) -> Tensor:
        """Each level's weighted sum of gradients, (K, P, T, H, d), with the node α = 1 in it."""
        if self.end_gradients is None:
            return end.new_zeros(len(self.plan.ends), *end.shape)
        weights = torch.as_tensor(self.plan.end_weights, dtype=end.dtype).to(end)
        return weights.view(-1, 1, 1, 1, 1) * torch.cat([self.end_gradients[layer] for layer in layers])

    def _differentiate_end(self) -> list[Tensor]:
        """Differentiates F for the context of every layer in the clean pass, each (B, T, H, d)."""

        def differentiate(rows: Tensor) -> tuple[Tensor, ...]:
            inputs = {name: tensor[rows] for name, tensor in self.clean.inputs.items()}
            return trace(self.model, inputs, lambda logits: self._compute_output(logits, rows).sum()).gradients

        n_rows = count_rows(self.model, self.n_tokens, len(self.clean.layers))
        precision = self.settings.precision
        found = self.chunks.run(self._list_examples(), n_rows, self.n_tokens, differentiate, precision=precision)
        parts = [gradients for _, gradients in found]
        return [torch.cat(of_layer) for of_layer in zip(*parts, strict=True)]

    def _list_examples(self) -> Tensor:
        return torch.arange(len(self.targets), device=self.targets.device)

    def _compute_output(self, logits: Tensor, examples: Tensor) -> Tensor:
        return compute_output(
            logits, self.targets[examples], self.settings.function, find_output_kind(self.model.config)
        )


def _build_integral(record: LayerRecord, baseline: Tensor, gradient: Tensor, *found: Tensor) -> LayerIntegral:
    # back from the context to the attention: ∂F/∂A_h[i, j] = ⟨∂F/∂C_h[i], V_h[j]⟩
    per_attention = gradient.transpose(1, 2) @ record.value.transpose(-2, -1)  # (B, H, T, d) @ (B, H, d, T)
    return LayerIntegral((record.attention - baseline) * per_attention, *found)


def _compute_delta(parts: Tensor, output: Tensor, baseline_output: Tensor) -> Tensor:
    """Sums each example's parts, less F(A) − F(A′), in double precision, which Apple's GPUs lack; (B, …) gives (B,)."""
    is_apple = output.device.type == "mps"
    total, change, start = (part.cpu() if is_apple else part for part in (parts, output, baseline_output))
    return (total.flatten(1).double().sum(1) - (change.double() - start.double())).to(output)
