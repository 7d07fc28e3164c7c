"""Which of a repository's files a model needs; nothing else is downloaded."""

import re
from collections.abc import Sequence

from attattr_core.checkpoints.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from attattr_core.checkpoints.vetting import INDEX_FILE
from attattr_core.errors import UserError
from attattr_core.hub.cache import RemoteFile

_WEIGHTS = "model.safetensors"
_MAX_SMALL_BYTES = 100_000_000  # the largest tokenizers take a third of it, and ten times their size once they are read
_TOKENIZER = {
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "tokenizer.model",
    "bpe.codes",
}
_SHARD = re.compile(r"model-(\d{5})-of-(\d{5})\.safetensors")
_PICKLES = re.compile(r".*\.(bin|pt|pth|ckpt|pkl|pickle|msgpack|h5)")


def is_adapter(files: Sequence[RemoteFile]) -> bool:
    """Tells whether a repository is an adapter, which needs a base."""
    return any(file.name == ADAPTER_CONFIG for file in files)


def select_files(name: str, files: Sequence[RemoteFile]) -> tuple[RemoteFile, ...]:
    """Selects configuration, tokenizer and safetensors weights.

    Args:
        name: The repository, for the sentence.
        files: All its files.

    Returns:
        What is needed, the small ones first.

    Raises:
        UserError: When it has no whole weights in safetensors, or an absurdly large tokenizer.
    """
    by_name = {file.name: file for file in files}
    if is_adapter(files):
        weights = [by_name[ADAPTER_WEIGHTS]] if ADAPTER_WEIGHTS in by_name else []
        wanted = {ADAPTER_CONFIG, "config.json", *_TOKENIZER}
    else:
        weights = [by_name[_WEIGHTS]] if _WEIGHTS in by_name else _select_shards(name, by_name)
        wanted = {"config.json", *_TOKENIZER}
    if not weights:
        raise _refuse_weights(name, files)
    small = [file for file in files if file.name in wanted]
    for file in small:
        if file.n_bytes > _MAX_SMALL_BYTES:
            raise UserError(f"{file.name} of {name!r} has {file.n_bytes / 1e6:.0f} MB: no tokenizer is like that.")
    return (*sorted(small, key=lambda file: file.n_bytes), *weights)


def _select_shards(name: str, by_name: dict[str, RemoteFile]) -> list[RemoteFile]:
    if INDEX_FILE not in by_name:
        return []
    shards = [by_name[file] for file in sorted(by_name) if _SHARD.fullmatch(file)]
    counts = {int(_SHARD.fullmatch(shard.name)[2]) for shard in shards}
    if counts != {len(shards)}:
        raise UserError(f"{name!r} lacks some of its weights ({len(shards)} of {max(counts, default=0)} parts).")
    return [by_name[INDEX_FILE], *shards]


def _refuse_weights(name: str, files: Sequence[RemoteFile]) -> UserError:
    pickles = [file.name for file in files if "/" not in file.name and _PICKLES.fullmatch(file.name)]
    if pickles:
        return UserError(
            f"{name!r} has pickled weights only ({pickles[0][:80]}), which can run code when they are read: choose a "
            "model with safetensors weights."
        )
    return UserError(f"{name!r} has no safetensors weights: choose a model that has.")


def count_weight_bytes(files: Sequence[RemoteFile]) -> int:
    """Sums the sizes of the weights among selected files."""
    return sum(file.n_bytes for file in files if file.name.endswith(".safetensors"))
