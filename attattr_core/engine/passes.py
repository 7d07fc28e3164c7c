"""What a model's instruments do in a pass: record, replay from one layer, prune, mask or trace; `runs` starts them.

The pass of a thread is held by a context variable. Two ways lead from a layer's attention here: the function that
`attattr_core.engine.replay` gives transformers, and, for families that do not use it, an `Interception`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from attattr_core.engine.families import Family
from attattr_core.engine.interception import Attended, Interception, find_allowed
from attattr_core.engine.products import multiply

_LEAST = torch.finfo(torch.bfloat16).min


def compute_context(attention: Tensor, value: Tensor) -> Tensor:
    """Mixes values by attention, C_h = A_h V_h: (…, H, T, T) and (…, H, T, d) give (…, T, H, d)."""
    return (attention @ value).transpose(-3, -2)


def attend_plainly(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
    """Attends without keeping the probabilities, (B, H, T, d) in and the context, (B, T, H, d), out."""
    if mask is not None and query.dtype == torch.bfloat16 and mask.is_floating_point():
        mask = mask.clamp(min=_LEAST)  # not −∞: a query that may see nothing sees all alike, as in float32
    context = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)
    return context.transpose(1, 2)


@dataclass
class RecordedLayer:
    """What one layer did in a recorded pass: each of its attentions, and what it returned."""

    attended: list[Attended] = field(default_factory=list)
    output: Any = None


class _Whole:
    """A pass of all layers, inside of which attention is watched by a method, ``keep`` or ``mix``."""

    watch = "mix"

    def __init__(self, family: Family) -> None:
        self.family = family
        self.n_entered = 0
        self.inside = False

    def run_layer(self, forward: Callable, args: tuple, kwargs: dict) -> Any:
        self.n_entered += 1
        self.inside = True
        try:
            with _intercepting(self.family, **{self.watch: getattr(self, self.watch)}):
                return forward(*args, **kwargs)
        finally:
            self.inside = False

    def project(self, projection: nn.Module, states: Tensor, *, is_query: bool) -> Tensor:
        return multiply(projection, states)


class Recording(_Whole):
    """A clean pass that keeps every layer's attention, value and output."""

    watch = "keep"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.layers: list[RecordedLayer] = []

    def run_layer(self, forward: Callable, args: tuple, kwargs: dict) -> Any:
        self.layers.append(RecordedLayer())
        self.layers[-1].output = super().run_layer(forward, args, kwargs)
        return self.layers[-1].output

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
        logits = (query @ key.transpose(-2, -1)).mul_(scaling)  # in place: for long texts these maps are large
        attention = (logits if mask is None else logits.add_(mask)).softmax(-1)
        if self.inside:
            self.keep(Attended(attention, value, find_allowed(mask)))
        return compute_context(attention, value)

    def keep(self, attended: Attended) -> None:
        self.layers[-1].attended.append(attended)


class _Restarting(ABC):
    """A pass that takes what the lowest layers returned from an earlier pass.

    The layer ``narrow`` (the top one, where the classifier reads its first token only) runs for the first token:
    its input is that token's state, and only its keys and values are computed from the states of all tokens.
    """

    def __init__(self, family: Family, below: list, narrow: int | None) -> None:
        self.family, self.below, self.narrow = family, below, narrow
        self.n_entered = 0
        self.whole: Tensor | None = None  # the states of all tokens, inside the narrow layer

    def run_layer(self, forward: Callable, args: tuple, kwargs: dict) -> Any:
        self.n_entered += 1
        if self.n_entered <= len(self.below):
            return self.below[self.n_entered - 1]
        if self.n_entered - 1 == self.narrow:
            self.whole, args = args[0], (args[0][:, :1], *args[1:])
        try:
            return self.run_own(forward, args, kwargs)
        finally:
            self.whole = None

    @abstractmethod
    def run_own(self, forward: Callable, args: tuple, kwargs: dict) -> Any:
        """Runs a layer that is not skipped."""

    def project(self, projection: nn.Module, states: Tensor, *, is_query: bool) -> Tensor:
        return multiply(projection, states if self.whole is None or is_query else self.whole)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
        if self.whole is not None:  # the layer took all keys for one token's: (B, T·H, 1, d) is (B, T, H, d)
            shape = (len(key), -1, query.shape[1], key.shape[-1])
            key, value = (states.reshape(shape).transpose(1, 2) for states in (key, value))
            mask = None if mask is None else mask[:, :, :1]
        return attend_plainly(query, key, value, mask, scaling)


class Replaying(_Restarting):
    """A pass of rows that start at layers of their own, each with a context of its own.

    The layers below the lowest start are skipped. Above it, the rows that start at a layer join those that come from
    below, as the last ones.
    """

    def __init__(
        self, family: Family, contexts: dict[int, Tensor], below: list, joining: dict[int, Any], narrow: int | None
    ) -> None:
        """Takes what rows start with.

        Args:
            family: The model's.
            contexts: The context of the rows that start at a layer, (n, T, H, d), by layer.
            below: What the layers below the lowest start return, for the rows that start there.
            joining: What the layer below each other start returned in the clean pass, for the rows that join.
            narrow: The layer that runs for the first token only.
        """
        super().__init__(family, below, narrow)
        self.contexts, self.joining = contexts, joining
        self.context: Tensor | None = None  # of the rows that start in the layer that runs
        self.n_running = 0  # rows that come from below

    def run_own(self, forward: Callable, args: tuple, kwargs: dict) -> Any:
        layer = self.n_entered - 1
        self.context = self.contexts.get(layer)
        n_rows = self.n_running + (0 if self.context is None else len(self.context))
        if layer == 0 and self.joining:  # the embeddings are those of all rows
            args = (args[0][:n_rows], *args[1:])
        try:
            with nullcontext() if self.context is None else _intercepting(self.family, mix=self.mix):
                output = forward(*args, **kwargs)
        finally:
            self.context, self.n_running = None, n_rows
        return append_rows(output, self.joining[layer + 1]) if layer + 1 in self.joining else output

    def project(self, projection: nn.Module, states: Tensor, *, is_query: bool) -> Tensor:
        if self.context is None:
            return super().project(projection, states, is_query=is_query)
        width = projection.nf if hasattr(projection, "nf") else projection.out_features  # of a Conv1D
        if not self.n_running:
            return states.new_zeros(()).expand(*states.shape[:-1], width)
        states = states if self.whole is None or is_query else self.whole
        running = multiply(projection, states[: self.n_running])
        return torch.cat([running, running.new_zeros(()).expand(len(self.context), *running.shape[1:])])

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
        n_rows = len(query) if self.context is None else self.n_running
        starting = self.context if self.context is None or self.whole is None else self.context[:, :1]
        if not n_rows:
            return starting
        mask = mask if mask is None or len(mask) == 1 else mask[:n_rows]
        running = super().attend(query[:n_rows], key[:n_rows], value[:n_rows], mask, scaling)
        return running if starting is None else torch.cat([running, starting])

    def mix(self, attention: Tensor, value: Tensor) -> Tensor:
        return self.context


def append_rows(output: Any, rows: Any) -> Any:
    """Adds rows to what a layer returned: hidden states, or a tuple of them."""
    if isinstance(output, tuple):
        return tuple(append_rows(*parts) for parts in zip(output, rows, strict=True))
    return None if output is None else torch.cat([output, rows])


class Pruning(_Restarting):
    """A pass without some heads, which keeps what its layers return for passes that share its lowest layers.

    A head's context is linear in its attention probabilities: to multiply them by 0 is to multiply the context by 0,
    so attention may run fused.
    """

    def __init__(self, family: Family, masks: list[Tensor | None], below: list, narrow: int | None) -> None:
        super().__init__(family, below, narrow)
        self.masks = masks  # of each layer, (H,); None where all heads stay
        self.outputs = list(below)
        self.mask: Tensor | None = None  # of the layer that runs
        self.n_masked = 0

    def run_own(self, forward: Callable, args: tuple, kwargs: dict) -> Any:
        self.mask = self.masks[self.n_entered - 1] if self.n_entered <= len(self.masks) else None
        try:
            with nullcontext() if self.mask is None else _intercepting(self.family, mix=self.mix):
                self.outputs.append(forward(*args, **kwargs))
        finally:
            self.mask = None
        return self.outputs[-1]

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
        context = super().attend(query, key, value, mask, scaling)  # (B, T, H, d)
        return context if self.mask is None else self.switch_off(context)

    def mix(self, attention: Tensor, value: Tensor) -> Tensor:
        return self.switch_off(compute_context(attention, value))

    def switch_off(self, context: Tensor) -> Tensor:
        self.n_masked += 1
        return context * self.mask[:, None]


class Masking(_Whole):
    """A pass in which each layer's attention probabilities are multiplied by a mask, without renormalising."""

    def __init__(self, family: Family, masks: Tensor) -> None:
        super().__init__(family)
        self.masks = masks
        self.n_masked = 0

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
        if not self.inside:
            return attend_plainly(query, key, value, mask, scaling)
        logits = query @ key.transpose(-2, -1) * scaling
        return self.mix((logits if mask is None else logits + mask).softmax(-1), value)

    def mix(self, attention: Tensor, value: Tensor) -> Tensor:
        self.n_masked += 1
        return compute_context(attention * self.masks[:, self.n_entered - 1], value)


class Tracing(_Whole):
    """A clean pass that keeps every layer's context and, from the lowest one up, the graph that leads to the logits."""

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.contexts: list[Tensor] = []

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
        context = attend_plainly(query, key, value, mask, scaling)
        return self.keep(context) if self.inside else context

    def mix(self, attention: Tensor, value: Tensor) -> Tensor:
        return self.keep(compute_context(attention, value))

    def keep(self, context: Tensor) -> Tensor:
        if not context.requires_grad:  # nothing below needs a gradient, so the lowest context starts the graph
            context = context.detach().requires_grad_()
        self.contexts.append(context)
        return context


def _intercepting(family: Family, **options: Any) -> AbstractContextManager:
    return nullcontext() if family.routed else Interception(**options)


Pass = Recording | Replaying | Pruning | Masking | Tracing
PASS: ContextVar[Pass | None] = ContextVar("attattr_pass", default=None)


@contextmanager
def running(current: Pass) -> Iterator[None]:
    """Makes a pass that of this thread."""
    token = PASS.set(current)
    try:
        yield
    finally:
        PASS.reset(token)
