"""Words put into a text, and what that changes inside: attributions as it is, with the words, and the difference."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.errors import UserError
from attattr_core.view import plan_merge

Span = tuple[int, int]
Texts = tuple[str, ...]


@dataclass(frozen=True)
class WordInsertion:
    """A word and the gap between words where it goes.

    Attributes:
        word: The word.
        sentence: 0 for sentence A, 1 for B.
        gap: How many words of the sentence stand before it.
    """

    word: str
    sentence: int
    gap: int


@dataclass(frozen=True, eq=False)
class AttributionDifference:
    """Two attributions of the same label over the n words of the longer text, word pieces added up.

    Attributes:
        tokens: The words and special tokens with the inserted ones, n.
        sentences: 0 for sentence A, 1 for B, -1 for special tokens, n.
        inserted: Which of them were inserted, n.
        clean: Attribution of the text as it is, (L, H, n, n), row = receiver; zero where an inserted word takes part.
        triggered: Attribution with the words, in the same units of F.
        label: The label explained.
        unit: F in a word.
    """

    tokens: tuple[str, ...]
    sentences: tuple[int, ...]
    inserted: tuple[bool, ...]
    clean: np.ndarray
    triggered: np.ndarray
    label: str
    unit: str

    @property
    def difference(self) -> np.ndarray:
        """What the words change: triggered − clean, (L, H, n, n)."""
        return self.triggered - self.clean


def insert_words(texts: Texts, insertions: Sequence[WordInsertion]) -> tuple[Texts, tuple[tuple[Span, ...], ...]]:
    """Puts words into texts, in their order where several go into one gap.

    Args:
        texts: Sentence A, and B of a pair.
        insertions: What goes where; a gap beyond the last word is the end.

    Returns:
        The new texts, and for each of them where in it the inserted words stand, as (start, end).

    Raises:
        UserError: For a sentence that is not there, or a word that is empty.
    """
    for insertion in insertions:
        if not 0 <= insertion.sentence < len(texts):
            raise UserError(
                f"The word {insertion.word[:80]!r} goes into a sentence B that is empty: choose sentence A."
            )
        if not insertion.word.strip() or insertion.gap < 0:
            raise UserError(
                f"The word {insertion.word[:80]!r} at gap {str(insertion.gap)[:40]} cannot be inserted: type a word."
            )
    results = [
        _insert(text, [part for part in insertions if part.sentence == sentence]) for sentence, text in enumerate(texts)
    ]
    return tuple(text for text, _ in results), tuple(spans for _, spans in results)


def compare_attributions(
    clean: Attribution, triggered: Attribution, spans: Sequence[Sequence[Span]]
) -> AttributionDifference:
    """Lines two attributions of one label up by their words.

    Args:
        clean: Of the text as it is.
        triggered: Of the text with words in it.
        spans: Where in the texts of `triggered` the inserted words stand, from `insert_words`.

    Returns:
        Both over the words of `triggered`; words of `clean` that it lost to the length limit are left out.

    Raises:
        UserError: When the attributions are of different checkpoints, labels or functions.
    """
    if (clean.model, clean.revision, clean.target, clean.unit) != (
        triggered.model,
        triggered.revision,
        triggered.target,
        triggered.unit,
    ):
        raise UserError("These attributions explain different labels or checkpoints: compute both in one way.")
    merge_clean, _, sides_clean = plan_merge(clean)
    merge, tokens, sentences = plan_merge(triggered)
    inserted = _find_inserted(triggered, tokens, sentences, spans)
    places = {key: place for place, key in enumerate(_number(sides_clean, (False,) * len(sides_clean)))}
    keys = _number(sentences, inserted)
    kept = [row for row, key in enumerate(keys) if not inserted[row] and key in places]
    sources = [places[keys[row]] for row in kept]
    n_layers, n_heads, n_words = clean.n_layers, clean.n_heads, len(tokens)
    aligned = np.zeros((n_layers, n_heads, n_words, n_words), np.float32)
    merged = merge_clean @ clean.attribution @ merge_clean.T
    aligned[:, :, np.array(kept)[:, None], np.array(kept)[None]] = merged[:, :, sources][..., sources]
    return AttributionDifference(
        tokens=tokens,
        sentences=sentences,
        inserted=inserted,
        clean=aligned,
        triggered=merge @ triggered.attribution @ merge.T,
        label=clean.labels[clean.target],
        unit=clean.unit,
    )


def find_lost(triggered: Attribution, spans: Sequence[Sequence[Span]]) -> tuple[str, ...]:
    """Finds inserted words that the model did not see, because the text was cut before them.

    Args:
        triggered: Of the text with words in it.
        spans: Where in its texts they stand, from `insert_words`.
    """
    if not triggered.notice:
        return ()
    _, tokens, sentences = plan_merge(triggered)
    last = dict(zip(sentences, _locate(triggered, tokens, sentences), strict=True))  # the last word of each sentence
    return tuple(
        triggered.texts[sentence][low:high]
        for sentence, own in enumerate(spans)
        for low, high in own
        if 0 <= last.get(sentence, -1) < low
    )


def select_difference(
    difference: AttributionDifference, layer: int | None = None, head: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Selects one head, or sums heads or layers; layers that were not computed count as zero.

    Args:
        difference: The two attributions.
        layer: Layer index from 0; None sums all layers.
        head: Head index from 0; None sums all heads.

    Returns:
        As it is, with the words, and the difference, (n, n) each.

    Raises:
        UserError: For a layer or head that does not exist.
    """
    n_layers, n_heads = difference.clean.shape[:2]
    for name, number, count in (("layer", layer, n_layers), ("head", head, n_heads)):
        if number is not None and not 0 <= number < count:
            raise UserError(f"There is no {name} {number + 1}: choose 1 to {count}.")
    layers = slice(None) if layer is None else slice(layer, layer + 1)
    heads = slice(None) if head is None else slice(head, head + 1)
    parts = [np.nan_to_num(part[layers, heads]).sum((0, 1)) for part in (difference.clean, difference.triggered)]
    return parts[0], parts[1], parts[1] - parts[0]


def _insert(text: str, insertions: Sequence[WordInsertion]) -> tuple[str, tuple[Span, ...]]:
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    pieces, spans, at = [], [], 0
    length = 0
    for insertion in sorted(insertions, key=lambda part: part.gap):  # stable: the order in a gap stays
        word = insertion.word.strip()
        place = starts[insertion.gap] if insertion.gap < len(starts) else len(text.rstrip())
        is_end = insertion.gap >= len(starts)
        pieces.append(text[at:place])
        length += place - at
        at = place
        new = f" {word}" if is_end and (length or pieces[-1]) else word if is_end else f"{word} "
        start = length + (new.startswith(" "))
        spans.append((start, start + len(word)))
        pieces.append(new)
        length += len(new)
    return "".join([*pieces, text[at:]]), tuple(spans)


def _find_inserted(
    attribution: Attribution, tokens: Sequence[str], sentences: Sequence[int], spans: Sequence[Sequence[Span]]
) -> tuple[bool, ...]:
    starts = _locate(attribution, tokens, sentences)
    return tuple(
        start >= 0 and any(low <= start < high for low, high in spans[sentence])
        for start, sentence in zip(starts, sentences, strict=True)
    )


def _locate(attribution: Attribution, tokens: Sequence[str], sentences: Sequence[int]) -> list[int]:
    """Where in its text each word starts; words are slices of the texts, in order, so that equal ones do not mix.

    For special tokens, and words of a tokenizer that changes the text before it cuts it, −1.
    """
    at, starts = [0] * len(attribution.texts), []
    for token, sentence in zip(tokens, sentences, strict=True):
        start = -1 if sentence < 0 else attribution.texts[sentence].find(token, at[sentence])
        starts.append(start)
        if start >= 0:
            at[sentence] = start + len(token)
    return starts


def _number(sentences: Sequence[int], inserted: Sequence[bool]) -> list[tuple[int, int]]:
    """Numbers the words of each sentence that were there before, and the special tokens."""
    counts: dict[int, int] = {}
    keys = []
    for sentence, is_new in zip(sentences, inserted, strict=True):
        keys.append((sentence, -1 if is_new else counts.get(sentence, 0)))
        counts[sentence] = counts.get(sentence, 0) + (not is_new)
    return keys
