"""Triggers as files: a list with the authors' keys, which their scripts read, and whose lists are read here.

What the authors' lists do not say goes into further keys, which their scripts ignore: ``layer`` and ``head`` of every
entry, and ``provenance`` of the first one (checkpoint, data, settings, digests of the mined examples).
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from attattr_core.errors import UserError
from attattr_core.files.json_files import parse_json, read_count
from attattr_core.files.whole_files import write_whole
from attattr_core.settings import Settings
from attattr_core.storage import clean_text
from attattr_core.triggers.entries import AUTHORS_KEYS, hide_text, read_trigger, write_trigger
from attattr_core.triggers.results import TriggerSet

_MAX_BYTES = 256 << 20
_MAX_ENTRIES = 100_000
_TEXTS = ("mode", "model", "revision", "data", "data_sha256")


def save_triggers(triggers: TriggerSet, path: str | Path, *, with_texts: bool = True) -> None:
    """Saves triggers as a JSON list.

    Args:
        triggers: What to save.
        path: The file.
        with_texts: Keep the examples' tokens; without them, those that are not in the pattern are blanked.
    """
    write_whole(path, dump_triggers(triggers, with_texts=with_texts))


def dump_triggers(triggers: TriggerSet, *, with_texts: bool = True) -> str:
    """Writes triggers as a JSON list, as `save_triggers` does."""
    kept = triggers.triggers if with_texts else map(hide_text, triggers.triggers)
    entries = [write_trigger(trigger) for trigger in kept]
    if entries:
        entries[0]["provenance"] = write_provenance(triggers)
    return dump_entries(entries)


def load_triggers(path: str | Path) -> TriggerSet:
    """Loads triggers that `save_triggers`, `save_study` or the authors' scripts wrote; the file is not trusted.

    Returns:
        The triggers in the file's order; what the file does not say is empty.

    Raises:
        UserError: When the file is missing, too large, damaged or something else.
    """
    path = Path(path)
    entries = read_entries(path)
    try:
        triggers = tuple(read_trigger(entry) for entry in entries if set(AUTHORS_KEYS) <= set(entry))
        if entries and not triggers:
            raise ValueError("no entry is a trigger")
        found = next((entry["provenance"] for entry in entries if "provenance" in entry), None)
        empty = TriggerSet(triggers, mode="")
        return empty if found is None else replace(empty, **_read_provenance(found))
    except Exception as error:  # whatever wrong types of a damaged file raise
        raise complain(path) from error


def write_provenance(triggers: TriggerSet) -> dict[str, Any]:
    """Writes where triggers come from."""
    return {
        **{name: getattr(triggers, name) for name in (*_TEXTS, "n_examples", "seed")},
        "labels": list(triggers.labels),
        "example_digests": list(triggers.example_digests),
        "settings": None if triggers.settings is None else triggers.settings.as_dict(),
        "versions": triggers.versions,
    }


def _read_provenance(content: Mapping[str, Any]) -> dict[str, Any]:
    versions, settings, seed = content.get("versions"), content.get("settings"), content.get("seed")
    return {
        **{name: clean_text(content[name]) for name in _TEXTS},
        "labels": tuple(clean_text(label) for label in content["labels"]),
        "example_digests": tuple(clean_text(digest) for digest in content["example_digests"]),
        "n_examples": read_count(content["n_examples"]),
        "seed": None if seed is None else read_count(seed),
        "settings": None if settings is None else Settings(**settings),
        "versions": None if versions is None else {clean_text(k): clean_text(v) for k, v in versions.items()},
    }


def dump_entries(entries: list[dict[str, Any]]) -> str:
    """Writes a list, one entry a line."""
    lines = [json.dumps(entry, ensure_ascii=False, allow_nan=False) for entry in entries]
    return "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"


def read_entries(path: Path) -> list[dict[str, Any]]:
    """Reads a list of entries; the file is not trusted.

    Raises:
        UserError: When the file is missing, too large, or not a list of objects.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"This file is larger than {_MAX_BYTES >> 20} MiB, which is more than is read here.")
        entries = parse_json(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"There is no file {str(path)!r}.") from error
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        knows = isinstance(error, UserError)
        raise (UserError(str(error).replace("This file", repr(path.name))) if knows else complain(path)) from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise complain(path)
    if len(entries) > _MAX_ENTRIES:
        raise UserError(
            f"{path.name!r} has {len(entries):,} entries, more than the {_MAX_ENTRIES:,} that are read here."
        )
    return entries


def complain(path: Path) -> UserError:
    """The sentence for a file that is no list of triggers."""
    return UserError(
        f"{path.name!r} is not a list of triggers, or it is damaged: mine them again, or give the authors' list with "
        f"{', '.join(AUTHORS_KEYS[:3])} and so on."
    )
