"""Mine triggers: the strongest attribution entries of many examples (section 4 of the paper).

Work goes through the examples in a fixed order of groups; what a group gave is written to a file of state at once, so
that a job that was killed goes on and ends with the identical list.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from attattr_core.batches import bucket_examples, prepare_baselines, record_batch
from attattr_core.checkpoints import Checkpoint
from attattr_core.datasets import Example, ExampleSet, digest_example
from attattr_core.encoding import Encoded, encode
from attattr_core.errors import UserError
from attattr_core.integration import integrate_layer
from attattr_core.outputs import check_function, find_output_kind, find_predictions
from attattr_core.products import find_product, fixing_product
from attattr_core.replay import instrumented
from attattr_core.settings import Settings
from attattr_core.triggers.entries import read_trigger, write_trigger
from attattr_core.triggers.label_order import rename_classes
from attattr_core.triggers.mining_state import MiningState
from attattr_core.triggers.overlap import choose_examples
from attattr_core.triggers.results import Trigger, TriggerSet
from attattr_core.triggers.versions import list_versions

MODES = ("paper",)
DEFAULT_EXAMPLES = 500
PAPER_SETTINGS = Settings(rule="left", n_steps=64)
_GROUP = 4  # examples worked on at a time on a processor, so that progress shows and little is lost


@dataclass(frozen=True, eq=False)
class MiningSoFar:
    """Triggers so far, and how far the work is.

    Attributes:
        triggers: The patterns found so far, the strongest first.
        n_done: Examples done.
        n_total: Examples that there are to do.
    """

    triggers: TriggerSet
    n_done: int
    n_total: int


@dataclass(frozen=True)
class _Chosen:
    """An example that is mined."""

    index: int
    example: Example
    encoded: Encoded


def mine_triggers(
    checkpoint: Checkpoint,
    examples: ExampleSet,
    *,
    mode: str = "paper",
    n_examples: int = DEFAULT_EXAMPLES,
    min_tokens: int = 0,
    seed: int | None = None,
    settings: Settings | None = None,
    state: str | Path | None = None,
) -> Iterator[MiningSoFar]:
    """Mines triggers from labelled examples; what is explained is the predicted class.

    Args:
        checkpoint: The classifier.
        examples: The data set.
        mode: ``"paper"``: of each example the two largest entries of the head that holds the largest one.
        n_examples: How many examples are taken.
        min_tokens: Of those, shorter ones, special tokens counted, are left out; the authors use 15 for SST-2.
        seed: Where the random choice of examples begins; None takes the first ones, as the authors do.
        settings: The convention; by default the authors' 64 left nodes.
        state: A file that keeps what is done; a job that finds it there goes on.

    Yields:
        The triggers so far; closing the generator stops the work.

    Raises:
        UserError: For another mode, a model without classes, no example long enough, or a state of another job.
    """
    if mode not in MODES:
        raise UserError(f"There is no way of mining called {str(mode)[:40]!r}: choose one of {', '.join(MODES)}.")
    if n_examples < 1:
        raise UserError(f"The number of examples to mine is {n_examples}: choose 1 or more.")
    settings = settings or PAPER_SETTINGS
    check_classes(checkpoint)
    examples = rename_classes(examples, checkpoint.labels)
    check_function(settings.function, find_output_kind(checkpoint.model.config))
    chosen = _choose(checkpoint, examples, n_examples, min_tokens, seed)
    job = TriggerSet(
        triggers=(),
        mode=mode,
        model=checkpoint.name,
        revision=checkpoint.revision,
        labels=checkpoint.labels,
        data=examples.file_name,
        data_sha256=examples.sha256,
        example_digests=tuple(digest_example(one.example) for one in chosen),
        n_examples=len(chosen),
        seed=seed,
        settings=settings,
        versions=list_versions(),
    )
    path = Path(state) if state else None
    kept = MiningState(path, _build_key(checkpoint, job, min_tokens), read_trigger, onednn=find_product())
    return _mine(checkpoint, chosen, job, kept)


def check_classes(checkpoint: Checkpoint) -> None:
    """Raises UserError when a model does not tell two classes or more apart."""
    if len(checkpoint.labels) < 2 or find_output_kind(checkpoint.model.config) == "regression":
        raise UserError(
            f"{checkpoint.name!r} predicts a single value, and triggers move examples from one class to another: "
            "choose a classifier of two classes or more."
        )


def _choose(
    checkpoint: Checkpoint, examples: ExampleSet, n_examples: int, min_tokens: int, seed: int | None
) -> list[_Chosen]:
    chosen = []
    for index in choose_examples(len(examples), n_examples, seed):
        example = examples.examples[index]
        encoded = encode(checkpoint, example.text, example.text_pair)
        if len(encoded.tokens) >= min_tokens:
            chosen.append(_Chosen(index, example, encoded))
    if not chosen:
        raise UserError(
            f"None of the {min(n_examples, len(examples))} examples of {examples.file_name!r} has {min_tokens} tokens: "
            "take more examples or ask for fewer tokens."
        )
    return chosen


def _mine(checkpoint: Checkpoint, chosen: list[_Chosen], job: TriggerSet, state: MiningState) -> Iterator[MiningSoFar]:
    wanted = {one.index for one in chosen}
    yield MiningSoFar(_sort(job, state.done), len(wanted & set(state.done)), len(chosen))
    for group in _group(checkpoint, chosen):
        if all(one.index in state.done for one in group):
            continue
        with fixing_product(state.onednn):
            patterns = _find_patterns(checkpoint, group, job.settings)
        state.add({one.index: pattern for one, pattern in zip(group, patterns, strict=True)}, write_trigger)
        yield MiningSoFar(_sort(job, state.done), len(state.done), len(chosen))


def _build_key(checkpoint: Checkpoint, job: TriggerSet, min_tokens: int) -> dict[str, Any]:
    """What tells this job from another one."""
    digest = hashlib.sha256("".join(job.example_digests).encode()).hexdigest()[:16]
    return {
        **{name: getattr(job, name) for name in ("mode", "model", "revision", "data", "n_examples", "seed")},
        "min_tokens": min_tokens,
        "settings": asdict(job.settings),
        "labels": list(job.labels),
        "examples": digest,
        "device": checkpoint.device.type,
    }


def _group(checkpoint: Checkpoint, chosen: list[_Chosen]) -> Iterator[list[_Chosen]]:
    """Groups that are the same in every run of a job, so that an interrupted one gives the same numbers."""
    for bucket in bucket_examples(checkpoint, [one.encoded for one in chosen]):
        size = len(bucket) if checkpoint.device.type == "cuda" else _GROUP
        for start in range(0, len(bucket), size):
            yield [chosen[index] for index in bucket[start : start + size]]


def _sort(job: TriggerSet, found: Mapping[int, Trigger]) -> TriggerSet:
    """The strongest first, equal ones in the order of their examples."""
    ordered = sorted((found[index] for index in sorted(found)), key=lambda trigger: trigger.strength, reverse=True)
    return replace(job, triggers=tuple(ordered))


def _find_patterns(checkpoint: Checkpoint, group: Sequence[_Chosen], settings: Settings) -> list[Trigger]:
    """Finds each example's pattern; of all maps only the strongest head's two entries are kept."""
    encoded = [one.encoded for one in group]
    model = checkpoint.model
    best: list[tuple[float, int, int, np.ndarray]] = [(-np.inf, 0, 0, np.empty(0))] * len(group)
    with instrumented(model):
        clean = record_batch(checkpoint, encoded)
        targets = find_predictions(clean.logits, find_output_kind(model.config))
        baselines = prepare_baselines(checkpoint, clean, encoded, settings.baseline)
        for layer in reversed(range(len(clean.layers))):
            maps = integrate_layer(model, clean, layer, baselines[layer], targets, settings).attribution
            for number, example in enumerate(encoded):
                n_tokens = len(example.tokens)
                own = maps[number, :, :n_tokens, :n_tokens]  # (H, T, T)
                head = int(own.flatten(1).amax(1).argmax())
                largest = float(own[head].max())
                if largest >= best[number][0]:  # of equal layers the lowest, as in the authors' loop
                    best[number] = (largest, layer, head, own[head].cpu().numpy())
    return [
        _describe(checkpoint, one, int(target), layer, head, head_map)
        for one, target, (_, layer, head, head_map) in zip(group, targets.tolist(), best, strict=True)
    ]


def _describe(
    checkpoint: Checkpoint, one: _Chosen, target: int, layer: int, head: int, head_map: np.ndarray
) -> Trigger:
    tokens = tuple(checkpoint.tokenizer.convert_ids_to_tokens(one.encoded.inputs["input_ids"]))
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
        golden_label=one.example.label,
        seg_pos=find_separator(one.encoded),
        tokens=tokens,
        layer=layer,
        head=head,
    )


def find_separator(encoded: Encoded) -> int:
    """Finds the position behind sentence A: the first separator, or where there is none the first token of B."""
    return max(position for position, sentence in enumerate(encoded.sentences) if sentence == 0) + 1
