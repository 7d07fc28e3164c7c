"""What is run on an instrumented model: a pass that is recorded, restarted, masked, pruned or traced.

`attattr_core.engine.replay` instruments models, and says why a restarted pass is enough;
`attattr_core.engine.passes` holds what the instruments do meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from attattr_core.engine.families import find_family
from attattr_core.engine.passes import Masking, Pruning, Recording, Replaying, Tracing, running
from attattr_core.engine.stopping import ask
from attattr_core.errors import UnsupportedModelError


@dataclass(frozen=True)
class LayerRecord:
    """One layer of a clean forward pass of B examples.

    Attributes:
        attention: Attention probabilities A, (B, H, T, T), row = query, column = key.
        value: V, repeated to H heads, (B, H, T, d).
        allowed: True where a query may attend to a key, broadcastable to (B, 1, T, T); None where it always may.
        output: What the layer returned: hidden states (B, T, hidden), in some families in a tuple or a dictionary.
    """

    attention: Tensor
    value: Tensor
    allowed: Tensor | None
    output: Any


@dataclass(frozen=True)
class Record:
    """A clean forward pass: the model's inputs, each (B, T), its logits, (B, n_labels), and its layers."""

    inputs: dict[str, Tensor]
    logits: Tensor
    layers: tuple[LayerRecord, ...]


def record(model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> Record:
    """Runs the model once and keeps what later replays need.

    Args:
        model: An instrumented sequence classifier (see `attattr_core.engine.replay.instrumented`).
        inputs: Tokenised examples, each tensor (B, T); padding is marked by ``attention_mask``.

    Returns:
        The record, on the model's device.

    Raises:
        UnsupportedModelError: When a layer did not attend exactly once.
    """
    recording = Recording(find_family(model.config.model_type))
    with torch.no_grad(), running(recording):
        logits = _call(model, inputs)
    n_calls = [len(layer.attended) for layer in recording.layers]
    if not n_calls or any(n != 1 for n in n_calls):
        raise UnsupportedModelError(
            f"Models of the family {model.config.model_type!r} cannot be attributed: their layers were seen to attend "
            f"{n_calls} times where once each is needed."
        )
    layers = tuple(LayerRecord(**vars(layer.attended[0]), output=layer.output) for layer in recording.layers)
    return Record(dict(inputs), logits, layers)


@dataclass(frozen=True)
class Start:
    """Rows of a replay that start at one layer.

    Attributes:
        layer: Index of the layer whose attention result is replaced.
        context: A context for each of them, (n, T, H, d). Gradients flow into it where it requires them.
        examples: The example that each restarts from, (n,), integers.
    """

    layer: int
    context: Tensor
    examples: Tensor


def replay(model: PreTrainedModel, clean: Record, starts: Sequence[Start]) -> Tensor:
    """Restarts the clean pass with other contexts; every layer above a row's start recomputes.

    Args:
        model: The instrumented model that made the record.
        clean: The record.
        starts: What the rows start with, by ascending layer; one of them only where the family does not join rows
            (see `attattr_core.engine.families.Family.joins`).

    Returns:
        Logits of all rows in their order, (n_rows, n_labels).
    """
    family, (lowest, *others) = find_family(model.config.model_type), starts
    examples = lowest.examples if not others else torch.cat([start.examples for start in starts])
    inputs = {name: tensor[examples] for name, tensor in clean.inputs.items()}
    outputs = [layer.output for layer in clean.layers[: starts[-1].layer]]
    if family.chained:  # only the last of them counts, so one selection serves all
        last = outputs[: lowest.layer][-1:]
        below = [_select(output, lowest.examples, family.batch_dim) for output in last] * lowest.layer
    else:
        below = [_select(output, lowest.examples, family.batch_dim) for output in outputs]
    joining = {start.layer: _select(outputs[start.layer - 1], start.examples, family.batch_dim) for start in others}
    narrow = len(clean.layers) - 1 if family.reads_first_token else None
    contexts = {start.layer: start.context for start in starts}
    with running(Replaying(family, contexts, below, joining, narrow)):
        return _call(model, inputs)


def run_masked(model: PreTrainedModel, inputs: Mapping[str, Tensor], masks: Tensor) -> Tensor:
    """Runs the model with its attention probabilities multiplied by masks, without renormalising.

    Args:
        model: An instrumented model (see `attattr_core.engine.replay.instrumented`).
        inputs: Tokenised examples, each tensor (B, T).
        masks: 1 keeps and 0 removes, (B, L, H, T, T) or with dimensions of size 1 that stand for all.

    Returns:
        Logits, (B, n_labels).

    Raises:
        UnsupportedModelError: When a layer did not mix by attention exactly once.
    """
    masking = Masking(find_family(model.config.model_type), masks)
    with torch.no_grad(), running(masking):
        logits = _call(model, inputs)
    n_layers = masks.shape[1]
    if not masking.n_entered == masking.n_masked == n_layers:
        raise UnsupportedModelError(
            f"Attention of the family {model.config.model_type!r} cannot be masked: {masking.n_masked} of {n_layers} "
            "layers were reached."
        )
    return logits


@dataclass(frozen=True)
class PrunedPass:
    """A pass without some heads: its logits, (B, n_labels), and what each layer returned, for passes that share it."""

    logits: Tensor
    outputs: list[Any]


def run_pruned(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], head_mask: Tensor, *, below: Sequence[Any] = ()
) -> PrunedPass:
    """Runs the model without some heads: their attention probabilities times 0, without renormalising.

    Args:
        model: An instrumented model (see `attattr_core.engine.replay.instrumented`).
        inputs: Tokenised examples, each tensor (B, T).
        head_mask: 1 keeps and 0 prunes, (L, H).
        below: What the lowest layers returned in an earlier pass, fewer than L: over the same inputs, and with a mask
            that is the same in these layers. They are not run again.

    Returns:
        The logits, and what the layers returned.

    Raises:
        UnsupportedModelError: When a pruned layer did not mix by attention exactly once.
    """
    family, n_layers = find_family(model.config.model_type), len(head_mask)
    prunes = (head_mask == 0).any(-1).tolist()
    masks = [mask.to(model.device, model.dtype) if any_ else None for mask, any_ in zip(head_mask, prunes, strict=True)]
    pruning = Pruning(family, masks, list(below), n_layers - 1 if family.reads_first_token else None)
    with torch.no_grad(), running(pruning):
        logits = _call(model, inputs)
    n_wanted = sum(prunes[len(below) :])
    if pruning.n_entered != n_layers or pruning.n_masked != n_wanted:
        raise UnsupportedModelError(
            f"Heads of the family {model.config.model_type!r} cannot be pruned: {pruning.n_entered} of {n_layers} "
            f"layers ran, and {pruning.n_masked} of {n_wanted} were reached."
        )
    return PrunedPass(logits, pruning.outputs)


@dataclass(frozen=True)
class Trace:
    """A clean pass with gradients.

    Attributes:
        logits: (B, n_labels), without a graph.
        contexts: Every layer's context C, (B, T, H, d).
        gradients: ∂/∂C of what was asked for, as large.
    """

    logits: Tensor
    contexts: tuple[Tensor, ...]
    gradients: tuple[Tensor, ...]


def trace(model: PreTrainedModel, inputs: Mapping[str, Tensor], compute: Callable[[Tensor], Tensor]) -> Trace:
    """Runs the model once and differentiates a function of its logits for every layer's context.

    Args:
        model: An instrumented model (see `attattr_core.engine.replay.instrumented`).
        inputs: Tokenised examples, each tensor (B, T).
        compute: From logits, (B, n_labels), to a number: a sum over examples, so that each gets its own gradient.

    Returns:
        The trace. The gradients are total: a context acts on the logits through all layers above.

    Raises:
        UnsupportedModelError: When a layer did not attend exactly once.
    """
    tracing = Tracing(find_family(model.config.model_type))
    with torch.enable_grad(), running(tracing):
        logits = _call(model, inputs)
        total = compute(logits)
    if not len(tracing.contexts) == tracing.n_entered > 0:
        raise UnsupportedModelError(
            f"Models of the family {model.config.model_type!r} cannot be attributed: {len(tracing.contexts)} contexts "
            f"were seen in {tracing.n_entered} layers."
        )
    gradients = torch.autograd.grad(total, tracing.contexts)
    return Trace(logits.detach(), tuple(context.detach() for context in tracing.contexts), gradients)


def _select(output: Any, examples: Tensor, dim: int) -> Any:
    """Picks examples of a layer's output; what all of them share (a position bias has batch size 1) is repeated."""
    if isinstance(output, tuple | list):
        return type(output)(_select(part, examples, dim) for part in output)
    if isinstance(output, dict):
        return {name: _select(part, examples, dim) for name, part in output.items()}
    if output is None:
        return None
    if output.shape[dim] == 1:
        return output.expand(*output.shape[:dim], len(examples), *output.shape[dim + 1 :])
    return output.index_select(dim, examples)


def _call(model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> Tensor:
    ask()
    extra = {"use_cache": False} if getattr(model.config, "use_cache", None) is not None else {}
    return model(**inputs, **extra, return_dict=True).logits
