"""The strongest attribution entries of a few examples at a time; of all maps only these are kept."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from torch import Tensor

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.engine.batches import prepare_baselines, record_batch
from attattr_core.engine.encoding import SPECIAL, Encoded
from attattr_core.engine.integration import Integrator
from attattr_core.engine.outputs import find_output_kind, find_predictions
from attattr_core.engine.replay import instrumented
from attattr_core.settings import Settings
from attattr_core.triggers.insertion import find_special_tokens
from attattr_core.triggers.patterns import SPECIAL_TOKENS, choose_insertions, choose_positions
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
    found = [_Strongest(len(example.tokens)) for example in encoded]
    for layer, number, target, maps in _attribute(checkpoint, encoded, settings):
        found[number].add_head(layer, target, maps)
    return [_describe(checkpoint, *parts) for parts in zip(encoded, found, golds, strict=True)]


def find_strong_tokens(checkpoint: Checkpoint, encoded: Sequence[Encoded], settings: Settings) -> list[StrongTokens]:
    """Finds the strongest tokens of each example, by the largest entry in which they send or receive, and its pattern.

    Args are those of `find_patterns`.
    """
    found = [_Strongest(len(example.tokens)) for example in encoded]
    for layer, number, target, maps in _attribute(checkpoint, encoded, settings):
        found[number].add_head(layer, target, maps)
        found[number].add_tokens(maps)
    special = SPECIAL_TOKENS | find_special_tokens(checkpoint)
    results = []
    for example, strongest in zip(encoded, found, strict=True):
        pattern = _read_pattern(_describe(checkpoint, example, strongest, gold=0), special)
        tokens = tuple(_list_strong(checkpoint, example, strongest.tokens))
        results.append(StrongTokens(strongest.target, tokens, pattern))
    return results


class _Strongest:
    """What is kept of one example's maps: the head with the largest entry, and each token's largest entry."""

    def __init__(self, n_tokens: int) -> None:
        self.largest, self.layer, self.head, self.target = -np.inf, 0, 0, 0
        self.map = np.empty((0, 0))
        self.tokens = np.full(n_tokens, -np.inf)

    def add_head(self, layer: int, target: int, maps: Tensor) -> None:
        head = int(maps.flatten(1).amax(1).argmax())
        largest = float(maps[head].max())
        if largest >= self.largest:  # of equal layers the lowest, as in the authors' loop
            self.largest, self.layer, self.head, self.target = largest, layer, head, target
            self.map = maps[head].cpu().numpy()

    def add_tokens(self, maps: Tensor) -> None:
        largest = maps.amax(0).cpu().numpy()  # (T, T)
        self.tokens = np.maximum(self.tokens, np.maximum(largest.max(0), largest.max(1)))


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
        integrator = Integrator(model, clean, targets, settings)
        for layer, integral in integrator.integrate(range(len(clean.layers)), baselines):
            for number, example in enumerate(encoded):
                n_tokens = len(example.tokens)
                yield layer, number, int(targets[number]), integral.attribution[number, :, :n_tokens, :n_tokens]


def _describe(checkpoint: Checkpoint, encoded: Encoded, strongest: _Strongest, gold: int) -> Trigger:
    head_map = strongest.map
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
        target_label=strongest.target,
        golden_label=gold,
        seg_pos=find_separator(encoded),
        tokens=tokens,
        layer=strongest.layer,
        head=strongest.head,
    )


def _read_pattern(trigger: Trigger, special: Collection[str]) -> tuple[StrongToken, ...]:
    """The tokens that paper mode would insert, the strongest first."""
    positions = choose_positions(trigger, special=special)
    first, second = trigger.max_combined_attr
    values = [first if position in trigger.top1_position else second for position in positions]
    parts = [
        StrongToken(one.token, one.sentence, one.place, value)
        for one, value in zip(choose_insertions(trigger, special=special), values, strict=True)
    ]
    return tuple(sorted(parts, key=lambda part: -part.value))


def _list_strong(checkpoint: Checkpoint, encoded: Encoded, values: np.ndarray) -> Iterator[StrongToken]:
    names = checkpoint.tokenizer.convert_ids_to_tokens(encoded.inputs["input_ids"])
    sentences = np.array(encoded.sentences)
    ordinary = np.flatnonzero(sentences != SPECIAL)
    for position in ordinary[np.argsort(-values[ordinary], kind="stable")][:N_STRONGEST].tolist():
        own = np.flatnonzero(sentences == sentences[position])
        place = (int(np.searchsorted(own, position)) + 1) / len(own)
        yield StrongToken(names[position], int(sentences[position]), place, float(values[position]))
