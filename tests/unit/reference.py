"""The slow literal definition: one α, one layer, the gradient of the attention matrix itself.

It shares nothing with the engine. The model runs whole, as it came, under transformers' own eager attention; the
result of the k-th softmax of the pass, which is layer k's attention, is read or replaced on the way.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

_SOFTMAX = (torch.softmax, torch.Tensor.softmax, torch.nn.functional.softmax)


class _Softmax(TorchFunctionMode):
    def __init__(self, change: Callable[[int, Tensor], Tensor]) -> None:
        super().__init__()
        self.change, self.n_calls = change, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func in _SOFTMAX:
            result = self.change(self.n_calls, result)
            self.n_calls += 1
        return result


def run(model: PreTrainedModel, inputs: Mapping[str, Tensor], change: Callable[[int, Tensor], Tensor]) -> Tensor:
    """Runs the model with every attention matrix passed through ``change(layer, attention)``; returns the logits."""
    with _Softmax(change):
        return model(**inputs, use_cache=False).logits


def run_with(model: PreTrainedModel, inputs: Mapping[str, Tensor], layer: int, attention: Tensor) -> Tensor:
    """Runs the model with one layer's attention replaced; returns the logits."""
    return run(model, inputs, lambda k, own: attention if k == layer else own)


def read_attention(model: PreTrainedModel, inputs: Mapping[str, Tensor], n_layers: int) -> list[Tensor]:
    """Reads the attention of the first n_layers softmax calls: in encoder-decoders those are the encoder's layers."""
    attention = []

    def keep(_, own):
        attention.append(own.detach())
        return own

    with torch.no_grad():
        run(model, inputs, keep)
    return attention[:n_layers]


def attribute_by_definition(
    model: PreTrainedModel,
    inputs: Mapping[str, Tensor],
    layer: int,
    attention: Tensor,
    baseline: Tensor,
    target: int,
    nodes: list[float],
    weights: list[float],
) -> Tensor:
    """(A − A′) ⊙ Σ wₖ ∂F(A′ + αₖ(A − A′)) / ∂A for one example, F the probability of the target; (H, T, T)."""
    gradient = torch.zeros_like(attention)
    for alpha, weight in zip(nodes, weights, strict=True):
        point = (baseline + alpha * (attention - baseline)).requires_grad_()
        probability = run_with(model, inputs, layer, point).softmax(-1)[0, target]
        gradient += weight * torch.autograd.grad(probability, point)[0]
    return ((attention - baseline) * gradient)[0]
