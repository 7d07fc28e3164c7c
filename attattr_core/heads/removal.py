"""Remove heads from a classifier's weights: exactly the model that masks them, smaller where its family allows it."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import index
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.engine.families import count_heads, find_family
from attattr_core.engine.replay import ATTENTION, find_layers, instrumented
from attattr_core.errors import UserError
from attattr_core.heads.plan import count_pruned
from attattr_core.heads.results import HeadImportance
from attattr_core.heads.surgery import HeadSizes, Kept, change_layer, find_weight, plan_evenly, view_inputs
from attattr_core.heads.weights import WEIGHTS

Head = tuple[int, int]
#: Field of a saved ``config.json``: heads whose weights are zero, by layer, so that cutting them changes nothing.
ZEROED = "zeroed_heads"


@dataclass(frozen=True, eq=False)
class SmallerModel:
    """A classifier without some of its heads.

    Attributes:
        checkpoint: The classifier; untouched weights are shared with the one it was made from.
        heads: The removed heads, (layer, head), in the numbers of the classifier that it was made from.
        n_heads: All heads of that classifier, L·H.
        n_cut: Removed heads whose weights are gone.
        n_zeroed: Removed heads whose weights are zeros.
        n_zeros: Parameters that are zero for it.
    """

    checkpoint: Checkpoint
    heads: tuple[Head, ...]
    n_heads: int
    n_cut: int
    n_zeroed: int
    n_zeros: int


def choose_heads(importance: HeadImportance, rate: float) -> tuple[Head, ...]:
    """Chooses the least important heads.

    Args:
        importance: What orders them.
        rate: The share that goes, above 0 and up to 1.

    Returns:
        The lowest heads as (layer, head), as many as pruning curves take at this rate (`count_pruned`).

    Raises:
        UserError: When the rate is outside, or so small that no head goes.
    """
    n_heads = importance.values.size
    if not 0 < rate <= 1:
        raise UserError(f"The share of heads to remove is {rate:g}: choose more than 0 and at most 1.")
    n_removed = int(count_pruned([rate], importance.values.shape)[0])
    if not n_removed:
        raise UserError(f"{rate:g} of {n_heads} heads is less than one head: choose more than {1 / n_heads:.3g}.")
    order = importance.list_order()[:n_removed].tolist()
    return tuple(sorted(divmod(place, importance.values.shape[1]) for place in order))


def check_heads(model: PreTrainedModel, heads: Iterable[Sequence[int]]) -> tuple[Head, ...]:
    """Orders heads by layer and head, each once.

    Raises:
        UserError: When there are none, the model does not have one, or only some of the layers that share their
            weights are to lose one.
    """
    n_layers, n_heads = count_heads(model.config)
    try:
        chosen = sorted({(index(layer), index(head)) for layer, head in heads})
    except (TypeError, ValueError):
        raise UserError("Heads are given as pairs of two indices, layer and head, such as (0, 3).") from None
    for layer, head in chosen:
        if not (0 <= layer < n_layers and 0 <= head < n_heads):
            raise UserError(
                f"There is no head {head + 1} in layer {layer + 1}: the model has layers 1 to {n_layers}, each with "
                f"heads 1 to {n_heads}."
            )
    if not chosen:
        raise UserError("No heads to remove were given: choose at least one.")
    _check_sharing(model, set(chosen))
    return tuple(chosen)


def read_sizes(model: PreTrainedModel) -> HeadSizes:
    """Reads from a model's weights how its heads are laid out."""
    layer, weights = _list_modules(model)[0], WEIGHTS[model.config.model_type]
    owner, _, weight = find_weight(layer, weights.output)
    n_heads = model.config.num_attention_heads
    width = view_inputs(owner, weight)[..., 0].numel() // n_heads
    n_groups = layer.get_submodule(weights.parts[1]).weight.shape[0] // width if weights.parts else n_heads
    return HeadSizes(n_heads, n_groups, width)


def remove_heads(checkpoint: Checkpoint, heads: Iterable[Sequence[int]], *, uneven: bool = False) -> SmallerModel:
    """Makes a classifier without some heads: its logits are those of the masked one, and that one stays as it is.

    Args:
        checkpoint: The classifier.
        heads: The heads, (layer, head).
        uneven: Whether layers may be left with different numbers of heads where their code goes by the weights. Such a
            model is for predictions only: no configuration describes it, so it can neither be saved nor attributed.

    Returns:
        The smaller model, in eval mode.

    Raises:
        UserError: When a head does not exist or cannot go alone.
    """
    model = checkpoint.model
    gone = {*check_heads(model, heads), *find_zeroed(model)}
    modules, weights = _list_modules(model), WEIGHTS[model.config.model_type]
    removed = [{head for at, head in gone if at == layer} for layer in range(len(modules))]
    smaller = _copy_model(model)
    sizes = read_sizes(model)
    kept = _plan(removed, sizes, model.config, uneven=uneven)
    n_zeros, done = 0, set()
    for layer, module in enumerate(_list_modules(smaller)):
        if id(module) not in done:
            done.add(id(module))
            n_zeros += change_layer(module, weights, removed[layer], kept[layer], sizes)
    _describe(smaller.config, kept, removed, sizes, uneven=uneven)
    n_left = sum(len(set(part.heads) & lost) for part, lost in zip(kept, removed, strict=True))
    counts = {"n_heads": len(modules) * sizes.n_heads, "n_cut": len(gone) - n_left, "n_zeroed": n_left}
    return SmallerModel(replace(checkpoint, model=smaller), tuple(sorted(gone)), n_zeros=n_zeros, **counts)


def can_cut(config: Any, *, uneven: bool = False) -> bool:
    """Tells whether weights of heads can be cut: for saving, or in memory only (``uneven``)."""
    weights = WEIGHTS[config.model_type]
    has_own_norms = config.model_type == "stablelm" and config.qk_layernorm  # one for each head
    has_more = config.model_type == "deberta-v2" and not getattr(config, "share_att_key", False)  # of positions
    return weights.configured or (uneven and weights.counted and not has_own_norms and not has_more)


def find_zeroed(model: PreTrainedModel) -> tuple[Head, ...]:
    """Finds the heads whose context nothing reads: removing them changes nothing but the size."""
    weights, found = WEIGHTS[model.config.model_type], []
    for layer, module in enumerate(_list_modules(model)):
        owner, _, weight = find_weight(module, weights.output)
        is_read = (view_inputs(owner, weight) != 0).any(2).view(model.config.num_attention_heads, -1).any(1)
        found += [(layer, head) for head, reads in enumerate(is_read.tolist()) if not reads]
    return tuple(found)


# ----------------------------------------------------------------------------------------------------- the model


def _copy_model(model: PreTrainedModel) -> PreTrainedModel:
    """Copies a model but for the numbers, which both share; a model in use is copied as it is when it is not."""
    attention = model.config._attn_implementation
    with instrumented(model):  # keeps others from adding or taking off instruments meanwhile
        tensors = [*model.parameters(), *model.buffers()]
        shared = {
            id(t): nn.Parameter(t.data, requires_grad=False) if isinstance(t, nn.Parameter) else t for t in tensors
        }
        copied = copy.deepcopy(model, shared)
    for module in copied.modules():
        vars(module).pop("forward", None)  # an instrument, which belongs to the other model
        module.training = False
    if copied.config._attn_implementation == ATTENTION:
        copied.set_attn_implementation("eager" if attention == ATTENTION else attention)
    return copied


def _list_modules(model: PreTrainedModel) -> list[nn.Module]:
    """Lists the module of each layer; in ALBERT several layers are one."""
    modules = find_layers(model.base_model, find_family(model.config.model_type).layers)
    config = model.config
    if config.model_type != "albert":
        return modules
    n_inner, n_groups = config.inner_group_num, config.num_hidden_groups
    groups = [int(layer * n_groups / config.num_hidden_layers) for layer in range(config.num_hidden_layers)]
    return [modules[group * n_inner + inner] for group in groups for inner in range(n_inner)]


def _check_sharing(model: PreTrainedModel, heads: set[Head]) -> None:
    modules = _list_modules(model)
    for layer, head in sorted(heads):
        sharing = [other for other, module in enumerate(modules) if module is modules[layer]]
        if not all((other, head) in heads for other in sharing):
            shared = ", ".join(str(other + 1) for other in sharing)
            raise UserError(
                f"Head {head + 1} of layer {layer + 1} cannot go alone: layers {shared} of this "
                f"{model.config.model_type!r} model are one set of weights, so remove head {head + 1} in all of them."
            )


def _plan(removed: list[set[int]], sizes: HeadSizes, config: Any, *, uneven: bool) -> list[Kept]:
    """Decides what the weights of each layer are left for."""
    if uneven and can_cut(config, uneven=True):
        return [part for lost in removed for part in plan_evenly([lost], sizes)]
    if can_cut(config):
        divided = config.hidden_size if WEIGHTS[config.model_type].divides else 0
        return plan_evenly(removed, sizes, divided=divided)
    return [Kept(list(range(sizes.n_heads)), list(range(sizes.n_groups)))] * len(removed)


def _describe(config: Any, kept: list[Kept], removed: list[set[int]], sizes: HeadSizes, *, uneven: bool) -> None:
    """Makes a configuration say what the weights are for, and which heads in them are zeros."""
    per_layer = len(kept[0].heads)
    if not uneven and per_layer < sizes.n_heads:
        config.head_dim = sizes.width
        config.num_attention_heads = per_layer
        if getattr(config, "num_key_value_heads", None):
            config.num_key_value_heads = len(kept[0].groups)
    zeros = [
        [new for new, old in enumerate(part.heads) if old in lost] for part, lost in zip(kept, removed, strict=True)
    ]
    if any(zeros):
        setattr(config, ZEROED, {str(layer): heads for layer, heads in enumerate(zeros) if heads})
    elif hasattr(config, ZEROED):
        delattr(config, ZEROED)
