"""Which parquet files of a repository are which split of which configuration: by its card, else by their names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from attattr_core.datasets.cards import Card
from attattr_core.hub.cache import RemoteFile

DEFAULT = "default"
_NAME = re.compile(r"[\w.,+ -]{1,100}")  # of a configuration or a split; the Hub allows no more
_PATH = re.compile(r"[\w+=,@ -][\w.+=,@ -]*(/[\w+=,@ -][\w.+=,@ -]*)*\.parquet")
_SHARD = re.compile(r"(?P<split>.+)-(?P<index>\d{5})-of-(?P<n>\d{5})(-[0-9a-f]+)?\.parquet")
_MAX_FILES = 50_000


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    Attributes:
        config: Its configuration, ``"default"`` where there is one only.
        name: Such as ``"validation"``.
        files: Its parquet files in order.
        n_rows: How many rows the data set says it has, or None.
        class_names: Class names by column, as the card has them.
        is_partial: Whether the Hub has converted a part of it only.
    """

    config: str
    name: str
    files: tuple[RemoteFile, ...]
    n_rows: int | None = None
    class_names: tuple[tuple[str, tuple[str, ...]], ...] = ()
    is_partial: bool = False

    @property
    def n_bytes(self) -> int:
        """Size of its files."""
        return sum(file.n_bytes for file in self.files)


def find_splits(files: Iterable[RemoteFile], card: Card) -> tuple[Split, ...]:
    """Sort parquet files into splits.

    Args:
        files: All files of the repository; only parquet files with plain names are taken.
        card: What its README says.

    Returns:
        The splits, by configuration as the card orders them, else by name; those that lack files are left out.
    """
    usable = sorted((file for file in files if _PATH.fullmatch(file.name)), key=lambda file: file.name)[:_MAX_FILES]
    return _build(_match_card(usable, card), card) or _build(_match_names(usable), card)


def _build(found: dict[tuple[str, str], list[RemoteFile]], card: Card) -> tuple[Split, ...]:
    splits = []
    for (config, name), parts in found.items():
        is_partial = name.startswith("partial-")
        split = name.removeprefix("partial-")
        if _NAME.fullmatch(config) and _NAME.fullmatch(split) and _is_whole(parts):
            names = card.class_names.get(config) or {}
            n_rows = card.counts.get(config, {}).get(split)
            splits.append(Split(config, split, tuple(parts), n_rows, tuple(names.items()), is_partial))
    return tuple(splits)


def _match_card(files: Sequence[RemoteFile], card: Card) -> dict[tuple[str, str], list[RemoteFile]]:
    found: dict[tuple[str, str], list[RemoteFile]] = {}
    for config, by_split in card.patterns.items():
        for split, patterns in by_split.items():
            parts = [file for file in files if any(_matches(file.name, pattern) for pattern in patterns)]
            if parts:
                found[config or DEFAULT, split or "train"] = parts
    return found


def _matches(name: str, pattern: str) -> bool:
    """Match as a shell does: a star stays within its folder, two go through all."""
    if "**" in pattern:
        return fnmatchcase(name, pattern.replace("**/", "*").replace("**", "*"))
    names, patterns = name.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(map(fnmatchcase, names, patterns))


def _match_names(files: Sequence[RemoteFile]) -> dict[tuple[str, str], list[RemoteFile]]:
    """Sort by ``config/split-00000-of-00001.parquet``, ``data/split-….parquet`` and ``config/split/0000.parquet``."""
    found: dict[tuple[str, str], list[RemoteFile]] = {}
    for file in files:
        *folders, name = file.name.split("/")
        shard = _SHARD.fullmatch(name)
        if len(folders) == 2 and re.fullmatch(r"\d{4,5}\.parquet", name):
            config, split = folders
        elif len(folders) <= 1:
            config = folders[0] if folders and folders[0] != "data" else DEFAULT
            split = shard["split"] if shard else name.removesuffix(".parquet")
        else:
            continue
        found.setdefault((config, split), []).append(file)
    return found


def _is_whole(files: Sequence[RemoteFile]) -> bool:
    """Whether all the shards are there, as far as their names tell."""
    shards = [shard for file in files if (shard := _SHARD.fullmatch(file.name.rpartition("/")[2]))]
    if len(shards) < len(files) or not files:
        return bool(files)
    return all(int(shard["n"]) == len(files) for shard in shards)
