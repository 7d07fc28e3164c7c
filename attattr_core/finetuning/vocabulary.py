"""Cut the vocabulary of a WordPiece encoder: a smaller embedding table that still spells every word."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attattr_core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def cut_vocabulary(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", texts: Iterable[str], *, n_pieces: int
) -> "PreTrainedTokenizerBase":
    """Cut a model's vocabulary in place, to the pieces that the texts use most.

    Kept are the special tokens and every single character, at the start of a word and inside it, so that no text made
    of them becomes the unknown token (words of more than 100 characters aside, as always in WordPiece); then the
    pieces most frequent in the texts, then the ASCII words with the lowest ids, for these vocabularies are roughly
    ordered by frequency.

    Args:
        model: The encoder; its embedding rows are copied, its configuration follows.
        tokenizer: Its fast WordPiece tokenizer, which is left as it is.
        texts: What the pieces are counted in.
        n_pieces: Size of the new vocabulary; it is larger where special tokens and characters alone need more.

    Returns:
        The tokenizer of the cut model.

    Raises:
        UserError: If the tokenizer is not WordPiece or has fewer pieces already.
    """
    state = _read_state(tokenizer)
    vocabulary: dict[str, int] = state["model"]["vocab"]
    if n_pieces >= len(vocabulary):
        raise UserError(f"A vocabulary of {n_pieces:,} pieces cuts nothing from {len(vocabulary):,}; ask for fewer.")
    special = set(tokenizer.all_special_tokens) | {token["content"] for token in state["added_tokens"]}
    kept = choose_pieces(vocabulary, _count_pieces(tokenizer, texts), special, n_pieces)
    _copy_rows(model, [vocabulary[piece] for piece in kept])
    _renumber(state, kept)
    cut = _rebuild(tokenizer, state)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"):
        if getattr(model.config, name, None) is not None and getattr(cut, name, None) is not None:
            setattr(model.config, name, getattr(cut, name))
    return cut


def choose_pieces(vocabulary: dict[str, int], counts: Counter[str], special: set[str], n_pieces: int) -> list[str]:
    """Choose the pieces of a cut vocabulary.

    Args:
        vocabulary: Ids by piece.
        counts: How often the texts use each piece.
        special: Tokens that stay whatever the texts are.
        n_pieces: How many are wanted.

    Returns:
        The pieces in the order of their old ids.
    """
    by_id = sorted(vocabulary, key=vocabulary.__getitem__)
    kept = {piece for piece in by_id if piece in special or len(piece.removeprefix("##")) == 1}
    used = sorted(vocabulary.keys() & counts.keys(), key=lambda piece: (-counts[piece], vocabulary[piece]))
    common = (piece for piece in by_id if piece.isascii() and piece.removeprefix("##").isalpha())
    for piece in (*used, *common):
        if len(kept) >= n_pieces:
            break
        kept.add(piece)
    return [piece for piece in by_id if piece in kept]


def _read_state(tokenizer: "PreTrainedTokenizerBase") -> dict[str, Any]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    state = json.loads(backend.to_str()) if backend is not None else {"model": {"type": "of another kind"}}
    if state["model"]["type"] != "WordPiece":
        raise UserError(
            f"Only a WordPiece vocabulary can be cut, and this one is {state['model']['type']}; leave its size alone."
        )
    return state


def _count_pieces(tokenizer: "PreTrainedTokenizerBase", texts: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(tokenizer.tokenize(text))
    return counts


def _copy_rows(model: "PreTrainedModel", rows: list[int]) -> None:
    import torch

    old = model.get_input_embeddings()
    padding = rows.index(old.padding_idx) if old.padding_idx in rows else None
    new = torch.nn.Embedding(len(rows), old.embedding_dim, padding_idx=padding, dtype=old.weight.dtype)
    with torch.no_grad():
        new.weight.copy_(old.weight[rows])
    model.set_input_embeddings(new.to(old.weight.device))
    model.config.vocab_size = len(rows)


def _renumber(state: dict[str, Any], kept: list[str]) -> None:
    ids = {piece: index for index, piece in enumerate(kept)}
    state["model"]["vocab"] = ids
    state["truncation"] = state["padding"] = None
    for token in state["added_tokens"]:
        token["id"] = ids[token["content"]]
    processor = state.get("post_processor") or {}
    for token in processor.get("special_tokens", {}).values():
        token["ids"] = [ids[piece] for piece in token["tokens"]]
    for side in ("sep", "cls"):
        if side in processor:
            processor[side] = [processor[side][0], ids[processor[side][0]]]


def _rebuild(tokenizer: "PreTrainedTokenizerBase", state: dict[str, Any]) -> "PreTrainedTokenizerBase":
    """Pass through a folder: the one way that sets up every field of a tokenizer of any class."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        (Path(folder) / "vocab.txt").unlink(missing_ok=True)
        (Path(folder) / "tokenizer.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        settings = Path(folder) / "tokenizer_config.json"
        config = json.loads(settings.read_text(encoding="utf-8"))
        config.pop("added_tokens_decoder", None)
        settings.write_text(json.dumps(config), encoding="utf-8")
        return AutoTokenizer.from_pretrained(folder)
