"""The strongest attribution entries of a few examples at a time; of all maps only these are kept."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from attattr_core.batches import prepare_baselines, record_batch
from attattr_core.checkpoints import Checkpoint
from attattr_core.encoding import SPECIAL, Encoded
from attattr_core.integration import integrate_layer
from attattr_core.outputs import find_output_kind, find_predictions
from attattr_core.replay import instrumented
from attattr_core.settings import Settings
from attattr_core.triggers.pooled import N_STRONGEST, StrongToken, StrongTokens
from attattr_core.triggers.results import Trigger


def find_patterns(
    checkpoint: Checkpoint, encoded: Sequence[Encoded], golds: Sequence[int], settings: Settings
) -> list[Trigger]:
    """Finds each example's pattern: the two largest entries of the head that holds the largest one.

    Args:
        checkpoint: The classifier.
        encoded: Examples that may run together.
        golds: The gold class of each.
        settings: The convention of the attributions.
    """
    best: list[tuple[float, int, int, np.ndarray]] = [(-np.inf, 0, 0, np.empty(0))] * len(encoded)
    targets: list[int] = []
    for layer, number, target, maps in _attribute(checkpoint, encoded, settings):
        targets += [target] * (len(targets) == number)
        head = int(maps.flatten(1).amax(1).argmax())
        largest = float(maps[head].max())
        if largest >= best[number][0]:  # of equal layers the lowest, as in the authors' loop
            best[number] = (largest, layer, head, maps[head].cpu().numpy())
    return [
        _describe(checkpoint, *parts, layer, head, head_map)
        for *parts, (_, layer, head, head_map) in zip(encoded, targets, golds, best, strict=True)
    ]


def find_strong_tokens(checkpoint: Checkpoint, encoded: Sequence[Encoded], settings: Settings) -> list[StrongTokens]:
    """Finds the strongest tokens of each example, by the largest entry in which they send or receive."""
    values: list[np.ndarray | None] = [None] * len(encoded)
    targets = [0] * len(encoded)
    for _, number, target, maps in _attribute(checkpoint, encoded, settings):
        largest = maps.amax(0)  # (T, T)
        here = np.maximum(largest.amax(0).cpu().numpy(), largest.amax(1).cpu().numpy())
        values[number] = here if values[number] is None else np.maximum(values[number], here)
        targets[number] = target
    return [
        StrongTokens(target, tuple(_list_strong(checkpoint, example, found)))
        for example, target, found in zip(encoded, targets, values, strict=True)
    ]


def find_separator(encoded: Encoded) -> int:
    """Finds the position behind sentence A: the first separator, or where there is none the first token of B."""
    return max(position for position, sentence in enumerate(encoded.sentences) if sentence == 0) + 1


def _attribute(
    checkpoint: Checkpoint, encoded: Sequence[Encoded], settings: Settings
) -> Iterator[tuple[int, int, int, Tensor]]:
    """Layer (from the top), number of the example, class predicted and explained, and its maps, (H, T, T)."""
    model = checkpoint.model
    with instrumented(model):
        clean = record_batch(checkpoint, encoded)
        targets = find_predictions(clean.logits, find_output_kind(model.config))
        baselines = prepare_baselines(checkpoint, clean, encoded, settings.baseline)
        for layer in reversed(range(len(clean.layers))):
            maps = integrate_layer(model, clean, layer, baselines[layer], targets, settings).attribution
            for number, example in enumerate(encoded):
                n_tokens = len(example.tokens)
                yield layer, number, int(targets[number]), maps[number, :, :n_tokens, :n_tokens]


def _describe(
    checkpoint: Checkpoint, encoded: Encoded, target: int, gold: int, layer: int, head: int, head_map: np.ndarray
) -> Trigger:
    tokens = tuple(checkpoint.tokenizer.convert_ids_to_tokens(encoded.inputs["input_ids"]))
    order = np.argsort(-head_map, axis=None, kind="stable")[[0, min(1, head_map.size - 1)]]
    first, second = np.transpose(np.unravel_index(order, head_map.shape)).tolist()
    values = [float(head_map[tuple(entry)]) for entry in (first, second)]
    return Trigger(
        top1_pattern=(tokens[first[0]], tokens[first[1]]),
        top2_pattern=(tokens[second[0]], tokens[second[1]]),
        top1_position=tuple(first),
        top2_position=tuple(second),
        max_combined_attr=(values[0], values[1] if head_map.size > 1 else 0.0),
        target_label=target,
        golden_label=gold,
        seg_pos=find_separator(encoded),
        tokens=tokens,
        layer=layer,
        head=head,
    )


def _list_strong(checkpoint: Checkpoint, encoded: Encoded, values: np.ndarray) -> Iterator[StrongToken]:
    names = checkpoint.tokenizer.convert_ids_to_tokens(encoded.inputs["input_ids"])
    sentences = np.array(encoded.sentences)
    ordinary = np.flatnonzero(sentences != SPECIAL)
    for position in ordinary[np.argsort(-values[ordinary], kind="stable")][:N_STRONGEST].tolist():
        own = np.flatnonzero(sentences == sentences[position])
        place = (int(np.searchsorted(own, position)) + 1) / len(own)
        yield StrongToken(names[position], int(sentences[position]), place, float(values[position]))
