"""See the attention of models whose code no interface reaches: their own eager attention, intercepted while it runs.

Every exact attention in PyTorch is a softmax followed by a product of its result with the values. Within
`Interception` both are watched: the probabilities are recognised by their storage, so dropout in eval mode and views
may lie between the two, and casts are followed. `attattr_core.engine.replay` decides what to do with what is seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_SOFTMAX = {torch.softmax, Tensor.softmax, torch.nn.functional.softmax}
_PRODUCTS = {torch.matmul, torch.bmm, Tensor.matmul, Tensor.bmm, Tensor.__matmul__}
_CASTS = {Tensor.to, Tensor.type_as, Tensor.type, Tensor.float, Tensor.double}
# Masks add or fill in values from the most negative of the dtype up to −10⁴; attention logits are nowhere near that.
_MASKED = -5e3


@dataclass(frozen=True)
class Attended:
    """What one layer's attention was made of.

    Attributes:
        attention: Attention probabilities A, (B, H, T, T), row = query, column = key.
        value: V, repeated to H heads, (B, H, T, d).
        allowed: True where a query may attend to a key, broadcastable to (B, H, T, T); None where it always may.
    """

    attention: Tensor
    value: Tensor
    allowed: Tensor | None


def find_allowed(mask: Tensor | None) -> Tensor | None:
    """Reads an additive or boolean mask: True where attention is allowed; None where nothing is masked."""
    if mask is None:
        return None
    allowed = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
    return None if bool(allowed.all()) else allowed


class Interception(TorchFunctionMode):
    """Watches this thread for products of attention probabilities with values, and keeps or replaces them.

    Args:
        keep: Gets what each product was made of; the product is left as it is.
        mix: Takes the place of each product: probabilities (B, H, T, T) and values (B, H, T, d) in, context
            (B, T, H, d) out.
    """

    def __init__(
        self,
        *,
        keep: Callable[[Attended], None] | None = None,
        mix: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.keep, self.mix = keep, mix
        self.logits: Tensor | None = None
        self.attention: Tensor | None = None

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if function in _PRODUCTS and self._is_attention(args[0]):
            return self._multiply(function, args, *_read_product(args[1], self.attention))
        if function is torch.einsum and len(args) == 3 and self._is_attention(args[1]):
            return self._multiply(function, args, *_read_einsum(args[0], args[2]))
        result = function(*args, **(kwargs or {}))
        if function in _SOFTMAX and result.ndim == 4 and result.shape[-1] == result.shape[-2]:
            self.logits, self.attention = args[0], result
        elif function in _CASTS and self._is_attention(args[0]):
            self.attention = result
        return result

    def _is_attention(self, tensor: Any) -> bool:
        if self.attention is None or not isinstance(tensor, Tensor):
            return False
        return tensor.untyped_storage().data_ptr() == self.attention.untyped_storage().data_ptr()

    def _multiply(self, function: Callable, args: tuple, value: Tensor, lay_out: Callable[[Tensor], Tensor]) -> Tensor:
        if self.mix is not None:
            return lay_out(self.mix(self.attention, value))
        allowed = self.logits > _MASKED
        self.keep(Attended(self.attention, value, None if bool(allowed.all()) else allowed))
        return function(*args)


def _read_product(value: Tensor, attention: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Brings the values of a product to (B, H, T, d), and says how a context (B, T, H, d) is laid out as its result."""
    if value.ndim == 3:  # (B · H, T, d)
        return value.view(*attention.shape[:2], *value.shape[1:]), lambda context: context.transpose(1, 2).flatten(0, 1)
    return value.expand(*attention.shape[:2], -1, -1), lambda context: context.transpose(1, 2)


def _read_einsum(equation: str, value: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Does what `_read_product` does for an equation such as ``bnij,jbnd->ibnd``."""
    terms, result = equation.replace(" ", "").split("->")
    (batch, head, query, key), of_value = terms.split(",")
    (width,) = set(of_value) - {batch, head, key}
    of_context = batch + query + head + width
    return (
        value.permute([of_value.index(name) for name in (batch, head, key, width)]),
        lambda context: context.permute([of_context.index(name) for name in result]),
    )
