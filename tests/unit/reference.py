"""The slow literal definition: one α, one layer, the gradient of the attention matrix itself.

It shares nothing with the engine. The model runs whole, as it came, under transformers' own eager attention; layer k's
attention is read or replaced on the way: where the family has a dropout module for its attention probabilities and the
engine intercepts its products, as what that module returns the k-th time, and elsewhere as the result of the k-th
softmax of the pass.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

_SOFTMAX = (torch.softmax, torch.Tensor.softmax, torch.nn.functional.softmax)

DROPOUTS = {
    **dict.fromkeys(("deberta", "deberta-v2", "roformer", "megatron-bert", "rembert"), ".attention.self.dropout"),
    **dict.fromkeys(("big_bird", "luke", "ibert"), ".attention.self.dropout"),
    "mpnet": ".attention.attn.dropout",
    "squeezebert": ".attention.dropout",
    "xlnet": ".rel_attn.dropout",
    "openai-gpt": ".attn.attn_dropout",
    "gpt_neo": ".attn.attention.attn_dropout",
    "bloom": ".self_attention.attention_dropout",
}


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
    ending = DROPOUTS.get(model.config.model_type)
    options = {"use_cache": False} if hasattr(model.config, "use_cache") else {}
    with _hooked(model, ending, change) if ending else _Softmax(change):
        return model(**inputs, **options).logits


@contextmanager
def _hooked(model: PreTrainedModel, ending: str, change: Callable[[int, Tensor], Tensor]) -> Iterator[None]:
    """Passes what the dropout modules of that name return through ``change``."""
    n_calls = 0

    def call(module: torch.nn.Module, args: tuple, own: Tensor) -> Tensor:
        nonlocal n_calls
        if own.ndim != 4:  # xlnet uses the same module for its hidden states
            return own
        n_calls += 1
        return change(n_calls - 1, own)

    hooks = [module.register_forward_hook(call) for name, module in model.named_modules() if name.endswith(ending)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


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
