"""The matrix product of linear layers, which is nearly all of the engine's time."""

import platform
from functools import cache
from time import perf_counter

import torch
from torch import Tensor, nn


def multiply(linear: nn.Linear, states: Tensor) -> Tensor:
    """Applies a linear layer by whichever float32 product is faster on this processor.

    Args:
        linear: The layer.
        states: Its input, (…, in_features).

    Returns:
        Its output, (…, out_features); the two products differ by rounding only.
    """
    is_plain = type(linear) is nn.Linear and states.dtype == torch.float32 and states.device.type == "cpu"
    if is_plain and _prefers_onednn():
        return nn.functional.linear(states.to_mkldnn(), linear.weight, linear.bias).to_dense()
    return type(linear).forward(linear, states)


@cache
def _prefers_onednn() -> bool:
    """Times both products once: on some processors (AMD) oneDNN's is twice as fast as the one that PyTorch calls."""
    if not torch.backends.mkldnn.is_available() or platform.machine() not in ("x86_64", "AMD64"):
        return False
    states, weight = torch.ones(256, 512), torch.ones(512, 512)
    plain, onednn = [], []
    with torch.no_grad():
        for _ in range(20):  # in turns, and the best of many: other programs may be busy
            start = perf_counter()
            nn.functional.linear(states, weight)
            middle = perf_counter()
            nn.functional.linear(states.to_mkldnn(), weight).to_dense()
            plain.append(middle - start)
            onednn.append(perf_counter() - middle)
    return min(onednn) < 0.8 * min(plain)
