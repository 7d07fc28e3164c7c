"""What an address says of the fields on the tabs Heads and Triggers: settings alone, results are asked for anew."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from attattr_core.heads.results import DIRECTIONS
from attattr_core.ui.heads_request import MOST_EXAMPLES, MOST_SEEDS, OFFERED, STEPS
from attattr_core.ui.triggers_request import LIMITS

MOST_NAME = 200  # characters


@dataclass(frozen=True)
class LinkField:
    """A field.

    Attributes:
        first: What it holds at first.
        read: Reads its value from an address; raises ValueError for what it cannot hold.
    """

    first: Any
    read: Callable[[str], Any]


def write_value(value: Any) -> str:
    """Writes a field's value as an address says it."""
    if isinstance(value, bool):
        return str(int(value))
    return ",".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _one_of(*options: str) -> Callable[[str], str]:
    return lambda text: options[options.index(text)]


def _some_of(*options: str) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        named = [options.index(name) for name in text.split(",")]
        return [options[k] for k in sorted(set(named))]

    return read


def _count(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
            raise ValueError(text)
        return int(text)

    return read


def _switch(text: str) -> bool:
    return ("0", "1").index(text) == 1


def _name(text: str) -> str:
    if not 0 < len(text.strip()) <= MOST_NAME:
        raise ValueError(text)
    return text.strip()


#: The fields of each tab by the names that addresses use, in the order of the tab's components.
HEADS_FIELDS = {
    "heads-methods": LinkField(["attattr", "taylor", "attention"], _some_of(*OFFERED)),
    "heads-ranking": LinkField(100, _count(1, MOST_EXAMPLES)),
    "heads-curves": LinkField(200, _count(1, MOST_EXAMPLES)),
    "heads-orders": LinkField(list(DIRECTIONS), _some_of(*DIRECTIONS)),
    "heads-seeds": LinkField(10, _count(0, MOST_SEEDS)),
    "heads-points": LinkField(next(iter(STEPS)), _one_of(*STEPS)),
}
TRIGGERS_FIELDS = {
    "triggers-way": LinkField("paper", _one_of("paper", "pooled")),
    "triggers-examples": LinkField(100, _count(1, LIMITS["examples to mine"])),
    "triggers-least": LinkField(0, _count(0, LIMITS["least number of tokens"])),
    "triggers-count": LinkField(20, _count(1, LIMITS["triggers to evaluate"])),
    "triggers-draws": LinkField(5, _count(0, LIMITS["random draws"])),
    "triggers-random": LinkField(False, _switch),
    "triggers-best": LinkField(False, _switch),
    "triggers-leave": LinkField(True, _switch),  # the same embedded set stands for both at first
    "triggers-second": LinkField(None, _name),
}
TAB_FIELDS = HEADS_FIELDS | TRIGGERS_FIELDS
