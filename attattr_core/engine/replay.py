"""Instrument a model, so that a pass can be recorded and restarted at one layer: what knows transformers' internals.

Two identities carry the engine (H heads, T tokens, d head width):

1. A layer's context is linear in its attention, C_h = A_h V_h, and Q, K, V of that layer do not depend on its own
   attention. So the gradient for A_h[i, j] is ⟨∂F/∂C_h[i], V_h[j]⟩, and the path in A is a path in C.
2. The layers below do not depend on it either: a clean pass is recorded once, and a replay starts at the recorded
   input of the layer with a context of the caller's choice in place of its attention.

A model is instrumented once, for as long as anyone uses it; what the instruments do is decided by a context
variable. So threads that share a model do not see each other, and a pass outside `record` or `replay` is plain.

`attattr_core.engine.runs` starts the passes that are given on here, `attattr_core.engine.passes` holds what the
instruments do in them, and `attattr_core.engine.interception` finds attention in models that do not use transformers'
attention interface.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface, eager_mask
from transformers.pytorch_utils import Conv1D

from attattr_core.engine.families import Family, check_config, find_family
from attattr_core.engine.passes import PASS, attend_plainly, compute_context
from attattr_core.engine.precision import computing_layer
from attattr_core.engine.products import forget, multiply
from attattr_core.engine.runs import (
    LayerRecord,
    PrunedPass,
    Record,
    Start,
    Trace,
    record,
    replay,
    run_masked,
    run_pruned,
    trace,
)

__all__ = [
    "ATTENTION",
    "LayerRecord",
    "PrunedPass",
    "Record",
    "Start",
    "Trace",
    "compute_context",
    "find_layers",
    "instrumented",
    "record",
    "replay",
    "run_masked",
    "run_pruned",
    "trace",
]

ATTENTION = "attattr"  # the name under which transformers knows the attention function below
_SPARSE = "block_sparse"


@dataclass
class _Instruments:
    n_users: int
    attention: str
    trainable: list[nn.Parameter]
    in_training: list[nn.Module]
    wrapped: list[tuple[nn.Module, Callable | None]]
    sparse: list[tuple[nn.Module, dict[str, nn.Module]]]


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
        UnsupportedModelError: When the family, or this model's configuration of it, is not supported.
    """
    family = find_family(model.config.model_type)
    check_config(model.config)
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
    in_training = [module for module in model.modules() if module.training]
    sparse = _attend_fully(model)
    layers = find_layers(model.base_model, family.layers)
    queries = {layer.get_submodule(name) for layer in layers for name in family.projections[:1]}
    projections = [layer.get_submodule(name) for layer in layers for name in family.projections]
    linears = [module for layer in layers for module in layer.modules() if type(module) is nn.Linear]
    instruments = _Instruments(
        n_users=1,
        attention=model.config._attn_implementation,
        trainable=[parameter for parameter in model.parameters() if parameter.requires_grad],
        in_training=in_training,
        wrapped=[(module, vars(module).get("forward")) for module in {*layers, *projections, *linears}],
        sparse=sparse,
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
        _set_attention(model, family, ATTENTION if family.routed else "eager")
    except BaseException:
        _remove(model, instruments)
        raise
    return instruments


def _remove(model: PreTrainedModel, instruments: _Instruments) -> None:
    _set_attention(model, find_family(model.config.model_type), instruments.attention)
    for module in instruments.in_training:
        module.training = True
    for parameter in instruments.trainable:
        parameter.requires_grad_(True)
    for module, forward in instruments.wrapped:
        if forward is None:
            vars(module).pop("forward", None)  # the class's own method shows again
        else:
            module.forward = forward
        if isinstance(module, nn.Linear):
            forget(module)
    for module, children in instruments.sparse:
        module.attention_type = _SPARSE
        module._modules.update(children)


def _set_attention(model: PreTrainedModel, family: Family, name: str) -> None:
    if family.routed:
        model.set_attn_implementation(name)
    else:  # the method would refuse, but what these read while they run is this
        model.config._attn_implementation = name


def _attend_fully(model: PreTrainedModel) -> list[tuple[nn.Module, dict[str, nn.Module]]]:
    """Makes a BigBird attend fully, as it does by itself, and for good, for texts as short as those that run here.

    Returns:
        The modules that were switched, with their children before.
    """
    sparse = [module for module in model.modules() if getattr(module, "attention_type", None) == _SPARSE]
    children = [(module, dict(module._modules)) for module in sparse]
    if sparse:
        model.base_model.set_attention_type("original_full")
    return children


def find_layers(base: nn.Module, path: str) -> list[nn.Module]:
    head, _, tail = path.partition(".*.")
    members = list(base.get_submodule(head))
    return [layer for member in members for layer in find_layers(member, tail)] if tail else members


def _wrap_layer(forward: Callable) -> Callable:
    def run(*args, **kwargs) -> Tensor | tuple:
        current = PASS.get()
        if current is None:
            return forward(*args, **kwargs)
        with computing_layer():
            return current.run_layer(forward, args, kwargs)

    return run


def _wrap_projection(projection: nn.Linear | Conv1D, *, is_query: bool) -> Callable:
    forward = projection.forward

    def run(states: Tensor) -> Tensor:
        current = PASS.get()
        return forward(states) if current is None else current.project(projection, states, is_query=is_query)

    return run


def _wrap_linear(linear: nn.Linear) -> Callable:
    forward = linear.forward

    def run(states: Tensor) -> Tensor:
        return forward(states) if PASS.get() is None else multiply(linear, states)

    return run


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
    current = PASS.get()
    attend = attend_plainly if current is None else current.attend
    return attend(query, key, value, attention_mask, scaling), None


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, eager_mask)  # without it every mask would be None, silently
