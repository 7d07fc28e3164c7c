"""The tasks whose label names and order can be probed, read from a data file without loading torch."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType

_FILE = Path(__file__).resolve().parents[2] / "assets" / "label_probes.json"
_PLACEHOLDER = re.compile(r"(label|class)?_?\d+")


@dataclass(frozen=True)
class Task:
    """A task of classification, with canonical examples of each class.

    Attributes:
        name: Its name here, such as ``"nli"``.
        about: What it decides, in a few words.
        names: The canonical names of its classes.
        sizes: Numbers of outputs that a classifier for it may have; 1 where a single logit says the same.
        is_ordered: Whether its classes are steps of a scale, so that only the scale and its reverse come into question.
        synonyms: Other spellings, normalised, to index into ``names``.
        probes: Texts or pairs, each with the index into ``names`` of its class.
    """

    name: str
    about: str
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    is_ordered: bool
    synonyms: MappingProxyType[str, int]
    probes: tuple[tuple[tuple[str, ...], int], ...]

    def find_classes(self, labels: tuple[str, ...]) -> tuple[int, ...] | None:
        """Reads label names as this task's classes.

        Args:
            labels: Label names by class index.

        Returns:
            For each class index the index into ``names``, or None when the names are not this task's.
        """
        if len(labels) not in self.sizes:
            return None
        found = [self.synonyms.get(normalise(label)) for label in labels]
        is_whole = None not in found and len(set(found)) == len(found)
        return tuple(index for index in found if index is not None) if is_whole else None


@lru_cache(maxsize=1)
def read_tasks() -> MappingProxyType[str, Task]:
    """Reads the tasks by name."""
    content = json.loads(_FILE.read_text(encoding="utf-8"))
    return MappingProxyType({name: _read_task(name, entry) for name, entry in content.items()})


def is_placeholder(label: str) -> bool:
    """Tells whether a label name says nothing: blank, ``LABEL_0``, ``class 1`` or a bare number."""
    return not label.strip() or _PLACEHOLDER.fullmatch(normalise(label)) is not None


def has_real_names(labels: tuple[str, ...]) -> bool:
    """Tells whether every class has a name that says something, so that no probe is needed to name it."""
    return not any(is_placeholder(label) for label in labels)


def normalise(label: str) -> str:
    """Folds what spellings of one name differ in: case, spaces, hyphens."""
    return re.sub(r"[\s_-]+", "_", label.strip().casefold())


def join_briefly(values: Iterable[object]) -> str:
    """Joins the first six values, each cut to 40 characters, for a sentence."""
    shown = [str(value)[:40] for value in islice(values, 7)]
    return ", ".join(shown[:6]) + (", …" if len(shown) > 6 else "")


def _read_task(name: str, entry: dict) -> Task:
    names = tuple(entry["names"])
    spellings = {normalise(label): index for index, label in enumerate(names)}
    for label, others in entry["synonyms"].items():
        spellings.update(dict.fromkeys(map(normalise, others), names.index(label)))
    return Task(
        name,
        entry["about"],
        names,
        tuple(entry["sizes"]),
        entry["ordered"],
        MappingProxyType(spellings),
        tuple((tuple(texts), index) for *texts, index in entry["probes"]),
    )
