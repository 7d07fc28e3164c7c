"""One trigger as an entry of a list, with the authors' keys; entries of files are not trusted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from attattr_core.files.json_files import read_count
from attattr_core.storage import clean_text
from attattr_core.triggers.pieces import BLANK, find_word
from attattr_core.triggers.results import Trigger

AUTHORS_KEYS = (
    *("max_combined_attr", "top1pattern", "top2pattern", "top1position", "top2position"),
    *("target_label", "golden_label", "seg_pos", "tokens"),
)
_MAX_TOKENS = 10_000


def write_trigger(trigger: Trigger) -> dict[str, Any]:
    """Writes a trigger with the authors' keys, and ``layer`` and ``head`` where they are known."""
    entry = {
        "max_combined_attr": list(trigger.max_combined_attr),
        "top1pattern": list(trigger.top1_pattern),
        "top2pattern": list(trigger.top2_pattern),
        "top1position": list(trigger.top1_position),
        "top2position": list(trigger.top2_position),
        "target_label": trigger.target_label,
        "golden_label": trigger.golden_label,
        "seg_pos": trigger.seg_pos,
        "tokens": list(trigger.tokens),
    }
    return entry if trigger.layer is None else {**entry, "layer": trigger.layer, "head": trigger.head}


def read_trigger(entry: Mapping[str, Any]) -> Trigger:
    """Reads an entry of ours or of the authors'.

    Raises:
        ValueError, KeyError or TypeError: When something is missing, of another type or out of range.
    """
    tokens = tuple(clean_text(_check_text(token)) for token in entry["tokens"])
    if not 0 < len(tokens) <= _MAX_TOKENS:
        raise ValueError("no tokens, or too many")
    positions = [_read_pair(entry[name], len(tokens)) for name in ("top1position", "top2position")]
    values = tuple(float(value) for value in entry["max_combined_attr"])
    if len(values) != 2 or not np.isfinite(values).all():
        raise ValueError("not two numbers")
    place = [None if entry.get(name) is None else read_count(entry[name]) for name in ("layer", "head")]
    seg_pos = read_count(entry["seg_pos"])
    if seg_pos > len(tokens):
        raise ValueError("the separator is behind the tokens")
    return Trigger(
        *[tuple(tokens[position] for position in pair) for pair in positions],
        *positions,
        max_combined_attr=values,
        target_label=read_count(entry["target_label"]),
        golden_label=read_count(entry["golden_label"]),
        seg_pos=seg_pos,
        tokens=tokens,
        layer=place[0],
        head=place[1],
    )


def hide_text(trigger: Trigger) -> Trigger:
    """Blanks every token of the example that is in no word of the pattern; positions, and so places, stay."""
    words = [find_word(trigger.tokens, position) for position in (*trigger.top1_position, *trigger.top2_position)]
    inside = (position for first, last, _ in words for position in range(first, last + 1))
    kept = {*inside, trigger.seg_pos, 0, len(trigger.tokens) - 1}
    return replace(
        trigger, tokens=tuple(token if index in kept else BLANK for index, token in enumerate(trigger.tokens))
    )


def _check_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _read_pair(values: Any, n_tokens: int) -> tuple[int, int]:
    first, second = (read_count(value) for value in values)
    if max(first, second) >= n_tokens:
        raise ValueError("a position is behind the tokens")
    return first, second
