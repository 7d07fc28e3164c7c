"""Which tokens of a pattern are inserted, and their places: the authors' rule; no torch."""

from collections.abc import Collection
from dataclasses import replace

from attattr_core.triggers.pieces import find_word
from attattr_core.triggers.results import Insertion, Trigger

SECOND_SHARE = 0.2  # of the first entry; a weaker second one is not used
SPECIAL_TOKENS = frozenset(
    [
        *("[CLS]", "[SEP]", "[PAD]", "[BOS]", "[EOS]", "<s>", "</s>", "<pad>", "<cls>", "<sep>", "<bos>", "<eos>"),
        *("<|endoftext|>", "<|startoftext|>", "<|begin_of_text|>", "<|end_of_text|>", "<|im_end|>"),
    ]
)


def choose_insertions(
    trigger: Trigger, *, use_all: bool = False, special: Collection[str] = SPECIAL_TOKENS
) -> tuple[Insertion, ...]:
    """Chooses which tokens of a pattern are inserted, and their places.

    Args:
        trigger: The pattern.
        use_all: Use both pairs even where the second entry is less than a fifth of the first.
        special: Tokens that are never inserted, such as ``"[CLS]"``.

    Returns:
        The tokens by their position in the pattern's example; none where the pattern holds special tokens only.
    """
    sentences = _split_sentences(trigger, special)
    return tuple(
        Insertion(trigger.tokens[position], number, (sentence.index(position) + 1) / len(sentence))
        for position in choose_positions(trigger, use_all=use_all, special=special)
        for number, sentence in enumerate(sentences)
        if position in sentence
    )


def choose_words(
    trigger: Trigger, *, use_all: bool = False, special: Collection[str] = SPECIAL_TOKENS
) -> tuple[Insertion, ...]:
    """Chooses the whole words that a trigger's tokens belong to, with the places of their tokens.

    Args and order are those of `choose_insertions`; a word of which several pieces are inserted is there once.
    """
    insertions = choose_insertions(trigger, use_all=use_all, special=special)
    positions = choose_positions(trigger, use_all=use_all, special=special)
    words: dict[tuple[int, int], Insertion] = {}
    for insertion, position in zip(insertions, positions, strict=True):
        first, last, word = find_word(trigger.tokens, position)
        words.setdefault((first, last), replace(insertion, token=word))
    return tuple(words.values())


def choose_positions(
    trigger: Trigger, *, use_all: bool = False, special: Collection[str] = SPECIAL_TOKENS
) -> tuple[int, ...]:
    """Chooses where in the pattern's example the tokens stand that `choose_insertions` gives, in the same order."""
    positions = set(trigger.top1_position)
    first, second = trigger.max_combined_attr
    if use_all or first == 0 or not second / first < SECOND_SHARE:
        positions |= set(trigger.top2_position)
    return tuple(position for position in sorted(positions) if trigger.tokens[position] not in special)


def _split_sentences(trigger: Trigger, special: Collection[str]) -> tuple[list[int], list[int]]:
    """Positions of the tokens of sentence A and of B that are not special."""
    kept = [index for index, token in enumerate(trigger.tokens) if token not in special]
    return [index for index in kept if index < trigger.seg_pos], [index for index in kept if index >= trigger.seg_pos]
