"""Put tokens into texts at relative places: the authors' rule, for any tokenizer.

Places are relative, so that one trigger fits texts of any length: the n-th of a sentence's N tokens has the place
n / N, and goes in at ``round((length + number of inserted tokens) · place)``, one further where two would coincide.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.engine.encoding import Encoded, encode, find_max_length
from attattr_core.errors import UserError
from attattr_core.triggers.pieces import find_ids, find_word_ids
from attattr_core.triggers.results import Insertion

DEFAULT_THRESHOLD = 0.02  # of the strength; weaker patterns are not used


@dataclass(frozen=True)
class Pieces:
    """What one insertion is for a checkpoint.

    Attributes:
        ids: The tokens' numbers in its vocabulary; several where a word is cut into pieces.
        tokens: Their names.
        sentence: 0 for sentence A, 1 for B.
        place: Share of the sentence before them.
    """

    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    sentence: int
    place: float


@dataclass(frozen=True)
class Triggered:
    """A text with a trigger in it.

    Attributes:
        encoded: The example; inserted tokens are words of their own.
        inserted: Positions of the inserted tokens, in their order in the text.
    """

    encoded: Encoded
    inserted: tuple[int, ...]


def find_special_tokens(checkpoint: Checkpoint) -> frozenset[str]:
    """Finds the names of a tokenizer's special tokens, but for the unknown and mask tokens, which stand for words."""
    tokenizer = checkpoint.tokenizer
    return frozenset(tokenizer.all_special_tokens) - {tokenizer.unk_token, tokenizer.mask_token}


def resolve_insertions(
    checkpoint: Checkpoint, insertions: Sequence[Insertion], *, as_words: bool = False
) -> tuple[Pieces, ...]:
    """Finds what insertions are in a checkpoint's vocabulary.

    Args:
        checkpoint: The classifier.
        insertions: Tokens or words with their places.
        as_words: Whether they are words, which the tokenizer cuts into pieces; otherwise they are names of pieces, and
            only what the vocabulary lacks is taken as a word.

    Returns:
        One entry an insertion.

    Raises:
        UserError: When a place is not a share, there are more sentences than two, or a word gives no token.
    """
    resolved = []
    for insertion in insertions:
        if not 0 <= insertion.place <= 1 or insertion.sentence not in (0, 1):
            raise UserError(
                f"The token {insertion.token[:40]!r} is to go to place {insertion.place!r} of sentence "
                f"{insertion.sentence!r}: give a place from 0 to 1 and sentence 0 (A) or 1 (B)."
            )
        ids = () if as_words else find_ids(checkpoint.tokenizer, insertion.token)
        ids = ids or find_word_ids(checkpoint, insertion.token)
        tokens = tuple(checkpoint.tokenizer.convert_ids_to_tokens(list(ids)))
        resolved.append(Pieces(ids, tokens, insertion.sentence, insertion.place))
    return tuple(resolved)


def insert_into_example(
    checkpoint: Checkpoint,
    text: str,
    text_pair: str | None,
    pieces: Sequence[Pieces],
    *,
    encoded: Encoded | None = None,
) -> Triggered:
    """Inserts tokens into one example; what is meant for sentence B is left out where there is none.

    Args:
        checkpoint: The classifier.
        text: The sentence, or the first of a pair.
        text_pair: The second of a pair, None or "".
        pieces: From `resolve_insertions`.
        encoded: The example as `encode` gives it, where the caller has it.

    Returns:
        The example with the tokens. Where both together are longer than the model takes, the text is cut first (the
        longer one of a pair, from its end), so that the whole trigger is always in it.

    Raises:
        UserError: When the trigger leaves no room for the text.

    Differs from the authors' code, which cuts after inserting and so may cut the trigger itself.
    """
    encoded = encoded or encode(checkpoint, text, text_pair)
    wanted = [piece for piece in pieces if piece.sentence in encoded.sentences]
    n_inserted = sum(len(piece.ids) for piece in wanted)
    if len(encoded.tokens) + n_inserted > find_max_length(checkpoint):
        check_room(checkpoint, wanted, is_pair=1 in encoded.sentences)
        encoded = encode(checkpoint, text, text_pair, n_reserved=n_inserted)
    return _insert(encoded, wanted)


def check_room(checkpoint: Checkpoint, pieces: Sequence[Pieces], *, is_pair: bool) -> None:
    """Raises UserError when a trigger leaves no room for a token of each sentence."""
    n_inserted, limit = sum(len(piece.ids) for piece in pieces), find_max_length(checkpoint)
    n_special = checkpoint.tokenizer.num_special_tokens_to_add(is_pair)
    if n_inserted > limit - n_special - (1 + is_pair):
        raise UserError(
            f"The trigger has {n_inserted} tokens, which leaves no room for a text in the {limit} that "
            f"{checkpoint.name!r} takes: use fewer."
        )


def plan_indices(length: int, pieces: Sequence[Pieces]) -> list[int]:
    """Plans where in a sentence each insertion goes, as the authors do, one after the other.

    Args:
        length: Tokens of the sentence.
        pieces: What is inserted into it.

    Returns:
        For each insertion the index at which its first token is inserted into the sentence as it is by then. What
        would coincide with the insertion before it, or fall among its pieces, goes behind it.
    """
    indices: list[int] = []
    taken: list[tuple[int, int]] = []  # first index of each insertion so far, and the one after its last
    n_tokens = length + sum(len(piece.ids) for piece in pieces)
    wanted, n_new = -1, 0
    for piece in pieces:
        index = round(n_tokens * piece.place)
        wanted = index + n_new if index == wanted else index
        index = next((end for start, end in taken if start < wanted < end), min(wanted, length))
        n_new = len(piece.ids)
        taken = [(start + n_new * (start >= index), end + n_new * (start >= index)) for start, end in taken]
        taken.append((index, index + n_new))
        indices.append(index)
        length += n_new
    return indices


def _insert(encoded: Encoded, pieces: Sequence[Pieces]) -> Triggered:
    order, origin = list(range(len(encoded.tokens))), {}  # origin: what stands at the negative numbers in order
    for sentence in (0, 1):
        here = sorted((piece for piece in pieces if piece.sentence == sentence), key=lambda piece: piece.place)
        if not here:
            continue
        own = [position for position in order if position >= 0 and encoded.sentences[position] == sentence]
        first, grown = order.index(own[0]), list(own)
        for index, piece in zip(plan_indices(len(own), here), here, strict=True):
            keys = [-len(origin) - 1 - offset for offset in range(len(piece.ids))]
            near = own[min(index, len(own) - 1)]
            origin.update({key: (piece, offset, near) for offset, key in enumerate(keys)})
            grown[index:index] = keys
        order[first : first + len(own)] = grown
    return Triggered(_rebuild(encoded, order, origin), tuple(i for i, key in enumerate(order) if key < 0))


def _rebuild(encoded: Encoded, order: list[int], origin: dict[int, tuple[Pieces, int, int]]) -> Encoded:
    """The example in a new order; inputs of inserted tokens, but for their numbers, are those of a token near by."""
    sources = [key if key >= 0 else origin[key][2] for key in order]
    inputs = {name: [values[source] for source in sources] for name, values in encoded.inputs.items()}
    tokens = [encoded.tokens[source] for source in sources]
    words = [encoded.words[source] for source in sources]
    labels = list(encoded.word_labels)
    for position, key in enumerate(order):
        if key < 0:
            piece, offset, _ = origin[key]
            inputs["input_ids"][position], tokens[position] = piece.ids[offset], piece.tokens[offset]
            labels += [" ".join(piece.tokens)] if offset == 0 else []
            words[position] = len(labels) - 1
    return replace(
        encoded,
        inputs=inputs,
        tokens=tuple(tokens),
        sentences=tuple(encoded.sentences[source] for source in sources),
        words=tuple(words),
        word_labels=tuple(labels),
        spans=tuple((0, 0) if key < 0 else encoded.spans[key] for key in order),
    )
