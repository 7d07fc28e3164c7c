"""From text to a model's inputs, and what each token belongs to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.engine.families import MAX_TOKENS, find_family
from attattr_core.engine.stopping import ask
from attattr_core.errors import UserError

SPECIAL = -1
_TOKENIZING = Lock()  # a tokenizer keeps its truncation as state that all threads share


@dataclass(frozen=True)
class Encoded:
    """One tokenised example of T tokens.

    Attributes:
        inputs: The model's inputs, T integers each.
        tokens: The tokens, as the tokenizer names them where that is readable.
        sentences: 0 for tokens of the first text, 1 for the second, -1 for special tokens.
        words: Number of the word that a token is a piece of, -1 for special tokens.
        word_labels: The words as they stand in the text.
        n_cut: Tokens that were cut because the text is longer than the model takes.
        spans: First character of each token in its text and the one after its last, (0, 0) for special tokens.
    """

    inputs: dict[str, list[int]]
    tokens: tuple[str, ...]
    sentences: tuple[int, ...]
    words: tuple[int, ...]
    word_labels: tuple[str, ...]
    n_cut: int
    spans: tuple[tuple[int, int], ...]


def find_max_length(checkpoint: Checkpoint) -> int:
    """Finds how many tokens are attributed at most: what the model takes, up to `MAX_TOKENS`, special ones included."""
    config, longest = checkpoint.model.config, checkpoint.tokenizer.model_max_length
    limits = [longest] if isinstance(longest, int | float) and longest > 0 else []
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "max_seq_len", None)
    if positions and positions > 0:  # −1 says that there is no limit
        reserved = (config.pad_token_id or 0) + 1 if find_family(config.model_type).reserved_positions else 0
        limits.append(positions - reserved)
    return int(min(*limits, MAX_TOKENS)) if limits else MAX_TOKENS


def split_texts(text: str, text_pair: str | None = None) -> tuple[str, ...]:
    """Splits an example into its one text or two, without halves of characters, which nothing can read or save.

    Raises:
        UserError: When they are no texts.
    """
    if not isinstance(text, str) or not isinstance(text_pair, str | None):
        raise UserError(f"A text is {(text, text_pair)!r:.80}: give a string, and a string or nothing for the pair.")
    parts = (text, text_pair) if text_pair and text_pair.strip() else (text,)
    return tuple(part.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for part in parts)


def encode_all(checkpoint: Checkpoint, texts: Iterable[tuple[str | None, ...]]) -> Iterator[Encoded]:
    """Tokenises examples as `encode` does; before each is asked whether to go on, for many take a while.

    Args:
        checkpoint: The classifier.
        texts: The sentence of each, or the first and the second of a pair, which may be None.

    Yields:
        The encoded examples.
    """
    for parts in texts:
        ask()
        yield encode(checkpoint, *parts)


def encode(checkpoint: Checkpoint, text: str, text_pair: str | None = None, *, n_reserved: int = 0) -> Encoded:
    """Tokenises one example, cut to the model's length (the longer text first).

    Args:
        checkpoint: The classifier.
        text: The sentence, or the first of a pair.
        text_pair: The second of a pair; None or "" for a single sentence.
        n_reserved: Tokens to leave room for, which are to be inserted later.

    Returns:
        The encoded example.

    Raises:
        UserError: When the text is empty.
    """
    texts = split_texts(text, text_pair)
    if not texts[0].strip():
        raise UserError("Sentence A is empty: type a sentence to explain.")
    max_length = find_max_length(checkpoint) - n_reserved
    kept, n_tokens = _tokenise(checkpoint, texts, max_length)
    if not kept["input_ids"]:
        raise UserError(f"The tokenizer of {checkpoint.name!r} makes no token of this text: choose another text.")
    if len(kept["input_ids"]) > max_length:
        raise UserError(f"The tokenizer of {checkpoint.name!r} cannot cut a text to {max_length} tokens: shorten it.")
    n_embeddings = checkpoint.model.get_input_embeddings().weight.shape[0]
    if max(kept["input_ids"]) >= n_embeddings:
        raise UserError(
            f"The tokenizer of {checkpoint.name!r} has more than the model's {n_embeddings} tokens: not its own."
        )
    spans = _read_spans(checkpoint, kept, texts)
    words, word_labels = _number_words(spans, texts)
    return Encoded(
        inputs={name: list(kept[name]) for name in checkpoint.tokenizer.model_input_names if name in kept},
        tokens=tuple(_name_tokens(checkpoint, kept["input_ids"], spans, texts)),
        sentences=tuple(span.sentence for span in spans),
        words=words,
        word_labels=word_labels,
        n_cut=n_tokens - len(kept["input_ids"]),
        spans=tuple((span.start, span.end) for span in spans),
    )


def collate(checkpoint: Checkpoint, examples: Sequence[Encoded]) -> dict[str, Tensor]:
    """Stacks examples into (B, T) tensors on the model's device, padded on the right to the longest and no further."""
    longest = max(len(example.tokens) for example in examples)
    padding_id = checkpoint.model.config.pad_token_id  # by which some models tell padding; -1 where they have none
    padding = {
        "input_ids": checkpoint.tokenizer.pad_token_id or 0 if padding_id in (None, -1) else padding_id,
        "token_type_ids": getattr(checkpoint.tokenizer, "pad_token_type_id", 0),
    }
    return {
        name: torch.tensor(
            [
                example.inputs[name] + [padding.get(name, 0)] * (longest - len(example.inputs[name]))
                for example in examples
            ],
            device=checkpoint.device,
        )
        for name in examples[0].inputs
    }


def replace_words(checkpoint: Checkpoint, inputs: dict[str, Tensor], special: Tensor) -> dict[str, Tensor]:
    """Replaces every token that is not special by the unknown token, or the mask token where there is none.

    Args:
        checkpoint: The classifier.
        inputs: The model's inputs, (B, T).
        special: True for special tokens and padding, (B, T).

    Raises:
        UserError: When the tokenizer has neither an unknown nor a mask token.
    """
    tokenizer = checkpoint.tokenizer
    token = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else tokenizer.mask_token_id
    if token is None:
        raise UserError("This tokenizer has no unknown and no mask token: choose the baseline 'zero' or 'uniform'.")
    return {**inputs, "input_ids": torch.where(special, inputs["input_ids"], token)}


def _tokenise(checkpoint: Checkpoint, texts: tuple[str, ...], max_length: int) -> tuple[Any, int]:
    """Tokenises one example, and counts its tokens before the cut; a damaged tokenizer fails only when it is used."""
    try:
        with _TOKENIZING:
            whole = checkpoint.tokenizer(*texts, verbose=False)
            n_tokens = len(whole["input_ids"])
            if n_tokens <= max_length:
                return whole, n_tokens
            return checkpoint.tokenizer(*texts, truncation="longest_first", max_length=max_length), n_tokens
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic of the tokenizers library is not an Exception
        raise UserError(
            f"The tokenizer of {checkpoint.name!r} fails on this text ({type(error).__name__}): choose another text or "
            "another model."
        ) from error


@dataclass(frozen=True)
class _Span:
    sentence: int
    word: int | None
    start: int
    end: int


def _read_spans(checkpoint: Checkpoint, kept: object, texts: tuple[str, ...]) -> list[_Span]:
    """Where each token stands in the text."""
    if not getattr(checkpoint.tokenizer, "is_fast", False):
        raise UserError(f"The tokenizer of {checkpoint.name!r} has no fast version, which is needed to find words.")
    encoding = kept.encodings[0]
    special = encoding.special_tokens_mask
    return [
        _Span(SPECIAL, None, 0, 0)
        if is_special or sentence is None
        else _Span(min(sentence, len(texts) - 1), word, *at)
        for is_special, sentence, word, at in zip(
            special, encoding.sequence_ids, encoding.word_ids, encoding.offsets, strict=True
        )
    ]


def _number_words(spans: list[_Span], texts: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    numbers: dict[tuple[int, int], int] = {}
    edges: list[list[int]] = []
    words = []
    for position, span in enumerate(spans):
        if span.sentence == SPECIAL:
            words.append(SPECIAL)
            continue
        key = (span.sentence, span.word if span.word is not None else -position - 1)
        if key not in numbers:
            numbers[key] = len(edges)
            edges.append([span.sentence, span.start, span.end])
        edges[numbers[key]][2] = max(edges[numbers[key]][2], span.end)
        words.append(numbers[key])
    return tuple(words), tuple(texts[sentence][start:end].strip() for sentence, start, end in edges)


def _name_tokens(checkpoint: Checkpoint, ids: list[int], spans: list[_Span], texts: tuple[str, ...]) -> list[str]:
    """Word pieces keep their names ("##ing"); byte-level and sentence pieces are shown as they stand in the text."""
    names = checkpoint.tokenizer.convert_ids_to_tokens(ids)
    vocabulary_is_readable = getattr(checkpoint.tokenizer.backend_tokenizer.model, "__class__", None).__name__ in (
        "WordPiece",
        "WordLevel",
    )
    return [
        name
        if vocabulary_is_readable or span.sentence == SPECIAL
        else texts[span.sentence][span.start : span.end].strip() or name
        for name, span in zip(names, spans, strict=True)
    ]
