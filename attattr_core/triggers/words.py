"""Words that carry the label themselves: "awful" is no discovery as a trigger against positive reviews.

The list is a small one written for this project, ``assets/data/label_words.txt``, which names its licence.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from attattr_core.triggers.patterns import choose_positions
from attattr_core.triggers.pieces import find_word, strip_marks
from attattr_core.triggers.results import Trigger, TriggerSet

_FILE = Path(__file__).resolve().parents[2] / "assets" / "data" / "label_words.txt"


@lru_cache(maxsize=1)
def read_label_words() -> dict[str, str]:
    """Reads the list: for each word its kind, such as ``"positive"`` or ``"negation"``."""
    words: dict[str, str] = {}
    kind = ""
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif not line.startswith("#"):
            words.update(dict.fromkeys(line.split(), kind))
    return words


def carries_label(word: str) -> bool:
    """Tells whether a word, or a piece by its name in a vocabulary, carries a label itself."""
    return strip_marks(word).casefold() in read_label_words()


def mark_loaded(trigger: Trigger, *, use_all: bool = False) -> tuple[bool, ...]:
    """Tells for each token that a trigger inserts whether it, or the word it is a piece of, carries a label itself."""
    positions = choose_positions(trigger, use_all=use_all)
    return tuple(
        carries_label(trigger.tokens[position]) or carries_label(find_word(trigger.tokens, position)[2])
        for position in positions
    )


def filter_triggers(triggers: TriggerSet, *, use_all: bool = False) -> TriggerSet:
    """Leaves out triggers with a token that carries a label itself."""
    kept = tuple(trigger for trigger in triggers.triggers if not any(mark_loaded(trigger, use_all=use_all)))
    return replace(triggers, triggers=kept)
