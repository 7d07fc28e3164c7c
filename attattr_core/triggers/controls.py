"""What a trigger is compared with: other tokens at the same places, and the same tokens at other places."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.triggers.insertion import Pieces
from attattr_core.triggers.pieces import find_ids, list_whole_pieces

KINDS = ("random", "shuffled")
DEFAULT_SEEDS = 5


def list_random_pieces(checkpoint: Checkpoint) -> list[tuple[str, int]]:
    """Lists what random tokens are drawn from: ordinary whole words of the vocabulary that the model embeds.

    Returns:
        Name and number of each.
    """
    n_embeddings = checkpoint.model.get_input_embeddings().weight.shape[0]
    pieces = list_whole_pieces(checkpoint.tokenizer)
    numbered = [(piece, number) for piece in pieces for number in find_ids(checkpoint.tokenizer, piece)]
    return [(piece, number) for piece, number in numbered if number < n_embeddings]


def draw_random(
    pieces: Sequence[Pieces], whole: Sequence[tuple[str, int]], generator: np.random.Generator
) -> list[Pieces]:
    """Draws as many random tokens for the same places.

    Args:
        pieces: The trigger.
        whole: Name and number of each token that may be drawn: ordinary whole words of the vocabulary.
        generator: Where the numbers come from.
    """
    drawn = []
    for piece in pieces:
        chosen = [whole[index] for index in generator.integers(len(whole), size=len(piece.ids))]
        drawn.append(
            replace(piece, ids=tuple(number for _, number in chosen), tokens=tuple(name for name, _ in chosen))
        )
    return drawn


def draw_shuffled(pieces: Sequence[Pieces], generator: np.random.Generator) -> list[Pieces]:
    """Puts the same tokens in random order at random places, as many in each sentence as before."""
    order = generator.permutation(len(pieces))
    places = generator.random(len(pieces))
    shuffled = [
        replace(pieces[source], sentence=piece.sentence, place=float(place))
        for piece, source, place in zip(pieces, order, places, strict=True)
    ]
    return sorted(shuffled, key=lambda piece: (piece.sentence, piece.place))
