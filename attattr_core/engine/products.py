"""The matrix product of linear layers, which is nearly all of the engine's time."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

PACK_AFTER = 1536  # tokens: what packing costs is won back by as many more

_CHOSEN: ContextVar[bool | None] = ContextVar("attattr_onednn", default=None)


def find_product() -> bool:
    """Whether `multiply` takes oneDNN's product: the faster one here, unless it was fixed by `fixing_product`."""
    chosen = _CHOSEN.get()
    return _prefers_onednn() if chosen is None else chosen and _has_onednn()


@contextmanager
def fixing_product(onednn: bool) -> Iterator[None]:
    """Fixes which product `multiply` takes in this thread: work that goes on later has to round as it did before."""
    token = _CHOSEN.set(onednn)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def multiply(linear: nn.Linear, states: Tensor) -> Tensor:
    """Applies a linear layer, whose parameters need no gradients, by whichever float32 product is faster here.

    Args:
        linear: The layer.
        states: Its input, (…, in_features).

    Returns:
        Its output, (…, out_features); the two products differ by rounding only.
    """
    is_plain = type(linear) is nn.Linear and states.dtype == torch.float32 and states.device.type == "cpu"
    is_plain = is_plain and not torch.is_autocast_enabled("cpu")
    if is_plain and states.numel() and find_product():
        return _OneDNN.apply(states, linear)
    return type(linear).forward(linear, states)


def forget(linear: nn.Linear) -> None:
    """Frees what was kept to make a layer's products faster; its weights may change now."""
    _WAYS.pop(linear, None)


class _OneDNN(torch.autograd.Function):
    """oneDNN's product of dense tensors, as PyTorch's own compiler calls it; the gradient is for the states only."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, linear: nn.Linear) -> Tensor:
        ctx.way = _WAYS.setdefault(linear, _Way(linear.weight))
        return _multiply_by_onednn(states, linear.weight, linear.bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.way.go_back(gradient), None


@dataclass(eq=False)
class _Way:
    """The way back through a linear layer that is taken again and again: its transposed weight is soon packed.

    The product with the transposed view is up to a fifth slower than one with a packed copy, bit for bit the same.
    """

    weight: Tensor
    packed: Tensor | None = None
    n_tokens: int = 0

    def go_back(self, gradient: Tensor) -> Tensor:
        self.n_tokens += gradient[..., 0].numel()
        if self.packed is None and self.n_tokens > PACK_AFTER:
            self.packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach().t().contiguous(), 512)
        return _multiply_by_onednn(gradient, self.weight.t() if self.packed is None else self.packed, None)


_WAYS: WeakKeyDictionary[nn.Linear, _Way] = WeakKeyDictionary()


def _multiply_by_onednn(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")


@cache
def _has_onednn() -> bool:
    is_there = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return is_there and platform.machine() in ("x86_64", "AMD64")


@cache
def _prefers_onednn() -> bool:
    """Times both products once: on some processors (AMD) oneDNN's is twice as fast as the one that PyTorch calls."""
    if not _has_onednn():
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
