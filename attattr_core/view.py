"""One map out of an attribution, as a person wants to see it: a head or all, words or pieces, some tokens or all."""

from dataclasses import dataclass

import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.errors import UserError

#: Of pictures.
FORMATS = ("svg", "png", "pdf")
FLOWS = {"all": None, "A→A": (0, 0), "A→B": (0, 1), "B→A": (1, 0), "B→B": (1, 1)}


@dataclass(frozen=True, eq=False)
class MapView:
    """Attention and attribution of one head, or of all heads of a layer, over n shown tokens.

    Attributes:
        title: Which layer and head, counted from 1.
        tokens: Labels of rows and columns, n.
        sentences: 0 for sentence A, 1 for B, -1 for special tokens, n.
        attention: Probabilities (n, n), row = receiver, column = sender; NaN where the flow filter hides an entry.
        attribution: Attribution of the same entries, in units of F.
        unit: F in words.
    """

    title: str
    tokens: tuple[str, ...]
    sentences: tuple[int, ...]
    attention: np.ndarray
    attribution: np.ndarray
    unit: str


def select_map(
    attribution: Attribution,
    layer: int,
    head: int | None = None,
    *,
    flow: str = "all",
    specials: bool = True,
    words: bool = False,
) -> MapView:
    """Selects what is shown.

    Args:
        attribution: The result.
        layer: Layer index from 0.
        head: Head index from 0; None for all heads (attribution summed, attention averaged).
        flow: ``"all"``, or sender → receiver: ``"A→A"``, ``"A→B"``, ``"B→A"``, ``"B→B"``.
        specials: Whether rows and columns of special tokens are kept; nothing is renormalised.
        words: Whether pieces are merged to words: attribution is summed over both axes, attention is summed over the
            sending pieces and averaged over the receiving ones.

    Returns:
        The map.

    Raises:
        UserError: For a layer, head or flow that does not exist.
    """
    if not 0 <= layer < attribution.n_layers:
        raise UserError(f"There is no layer {layer + 1}: the model has layers 1 to {attribution.n_layers}.")
    if head is not None and not 0 <= head < attribution.n_heads:
        raise UserError(f"There is no head {head + 1}: each layer has heads 1 to {attribution.n_heads}.")
    if flow not in FLOWS:
        raise UserError(f"Unknown flow {flow!r}: choose one of {', '.join(FLOWS)}.")
    attention, contribution = attribution.attention[layer], attribution.attribution[layer]
    if head is None:
        attention, contribution = attention.mean(0), contribution.sum(0)
    else:
        attention, contribution = attention[head], contribution[head]
    tokens, sentences = attribution.tokens, attribution.sentences
    if words:
        merge, tokens, sentences = plan_merge(attribution)
        receivers = merge / merge.sum(1, keepdims=True)
        attention, contribution = receivers @ attention @ merge.T, merge @ contribution @ merge.T
    shown = [index for index, sentence in enumerate(sentences) if specials or sentence >= 0]
    sentences = tuple(sentences[index] for index in shown)
    hidden = _hide_other_flows(sentences, flow)
    return MapView(
        title=f"layer {layer + 1} · " + ("all heads" if head is None else f"head {head + 1}"),
        tokens=tuple(tokens[index] for index in shown),
        sentences=sentences,
        attention=np.where(hidden, np.nan, attention[np.ix_(shown, shown)]),
        attribution=np.where(hidden, np.nan, contribution[np.ix_(shown, shown)]),
        unit=attribution.unit,
    )


def find_strongest_head(attribution: Attribution) -> tuple[int, int]:
    """Finds the head with the largest attribution entry among the finished layers: (layer, head)."""
    maxima = np.where(attribution.finished[:, None], attribution.head_maximum, -np.inf)
    layer, head = np.unravel_index(maxima.argmax(), maxima.shape)
    return int(layer), int(head)


def find_common_limit(attribution: Attribution, head: int | None) -> float:
    """Finds the largest |attribution| of all single heads, or of all sums over heads when head is None; never 0."""
    maps = attribution.attribution[attribution.finished]
    maps = maps.sum(axis=1) if head is None else maps
    return float(np.abs(maps).max(initial=0)) or 1.0


def plan_merge(attribution: Attribution) -> tuple[np.ndarray, tuple[str, ...], tuple[int, ...]]:
    """Plans how pieces are merged to words; special tokens stay single.

    Returns:
        A matrix of 0 and 1, (n_words, T), that sums pieces into words; the words' labels; the words' sentences.
    """
    groups: list[list[int]] = []
    for position, word in enumerate(attribution.words):
        starts_new = word < 0 or not groups or attribution.words[groups[-1][0]] != word
        if starts_new:
            groups.append([position])
        else:
            groups[-1].append(position)
    merge = np.zeros((len(groups), len(attribution.tokens)), np.float32)
    for row, group in enumerate(groups):
        merge[row, group] = 1
    first = [group[0] for group in groups]
    words = [attribution.words[position] for position in first]
    labels = tuple(
        attribution.tokens[position] if word < 0 else attribution.word_labels[word]
        for position, word in zip(first, words, strict=True)
    )
    return merge, labels, tuple(attribution.sentences[position] for position in first)


def _hide_other_flows(sentences: tuple[int, ...], flow: str) -> np.ndarray:
    side = np.array(sentences)
    if FLOWS[flow] is None:
        return np.zeros((len(side), len(side)), bool)
    sender, receiver = FLOWS[flow]
    return ~((side[:, None] == receiver) & (side[None, :] == sender))
