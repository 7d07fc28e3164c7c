"""Record a forward pass and restart it at one layer: the only file that knows transformers' internals.

Two identities carry the engine (H heads, T tokens, d head width):

1. A layer's context is linear in its attention, C_h = A_h V_h, and Q, K, V of that layer do not depend on its own
   attention. So the gradient for A_h[i, j] is ⟨∂F/∂C_h[i], V_h[j]⟩, and the path in A is a path in C.
2. The layers below do not depend on it either: a clean pass is recorded once, and a replay starts at the recorded
   input of the layer with a context of the caller's choice in place of its attention.

A model is instrumented once, for as long as anyone uses it; what the instruments do is decided by a context
variable. So threads that share a model do not see each other, and a pass outside `record` or `replay` is plain.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import RLock
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from attattr_core.errors import UnsupportedModelError
from attattr_core.families import Family, find_family
from attattr_core.products import multiply

_NAME = "attattr"


@dataclass(frozen=True)
class LayerRecord:
    """One layer of a clean forward pass of B examples.

    Attributes:
        attention: Attention probabilities A, (B, H, T, T), row = query, column = key.
        value: V, repeated to H heads, (B, H, T, d).
        allowed: True where a query may attend to a key, broadcastable to (B, 1, T, T); None where it always may.
        output: What the layer returned: hidden states (B, T, hidden), in some families as the first of a tuple.
    """

    attention: Tensor
    value: Tensor
    allowed: Tensor | None
    output: Tensor | tuple


@dataclass(frozen=True)
class Record:
    """A clean forward pass: the model's inputs, each (B, T), its logits, (B, n_labels), and its layers."""

    inputs: dict[str, Tensor]
    logits: Tensor
    layers: tuple[LayerRecord, ...]


def compute_context(attention: Tensor, value: Tensor) -> Tensor:
    """Mixes values by attention, C_h = A_h V_h: (…, H, T, T) and (…, H, T, d) give (…, T, H, d)."""
    return (attention @ value).transpose(-3, -2)


def record(model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> Record:
    """Runs the model once and keeps what later replays need.

    Args:
        model: An instrumented sequence classifier (see `instrumented`).
        inputs: Tokenised examples, each tensor (B, T); padding is marked by ``attention_mask``.

    Returns:
        The record, on the model's device.

    Raises:
        UnsupportedModelError: When a layer did not call the attention interface exactly once.
    """
    recording = _Recording()
    with torch.no_grad(), _running(recording):
        logits = _call(model, inputs)
    n_calls = [len(layer.attended) for layer in recording.layers]
    if not n_calls or any(n != 1 for n in n_calls):
        raise UnsupportedModelError(
            f"Models of the family {model.config.model_type!r} cannot be attributed: their layers called the attention "
            f"interface {n_calls} times where once each is needed."
        )
    layers = tuple(LayerRecord(*layer.attended[0], output=layer.output) for layer in recording.layers)
    return Record(dict(inputs), logits, layers)


def replay(model: PreTrainedModel, clean: Record, layer: int, context: Tensor, examples: Tensor) -> Tensor:
    """Restarts the clean pass at one layer with another context; every layer above recomputes.

    Args:
        model: The instrumented model that made the record.
        clean: The record.
        layer: Index of the layer whose attention result is replaced.
        context: One context per row, (n_rows, T, H, d). Gradients flow into it where it requires them.
        examples: The example that each row restarts from, (n_rows,), integers.

    Returns:
        Logits, (n_rows, n_labels).
    """
    inputs = {name: tensor[examples] for name, tensor in clean.inputs.items()}
    below = _select(clean.layers[layer - 1].output, examples) if layer else None
    narrow = len(clean.layers) - 1 if find_family(model.config.model_type).reads_first_token else None
    with _running(_Replaying(layer, context, below, narrow)):
        return _call(model, inputs)


def _select(output: Tensor | tuple | None, examples: Tensor) -> Tensor | tuple | None:
    """Picks rows of a layer's output; what all examples share (a position bias has batch size 1) is repeated."""
    if isinstance(output, tuple):
        return tuple(_select(part, examples) for part in output)
    if output is None:
        return None
    return output.expand(len(examples), *output.shape[1:]) if output.shape[0] == 1 else output[examples]


# ---------------------------------------------------------------------------------------------- what a pass does


@dataclass
class _RecordedLayer:
    attended: list[tuple[Tensor, Tensor, Tensor | None]] = field(default_factory=list)
    output: Tensor | tuple | None = None


class _Recording:
    """A clean pass that keeps every layer's attention, value and output."""

    def __init__(self) -> None:
        self.layers: list[_RecordedLayer] = []
        self.inside = False

    def run_layer(self, forward: Callable, args: tuple, kwargs: dict) -> Tensor | tuple:
        self.layers.append(_RecordedLayer())
        self.inside = True
        try:
            output = forward(*args, **kwargs)
        finally:
            self.inside = False
        self.layers[-1].output = output
        return output

    def project(self, projection: nn.Linear, states: Tensor, *, is_query: bool) -> Tensor:
        return multiply(projection, states)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
        logits = query @ key.transpose(-2, -1) * scaling
        attention = (logits if mask is None else logits + mask).softmax(-1)
        if self.inside:
            self.layers[-1].attended.append((attention, value, _find_allowed(mask)))
        return compute_context(attention, value)


class _Replaying:
    """A pass that skips the layers below one layer and gives that layer its context.

    The layer ``narrow`` (the top one, where the classifier reads its first token only) runs for the first token:
    its input is that token's state, and only its keys and values are computed from the states of all tokens.
    """

    def __init__(self, start: int, context: Tensor, below: Tensor | tuple | None, narrow: int | None) -> None:
        self.start, self.context, self.below, self.narrow = start, context, below, narrow
        self.n_entered = 0
        self.at_start = False
        self.whole: Tensor | None = None  # the states of all tokens, inside the narrow layer

    def run_layer(self, forward: Callable, args: tuple, kwargs: dict) -> Tensor | tuple:
        self.n_entered += 1
        if self.n_entered <= self.start:
            return self.below
        self.at_start = self.n_entered == self.start + 1
        if self.n_entered - 1 == self.narrow:
            self.whole, args = args[0], (args[0][:, :1], *args[1:])
        try:
            return forward(*args, **kwargs)
        finally:
            self.at_start, self.whole = False, None

    def project(self, projection: nn.Linear, states: Tensor, *, is_query: bool) -> Tensor:
        if self.at_start:
            return states.new_zeros(()).expand(*states.shape[:-1], projection.out_features)
        return multiply(projection, states if self.whole is None or is_query else self.whole)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
        if self.at_start:
            return self.context if self.whole is None else self.context[:, :1]
        if self.whole is not None:  # the layer took all keys for one token's: (B, T·H, 1, d) is (B, T, H, d)
            shape = (len(key), -1, query.shape[1], key.shape[-1])
            key, value = (states.reshape(shape).transpose(1, 2) for states in (key, value))
            mask = None if mask is None else mask[:, :, :1]
        return _attend_plainly(query, key, value, mask, scaling)


_PASS: ContextVar[_Recording | _Replaying | None] = ContextVar("attattr_pass", default=None)


@contextmanager
def _running(current: _Recording | _Replaying) -> Iterator[None]:
    token = _PASS.set(current)
    try:
        yield
    finally:
        _PASS.reset(token)


def _call(model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> Tensor:
    extra = {"use_cache": False} if getattr(model.config, "use_cache", None) is not None else {}
    return model(**inputs, **extra, return_dict=True).logits


# --------------------------------------------------------------------------------------------- attention itself


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    position_bias: Tensor | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """The attention function registered with transformers; context out, (B, T, H, d)."""
    n_groups = query.shape[1] // key.shape[1]
    if n_groups > 1:  # grouped queries: every key and value serves n_groups heads
        key, value = key.repeat_interleave(n_groups, 1), value.repeat_interleave(n_groups, 1)
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    if position_bias is not None:
        attention_mask = position_bias if attention_mask is None else attention_mask + position_bias
    current = _PASS.get()
    attend = _attend_plainly if current is None else current.attend
    return attend(query, key, value, attention_mask, scaling), None


def _attend_plainly(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
    context = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)
    return context.transpose(1, 2)


def _find_allowed(mask: Tensor | None) -> Tensor | None:
    """Reads an additive or boolean mask: True where attention is allowed; None where nothing is masked."""
    if mask is None:
        return None
    allowed = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
    return None if bool(allowed.all()) else allowed


AttentionInterface.register(_NAME, _attend)
AttentionMaskInterface.register(_NAME, eager_mask)  # without it every mask would be None, silently


# ------------------------------------------------------------------------------------------------- instruments


@dataclass
class _Instruments:
    n_users: int
    attention: str
    trainable: list[nn.Parameter]
    in_training: list[nn.Module]
    wrapped: list[tuple[nn.Module, Callable | None]]


_INSTRUMENTS: WeakKeyDictionary[PreTrainedModel, _Instruments] = WeakKeyDictionary()
_LOCK = RLock()  # re-entrant: an abandoned generator may be collected, and give its model back, while a thread holds it


@contextmanager
def instrumented(model: PreTrainedModel) -> Iterator[None]:
    """Makes a model ready for `record` and `replay`; the last user's exit restores it exactly.

    While it lasts the model is in eval mode and its parameters need no gradients. Passes outside `record` and
    `replay` give the model's own results meanwhile, in any thread.

    Args:
        model: A sequence classifier of a supported family.

    Raises:
        UnsupportedModelError: When the family is not supported.
    """
    family = find_family(model.config.model_type)
    with _LOCK:
        if model in _INSTRUMENTS:
            _INSTRUMENTS[model].n_users += 1
        else:
            _INSTRUMENTS[model] = _install(model, family)
    try:
        yield
    finally:
        with _LOCK:
            _INSTRUMENTS[model].n_users -= 1
            if _INSTRUMENTS[model].n_users == 0:
                _remove(model, _INSTRUMENTS.pop(model))


def _install(model: PreTrainedModel, family: Family) -> _Instruments:
    layers = _find_layers(model.base_model, family.layers)
    queries = {layer.get_submodule(name) for layer in layers for name in family.projections[:1]}
    projections = [layer.get_submodule(name) for layer in layers for name in family.projections]
    linears = [module for layer in layers for module in layer.modules() if type(module) is nn.Linear]
    instruments = _Instruments(
        n_users=1,
        attention=model.config._attn_implementation,
        trainable=[parameter for parameter in model.parameters() if parameter.requires_grad],
        in_training=[module for module in model.modules() if module.training],
        wrapped=[(module, vars(module).get("forward")) for module in {*layers, *projections, *linears}],
    )
    try:
        for layer in layers:
            layer.forward = _wrap_layer(layer.forward)
        for linear in linears:
            linear.forward = _wrap_linear(linear)
        for projection in projections:
            projection.forward = _wrap_projection(projection, is_query=projection in queries)
        for parameter in instruments.trainable:
            parameter.requires_grad_(False)
        model.eval()
        model.set_attn_implementation(_NAME)
    except BaseException:
        _remove(model, instruments)
        raise
    return instruments


def _remove(model: PreTrainedModel, instruments: _Instruments) -> None:
    model.set_attn_implementation(instruments.attention)
    for module in instruments.in_training:
        module.training = True
    for parameter in instruments.trainable:
        parameter.requires_grad_(True)
    for module, forward in instruments.wrapped:
        if forward is None:
            vars(module).pop("forward", None)  # the class's own method shows again
        else:
            module.forward = forward


def _find_layers(base: nn.Module, path: str) -> list[nn.Module]:
    head, _, tail = path.partition(".*.")
    members = list(base.get_submodule(head))
    return [layer for member in members for layer in _find_layers(member, tail)] if tail else members


def _wrap_layer(forward: Callable) -> Callable:
    def run(*args, **kwargs) -> Tensor | tuple:
        current = _PASS.get()
        return forward(*args, **kwargs) if current is None else current.run_layer(forward, args, kwargs)

    return run


def _wrap_projection(projection: nn.Linear, *, is_query: bool) -> Callable:
    forward = projection.forward

    def run(states: Tensor) -> Tensor:
        current = _PASS.get()
        return forward(states) if current is None else current.project(projection, states, is_query=is_query)

    return run


def _wrap_linear(linear: nn.Linear) -> Callable:
    forward = linear.forward

    def run(states: Tensor) -> Tensor:
        return forward(states) if _PASS.get() is None else multiply(linear, states)

    return run
