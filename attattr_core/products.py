"""The matrix product of linear layers, which is nearly all of the engine's time."""

import platform
from functools import cache
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn


def multiply(linear: nn.Linear, states: Tensor) -> Tensor:
    """Applies a linear layer, whose parameters need no gradients, by whichever float32 product is faster here.

    Args:
        linear: The layer.
        states: Its input, (…, in_features).

    Returns:
        Its output, (…, out_features); the two products differ by rounding only.
    """
    is_plain = type(linear) is nn.Linear and states.dtype == torch.float32 and states.device.type == "cpu"
    if is_plain and states.numel() and _prefers_onednn():
        return _OneDNN.apply(states, linear.weight, linear.bias)
    return type(linear).forward(linear, states)


class _OneDNN(torch.autograd.Function):
    """oneDNN's product of dense tensors, as PyTorch's own compiler calls it; the gradient is for the states only."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return _multiply_by_onednn(states, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return _multiply_by_onednn(gradient, weight.t(), None), None, None


def _multiply_by_onednn(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")


@cache
def _prefers_onednn() -> bool:
    """Times both products once: on some processors (AMD) oneDNN's is twice as fast as the one that PyTorch calls."""
    is_there = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    if not is_there or platform.machine() not in ("x86_64", "AMD64"):
        return False
    states, weight = torch.ones(256, 512), torch.ones(512, 512)
    plain, onednn = [], []
    with torch.no_grad():
        for _ in range(20):  # in turns, and the best of many: other programs may be busy
            start = perf_counter()
            nn.functional.linear(states, weight)
            middle = perf_counter()
            _multiply_by_onednn(states, weight, None)
            plain.append(middle - start)
            onednn.append(perf_counter() - middle)
    return min(onednn) < 0.8 * min(plain)
