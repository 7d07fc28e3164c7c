"""Pieces of a vocabulary and words: which is which, whatever the tokenizer."""

from functools import lru_cache
from typing import TYPE_CHECKING

from attattr_core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from attattr_core.checkpoints.checkpoint import Checkpoint

BLANK = "…"  # stands for the tokens of a text that is not passed on
_CONTINUES = "##"  # WordPiece: a piece inside a word
_BEGINS = ("Ġ", "▁")  # byte-level and SentencePiece: a piece that begins a word
_ENDS = "</w>"  # older byte-pair encodings: a piece that ends a word


def find_ids(tokenizer: "PreTrainedTokenizerBase", token: str) -> tuple[int, ...]:
    """Finds the number of a piece by its exact name; none where the vocabulary does not have it."""
    number = tokenizer.convert_tokens_to_ids(token)
    is_there = isinstance(number, int) and (number != tokenizer.unk_token_id or token == tokenizer.unk_token)
    return (number,) if is_there else ()


def find_word_ids(checkpoint: "Checkpoint", word: str) -> tuple[int, ...]:
    """Finds the pieces of a word as it is tokenised within a text.

    Raises:
        UserError: When the tokenizer makes no token of it.
    """
    prefix = "a "  # so that what marks the beginning of a word inside a text is there
    kept = checkpoint.tokenizer(prefix + word.strip(), add_special_tokens=False, return_offsets_mapping=True)
    pairs = zip(kept["input_ids"], kept["offset_mapping"], strict=True)
    ids = tuple(number for number, (_, end) in pairs if end > len(prefix))
    if not ids:
        raise UserError(
            f"The tokenizer of {checkpoint.name!r} makes no token of the word {word[:40]!r}: choose another."
        )
    return ids


def strip_marks(piece: str) -> str:
    """Takes the tokenizer's marks off a piece: what it reads as in a text."""
    text = piece.removeprefix(_CONTINUES).removesuffix(_ENDS)
    if _BEGINS[0] in text or not text.isascii():
        text = _decode_bytes(text)
    return text.replace(_BEGINS[1], " ").strip() or piece


def find_word(tokens: tuple[str, ...], position: int) -> tuple[int, int, str]:
    """Finds the whole word that a piece belongs to.

    Args:
        tokens: Pieces by their names in the vocabulary.
        position: One of them.

    Returns:
        Positions of the word's first and last piece, and the word without marks.
    """
    first = last = position
    while first > 0 and _is_joined(tokens, first):
        first -= 1
    while last + 1 < len(tokens) and _is_joined(tokens, last + 1):
        last += 1
    pieces = tokens[first : last + 1]
    return first, last, strip_marks("".join(piece.removeprefix(_CONTINUES).removesuffix(_ENDS) for piece in pieces))


def list_whole_pieces(tokenizer: "PreTrainedTokenizerBase") -> tuple[str, ...]:
    """Lists the ordinary whole words of a vocabulary: letters only, two or more, no special tokens.

    Args:
        tokenizer: The tokenizer; its marks tell which pieces begin, continue or end a word.

    Returns:
        Names of pieces in the order of their numbers; every piece that is not special where none is a whole word.
    """
    vocabulary = tokenizer.get_vocab()
    special = set(tokenizer.all_special_tokens) | {str(token) for token in tokenizer.get_added_vocab()}
    ordered = [piece for piece in sorted(vocabulary, key=vocabulary.__getitem__) if piece not in special]
    style = _find_style(ordered)
    whole = tuple(piece for piece in ordered if _is_whole(piece, style))
    return whole or tuple(ordered)


def _is_joined(tokens: tuple[str, ...], position: int) -> bool:
    """Whether a piece continues the one before it."""
    before, piece = tokens[position - 1], tokens[position]
    if BLANK in (before, piece):
        return False
    if piece.startswith(_CONTINUES):
        return True
    style = _find_style(tokens)
    if style in _BEGINS:
        return not piece.startswith(style) and strip_marks(piece).isalnum() and strip_marks(before).isalnum()
    return style == _ENDS and not before.endswith(_ENDS)


def _find_style(pieces: "tuple[str, ...] | list[str]") -> str:
    """Finds which mark a vocabulary uses: the first of them that many pieces have, or none."""
    if any(piece.startswith(_CONTINUES) and len(piece) > 2 for piece in pieces):
        return _CONTINUES
    counts = {mark: sum(piece.startswith(mark) for piece in pieces) for mark in _BEGINS}
    counts[_ENDS] = sum(piece.endswith(_ENDS) for piece in pieces)
    mark = max(counts, key=counts.__getitem__)
    return mark if counts[mark] else ""


def _is_whole(piece: str, style: str) -> bool:
    is_marked = {
        _CONTINUES: not piece.startswith(_CONTINUES),
        _ENDS: piece.endswith(_ENDS),
        "": True,
    }.get(style, piece.startswith(style or " "))
    text = strip_marks(piece)
    return is_marked and len(text) > 1 and text.isalpha()


@lru_cache(maxsize=1)
def _read_bytes() -> dict[str, int]:
    """GPT-2's table: the character that stands for each byte."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + index): byte for index, byte in enumerate(others)}


def _decode_bytes(text: str) -> str:
    """Reads a byte-level piece; any other text stays as it is."""
    table = _read_bytes()
    if not all(character in table for character in text):
        return text
    try:
        return bytes(table[character] for character in text).decode()
    except UnicodeDecodeError:
        return text
