"""Which columns hold the texts and the label, by the names that GLUE, SNLI and common exports give them."""

from collections.abc import Sequence
from dataclasses import dataclass

from attattr_core.errors import UserError

#: Names in lower case; the first layout that fits is used.
PAIR_COLUMNS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("#1 string", "#2 string"),
    ("sentence_a", "sentence_b"),
    ("text1", "text2"),
    ("text_a", "text_b"),
)
SINGLE_COLUMNS = ("sentence", "text", "review", "tweet", "comment", "content")
#: Columns of measured values, whatever their numbers look like.
VALUE_COLUMNS = ("score", "similarity_score", "relatedness_score", "similarity")
LABEL_COLUMNS = (
    *("label", "gold_label", "labels", "quality", "is_duplicate", "entailment_label", "entailment_judgment"),
    *(*VALUE_COLUMNS, "sentiment", "class", "category", "target", "answer"),
)
_COLA = ("source", "label", "authors' mark", "sentence")  # its files have no header
_COLA_CLASSES = ("unacceptable", "acceptable")
_N_SHOWN = 80


@dataclass(frozen=True)
class Columns:
    """Where text, label and kind stand in a row.

    Attributes:
        names: Every column's name, in lower case.
        text: Index of the (first) text.
        text_pair: Index of the second text, or None.
        label: Index of the label.
        kind: Index of the kind, or None.
        has_header: Whether the first row names the columns.
        class_names: What the label's numbers stand for, where that is known; else ().
    """

    names: tuple[str, ...]
    text: int
    text_pair: int | None
    label: int
    kind: int | None = None
    has_header: bool = True
    class_names: tuple[str, ...] = ()

    @property
    def taken(self) -> tuple[str, ...]:
        """The names of those that are read."""
        indices = (self.text, self.text_pair, self.label, self.kind)
        return tuple(self.names[index] for index in indices if index is not None)

    @property
    def holds_values(self) -> bool:
        """Whether the label's column is one of measured values."""
        return self.names[self.label] in VALUE_COLUMNS

    @property
    def is_qqp(self) -> bool:
        """Whether these are QQP's own files, some of whose rows are corrupted."""
        return {"qid1", "qid2", "is_duplicate"} <= set(self.names)


def find_columns(first: Sequence[str], name: str, *, place: str = "the first line") -> Columns:
    """Find the columns in a file's first row.

    Args:
        first: Its cells.
        name: What the file is called in a sentence.
        place: Where the names stand.

    Raises:
        UserError: When there is no text or label among them, or one of them is there twice.
    """
    header = tuple(cell.strip().lower() for cell in first)
    label = next((column for column in LABEL_COLUMNS if column in header), None)
    pair = next((pair for pair in PAIR_COLUMNS if set(pair) <= set(header)), None)
    single = next((column for column in SINGLE_COLUMNS if column in header), None)
    if pair is None and single is None:
        if _is_cola(header):
            return Columns(_COLA, 3, None, 1, has_header=False, class_names=_COLA_CLASSES)
        known = ", ".join([*SINGLE_COLUMNS, *(" + ".join(pair) for pair in PAIR_COLUMNS)])
        raise UserError(
            f"No text column found in {place} of {name} ({_shorten(header)}); it must be a header with one of: {known}."
        )
    if label is None:
        raise UserError(
            f"No label column found in {place} of {name} ({_shorten(header)}); name one of the columns 'label', or "
            "choose a part of the data that has labels."
        )
    texts = pair or (single,)
    twice = next((column for column in (*texts, label) if header.count(column) > 1), None)
    if twice is not None:
        raise UserError(f"{name} has more than one column {twice!r}; give every column a name of its own.")
    kind = header.index("kind") if "kind" in header else None
    text, *others = map(header.index, texts)
    return Columns(header, text, others[0] if others else None, header.index(label), kind)


def _is_cola(first: Sequence[str]) -> bool:
    return len(first) == len(_COLA) and first[1] in ("0", "1") and first[2] in ("", "*") and bool(first[3])


def _shorten(header: Sequence[str]) -> str:
    text = ", ".join(header)
    return text if len(text) <= _N_SHOWN else text[: _N_SHOWN - 3] + "..."
