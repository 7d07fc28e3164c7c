"""Which examples run together, and what is done once for a batch before its layers are worked on."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.engine.chunks import telling_shortage
from attattr_core.engine.encoding import SPECIAL, Encoded, collate, replace_words
from attattr_core.engine.families import count_heads, find_family
from attattr_core.engine.precision import computing
from attattr_core.engine.replay import Record, record
from attattr_core.errors import UserError

_MAX_BATCH = 32
_MAX_ENTRIES = 1 << 26  # attention entries of a batch over all layers: a quarter of a gigabyte in float32
_MAX_PADDING = 1.25


def bucket_examples(checkpoint: Checkpoint, encoded: Sequence[Encoded]) -> Iterator[list[int]]:
    """Groups examples that may run together and are of similar length: little is padded, all maps fit the memory.

    Args:
        checkpoint: The classifier.
        encoded: The examples.

    Yields:
        Their indices, a group at a time, from short examples to long ones.
    """
    config = checkpoint.model.config
    n_maps = math.prod(count_heads(config))
    bucket: list[int] = []
    first = (0, 0, 0)
    for kind, index in sorted((_find_kind(checkpoint, example), index) for index, example in enumerate(encoded)):
        n_entries = (len(bucket) + 1) * n_maps * kind[2] ** 2
        is_full = len(bucket) == _MAX_BATCH or n_entries > _MAX_ENTRIES
        if bucket and (is_full or kind[:2] != first[:2] or kind[2] > first[2] * _MAX_PADDING):
            yield bucket
            bucket = []
        if not bucket:
            first = kind
        bucket.append(index)
    if bucket:
        yield bucket


def _find_kind(checkpoint: Checkpoint, example: Encoded) -> tuple[int, int, int]:
    """What tells examples that cannot run together apart, then the length."""
    config, ids = checkpoint.model.config, example.inputs["input_ids"]
    # the head of an encoder-decoder reads the last </s> and wants equally many in a batch
    n_ends = ids.count(config.eos_token_id) if config.is_encoder_decoder else 0
    # without a padding token the head of a decoder reads the last position, padding or not; some heads always do
    reads_padding = config.pad_token_id == -1 or getattr(config, "summary_type", None) in ("last", "mean")
    needs_equal_lengths = reads_padding or find_family(config.model_type).sees_padding
    return n_ends, len(ids) if needs_equal_lengths else 0, len(ids)


def record_batch(checkpoint: Checkpoint, encoded: Sequence[Encoded]) -> Record:
    """Records the clean pass of a batch; the model is instrumented (see `attattr_core.engine.replay.instrumented`).

    Raises:
        UserError: When the logits are not numbers.
    """
    n_tokens = max(len(example.tokens) for example in encoded)
    with telling_shortage(checkpoint.model, n_tokens), computing("float32", checkpoint.device):
        clean = record(checkpoint.model, collate(checkpoint, encoded))
    check_logits(checkpoint, clean.logits)
    return clean


def check_logits(checkpoint: Checkpoint, logits: Tensor) -> None:
    """Raises UserError when logits are not numbers."""
    if not bool(logits.isfinite().all()):
        raise UserError(f"The model {checkpoint.name!r} gives logits that are not numbers: its weights are damaged.")


def prepare_baselines(checkpoint: Checkpoint, clean: Record, encoded: Sequence[Encoded], name: str) -> list[Tensor]:
    """Makes A′ of every layer, each (B, H, T, T) or broadcastable to it; ``name`` is one of the settings' baselines."""
    if name == "unk":
        longest = max(len(example.tokens) for example in encoded)
        sentences = [list(example.sentences) + [SPECIAL] * (longest - len(example.tokens)) for example in encoded]
        special = torch.tensor(sentences, device=checkpoint.device) == SPECIAL
        with computing("float32", checkpoint.device):
            unknown = record(checkpoint.model, replace_words(checkpoint, clean.inputs, special))
        return [layer.attention for layer in unknown.layers]
    if name == "zero":
        return [torch.zeros_like(layer.attention[:1, :1]) for layer in clean.layers]
    allowed = [
        torch.ones_like(layer.attention[:1, :1]) if layer.allowed is None else layer.allowed.to(layer.attention)
        for layer in clean.layers
    ]
    return [mask / mask.sum(-1, keepdim=True).clamp(min=1) for mask in allowed]
