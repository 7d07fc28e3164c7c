"""The front matter of a data set's README, which is not trusted: its configurations, their files and class names."""

from dataclasses import dataclass, field
from typing import Any

_MAX_CHARACTERS = 400_000
_MAX_DEPTH = 30
_MAX_ENTRIES = 2000
_MAX_CLASSES = 10_000


@dataclass(frozen=True)
class Card:
    """What a data set says about itself.

    Attributes:
        patterns: Patterns of file names by configuration and split.
        class_names: Class names by configuration and column.
        counts: Number of rows by configuration and split.
    """

    patterns: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    class_names: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


def read_card(text: str) -> Card:
    """Read a README's front matter; whatever makes no sense in it is passed over."""
    front = _parse_front(text)
    infos = _list(front.get("dataset_info"))
    class_names, counts = {}, {}
    for info in infos:
        config = _name(info.get("config_name", "default"))
        class_names[config] = _read_classes(info.get("features"))
        counts[config] = {
            _name(split.get("name")): split["num_examples"]
            for split in _list(info.get("splits"))
            if type(split.get("num_examples")) is int and 0 <= split["num_examples"] < 1 << 50
        }
    patterns = {}
    for config in _list(front.get("configs")):
        found = _read_patterns(config.get("data_files"), str(config.get("data_dir") or ""))
        if found:
            patterns[_name(config.get("config_name", "default"))] = found
    return Card(patterns, class_names, counts)


def check_class_names(names: Any) -> tuple[str, ...]:
    """Class names as lists or by index, each a text of its own; () for anything else."""
    if isinstance(names, dict):
        names = [names.get(str(index), names.get(index)) for index in range(min(len(names), _MAX_CLASSES + 1))]
    if not isinstance(names, list) or not 0 < len(names) <= _MAX_CLASSES:
        return ()
    cut = tuple(str(name)[:80] for name in names if isinstance(name, str | int | float) and str(name).strip())
    return cut if len(cut) == len(names) == len({name.casefold() for name in cut}) else ()


def _parse_front(text: str) -> dict[str, Any]:
    """Parse what stands between the first two lines of hyphens, without aliases and without depth."""
    import yaml

    lines = text[:_MAX_CHARACTERS].lstrip("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != "---":
        return {}
    end = next((place for place, line in enumerate(lines[1:], start=1) if line.rstrip() == "---"), 0)
    front, loader = "\n".join(lines[1:end]), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(front, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH:
                return {}
        found = yaml.load(front, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_classes(features: Any) -> dict[str, tuple[str, ...]]:
    found = {}
    for feature in _list(features):
        kind = feature.get("dtype")
        if isinstance(kind, dict) and isinstance(kind.get("class_label"), dict):
            names = check_class_names(kind["class_label"].get("names"))
            if names:
                found[_name(feature.get("name")).lower()] = names
    return found


def _read_patterns(files: Any, folder: str) -> dict[str, tuple[str, ...]]:
    """Patterns by split; files without a split are for training."""
    if isinstance(files, dict):
        entries = [{"split": split, "path": path} for split, path in files.items()]
    elif isinstance(files, list) and files and isinstance(files[0], dict):
        entries = _list(files)
    else:
        entries = [{"split": "train", "path": files}]
    found = {}
    for entry in entries[:_MAX_ENTRIES]:
        given = entry.get("path")
        paths = [path for path in (given if isinstance(given, list) else [given]) if isinstance(path, str)]
        prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        if paths:
            found[_name(entry.get("split"))] = tuple(prefix + path[:300] for path in paths[:_MAX_ENTRIES])
    return found


def _list(value: Any) -> list[dict[str, Any]]:
    """One mapping or several; whatever else stands there is left out."""
    values = value if isinstance(value, list) else [value]
    return [entry for entry in values[:_MAX_ENTRIES] if isinstance(entry, dict)]


def _name(value: Any) -> str:
    return str(value)[:100] if isinstance(value, str | int | float) else ""
