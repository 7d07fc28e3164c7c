"""The arithmetic of matrix products: float32, or what is faster on cards that have it and is known to fewer digits.

* ``"float32"``: 24 bits of mantissa. On a card it is asked for by name, for PyTorch lets convolutions take TF32.
* ``"tf32"``: float32 tensors whose products round their factors to 11 bits; NVIDIA's Ampere generation or newer.
* ``"bfloat16"``: 8 bits, under PyTorch's autocast, for linear layers and attention; the residual stream, layer
  normalisations, the head and F stay float32. Cards as for TF32, and processors, where it is seldom faster.

Only the nodes of the path are run in the latter two. What certifies them stays float32: the clean pass, F(A), F(A′) and
the sum of the gradients.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from threading import RLock
from typing import Any

import torch
from transformers import PreTrainedModel

from attattr_core.engine.stopping import holding
from attattr_core.errors import UserError

_AMPERE = (8, 0)
_NOT_IN_BFLOAT16 = ("deberta", "deberta-v2")  # they fill masks with float32's least number
_AUTOCAST: ContextVar[str | None] = ContextVar("attattr_autocast", default=None)  # the kind of device, for bfloat16
_LOCK = RLock()  # of the switches below, which belong to the whole process


def check_precision(precision: str, model: PreTrainedModel) -> None:
    """Refuses a precision that the model cannot compute in.

    Args:
        precision: One of `attattr_core.settings.PRECISIONS`.
        model: The model, on the device where it runs.

    Raises:
        UserError: When the device or the family does not have it, or the model is not float32.
    """
    if precision == "float32":
        return
    device = model.device
    is_modern = device.type == "cuda" and torch.cuda.get_device_capability(device) >= _AMPERE
    if not (is_modern or (precision == "bfloat16" and device.type == "cpu")):
        raise UserError(
            f"The device {str(device)!r} does not compute in {precision}, which takes an NVIDIA card of the Ampere "
            "generation or newer: choose the precision float32."
        )
    family = model.config.model_type
    if precision == "bfloat16" and family in _NOT_IN_BFLOAT16:
        raise UserError(f"Models of the family {family!r} do not compute in bfloat16: choose tf32 or float32.")
    if model.dtype != torch.float32:
        raise UserError(
            f"The model is {str(model.dtype).removeprefix('torch.')}, which {precision} does not make faster: "
            "convert it with model.float() or choose the precision float32."
        )


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """Makes what this thread computes meanwhile, forward and backward, take a precision.

    On a card one thread at a time is inside, for the switch between float32 and TF32 is one of the whole process; the
    card would run their work one after the other as well.

    Args:
        precision: One of `attattr_core.settings.PRECISIONS`, which the device has (see `check_precision`).
        device: Where the work runs.
    """
    token = _AUTOCAST.set(device.type if precision == "bfloat16" else None)
    try:
        with ExitStack() as stack:
            if device.type == "cuda":
                stack.enter_context(holding(_Switches(is_tf32=precision == "tf32")))
            yield
    finally:
        _AUTOCAST.reset(token)


def computing_layer() -> AbstractContextManager:
    """Makes the forward pass of a layer take the precision of `computing`; what is not of a layer stays float32."""
    kind = _AUTOCAST.get()
    return nullcontext() if kind is None else torch.autocast(kind, torch.bfloat16)


class _Switches:
    """The switches of the whole process, of products and of convolutions, of which some families are made."""

    def __init__(self, *, is_tf32: bool) -> None:
        cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        if hasattr(cuda, "fp32_precision"):
            self._places, self._name, self._value = (cuda, cudnn.conv), "fp32_precision", "tf32" if is_tf32 else "ieee"
        else:  # before PyTorch 2.9
            self._places, self._name, self._value = (cuda, cudnn), "allow_tf32", is_tf32
        self._before: list[Any] = []

    def take(self) -> None:
        """Sets them, alone."""
        _LOCK.acquire()
        self._before = [getattr(place, self._name) for place in self._places]
        for place in self._places:
            setattr(place, self._name, self._value)

    def give(self) -> None:
        """Sets them back as they were."""
        for place, kept in zip(self._places, self._before, strict=True):
            setattr(place, self._name, kept)
        _LOCK.release()
