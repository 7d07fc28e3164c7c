"""Zero and cut the weights of one layer's heads, and plan what layers of equal size are left with.

H query heads of a layer share KV keys and values, H / KV of them each (KV is H without grouped queries). What can be
cut of all layers alike is found from what is kept: the most groups that a layer has something left of, and the most
heads left of a group. What is removed beyond that stays in the weights as zeros.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from attattr_core.heads.weights import HeadWeights

_COUNTS = ("num_attention_heads", "num_heads", "n_heads")


@dataclass(frozen=True)
class HeadSizes:
    """Of each layer: heads, keys and values that groups of them share, numbers of a head."""

    n_heads: int
    n_groups: int
    width: int


@dataclass(frozen=True)
class Kept:
    """What the weights of a layer are left for: heads and groups, by their numbers before."""

    heads: list[int]
    groups: list[int]


def plan_evenly(removed: list[set[int]], sizes: HeadSizes, *, divided: int = 0) -> list[Kept]:
    """Cuts what all these layers can spare: as many groups and as many heads of a group in each, at least one.

    Args:
        removed: The heads that go, of each layer.
        sizes: Of each layer.
        divided: What the number of heads has to divide; any number divides 0.
    """
    per_group = sizes.n_heads // sizes.n_groups
    groups = [range(start, start + per_group) for start in range(0, sizes.n_heads, per_group)]
    left = [[[head for head in group if head not in lost] for group in groups] for lost in removed]
    fewest = (
        max(1, *(sum(map(bool, layer)) for layer in left)),
        max(1, *(len(part) for layer in left for part in layer)),
    )
    n_groups, n_inside = min(
        (
            pair
            for pair in product(range(fewest[0], sizes.n_groups + 1), range(fewest[1], per_group + 1))
            if divided % (pair[0] * pair[1]) == 0
        ),
        key=lambda pair: (pair[0] * pair[1], pair),
        default=(sizes.n_groups, per_group),
    )
    kept = []
    for layer in left:
        chosen = sorted(range(sizes.n_groups), key=lambda group, layer=layer: not layer[group])[:n_groups]
        heads = []
        for group in sorted(chosen):  # heads that go fill up where a group has fewer left than another
            fill = [head for head in groups[group] if head not in layer[group]]
            heads += sorted((layer[group] + fill)[:n_inside])
        kept.append(Kept(heads, sorted(chosen)))
    return kept


def change_layer(layer: nn.Module, weights: HeadWeights, removed: set[int], kept: Kept, sizes: HeadSizes) -> int:
    """Zeroes removed heads, then cuts the weights down to what is kept; returns how many zeros stay."""
    zeroed = sorted(removed & set(kept.heads))
    n_zeros = _zero_inputs(layer, weights.output, zeroed, sizes.width)
    per_group = sizes.n_heads // sizes.n_groups
    idle = [group for group in kept.groups if set(range(group * per_group, (group + 1) * per_group)) <= removed]
    for name, rows, left, n in zip(
        weights.parts,
        (zeroed, idle, idle),
        (kept.heads, kept.groups, kept.groups),
        (sizes.n_heads, sizes.n_groups, sizes.n_groups),
        strict=False,
    ):
        n_zeros += _change_rows(layer.get_submodule(name), rows, left if len(left) < n else None, sizes.width)
    if len(kept.heads) < sizes.n_heads:
        output = layer.get_submodule(weights.output)
        output.weight = _freeze(output.weight[:, _spread(kept.heads, sizes.width)])
        output.in_features = output.weight.shape[1]
        _recount(layer.get_submodule(weights.parts[0].rpartition(".")[0]), kept, sizes)
    return n_zeros


def _recount(attention: nn.Module, kept: Kept, sizes: HeadSizes) -> None:
    """Corrects the numbers that an attention keeps of its heads."""
    counts = {**dict.fromkeys(_COUNTS, (sizes.n_heads, len(kept.heads)))}
    counts["num_key_value_heads"] = (sizes.n_groups, len(kept.groups))
    counts["num_key_value_groups"] = (sizes.n_heads // sizes.n_groups, len(kept.heads) // len(kept.groups))
    counts["all_head_size"] = (sizes.n_heads * sizes.width, len(kept.heads) * sizes.width)
    for name, (before, after) in counts.items():
        if getattr(attention, name, None) == before:
            setattr(attention, name, after)


def _change_rows(part: nn.Module, zeroed: list[int], left: list[int] | None, width: int) -> int:
    """Zeroes and cuts what a linear layer gives for heads or groups; returns how many zeros stay."""
    n_zeros = 0
    for name in ("weight", "bias"):
        own = getattr(part, name, None)
        if own is None:
            continue
        changed = own.detach().clone()
        rows = _spread(zeroed, width)
        changed[rows] = 0
        n_zeros += changed[rows].numel()
        setattr(part, name, _freeze(changed if left is None else changed[_spread(left, width)]))
    if left is not None:
        part.out_features = part.weight.shape[0]
    return n_zeros


def find_weight(layer: nn.Module, path: str) -> tuple[nn.Module, str, nn.Parameter]:
    """Finds the weight of a module, or the parameter itself where the path leads to one (XLNet)."""
    owner, _, name = path.rpartition(".")
    part = getattr(layer.get_submodule(owner), name)
    return (layer.get_submodule(owner), name, part) if isinstance(part, nn.Parameter) else (part, "weight", part.weight)


def _zero_inputs(layer: nn.Module, path: str, heads: list[int], width: int) -> int:
    """Zeroes what the output projection reads of these heads; returns how many zeros that makes."""
    if not heads:
        return 0
    owner, name, weight = find_weight(layer, path)
    changed = weight.detach().clone()
    inputs = view_inputs(owner, changed)
    columns = torch.tensor(_spread(heads, width), device=changed.device)
    inputs[columns // inputs.shape[1], columns % inputs.shape[1]] = 0
    setattr(owner, name, _freeze(changed))
    return len(columns) * inputs.shape[2]


def view_inputs(owner: nn.Module, weight: Tensor) -> Tensor:
    """Views an output projection by what it reads: the heads' contexts side by side, (n_groups, inputs, outputs)."""
    if isinstance(owner, nn.Conv1d):
        return weight.view(owner.groups, -1, weight.shape[1]).transpose(1, 2)
    if weight.ndim == 3:  # (hidden, H, d)
        return weight.flatten(1).T[None]
    return (weight.T if hasattr(owner, "in_features") else weight)[None]  # transformers' Conv1D holds (in, out)


def _spread(numbers: Iterable[int], width: int) -> list[int]:
    """The rows of heads or groups, ``width`` each."""
    return [number * width + row for number in numbers for row in range(width)]


def _freeze(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor.contiguous(), requires_grad=False)
