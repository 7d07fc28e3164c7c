"""Bring a part of a data set of the Hub here and read it."""

from collections.abc import Callable
from contextlib import closing

from attattr_core.datasets.hub_sets import HubSplit, choose_split, find_dataset
from attattr_core.datasets.limits import DataLimits
from attattr_core.datasets.parquet import read_parquet
from attattr_core.datasets.tables import Table
from attattr_core.errors import UserError
from attattr_core.hub.limits import HubLimits
from attattr_core.hub.transfer import Progress, download, find_snapshot
from attattr_core.labels.tasks import join_briefly


def open_hub(
    text: str,
    *,
    limits: DataLimits,
    hub_limits: HubLimits,
    on_progress: Callable[[Progress], None] | None = None,
) -> HubSplit:
    """Find and download what ``ID[@REVISION][:CONFIG]:SPLIT`` names.

    Raises:
        UserError: When there is no such part, it may not be used, or the download breaks off.
    """
    chosen = find_split(text, limits=limits, hub_limits=hub_limits)
    with closing(download(chosen)) as steps:
        for progress in steps:
            if on_progress is not None:
                on_progress(progress)
    return chosen


def find_split(text: str, *, limits: DataLimits, hub_limits: HubLimits) -> HubSplit:
    """Find what ``ID[@REVISION][:CONFIG]:SPLIT`` names, without downloading it.

    Raises:
        UserError: When there is no such part, or it may not be used.
    """
    given, (name, *parts) = f"hub:{text[:160]}", text.split(":")
    if len(parts) > 2 or "//" in text:
        raise UserError(f"{given!r} is no part of a data set: write hub:ID:CONFIG:SPLIT.")
    dataset = find_dataset(name, limits=hub_limits)
    if not parts:
        known = join_briefly(f":{split.config}:{split.name}" for split in dataset.splits)
        raise UserError(f"{given!r} names no split: add one of {known}.")
    return choose_split(dataset, parts[0] if len(parts) == 2 else "", parts[-1], limits=limits)


def read_split(chosen: HubSplit, limits: DataLimits) -> Table:
    """Read a part of a data set that was downloaded.

    Raises:
        UserError: When it is not in the cache, or cannot be read.
    """
    folder = find_snapshot(chosen)
    names = {column.lower(): names for column, names in chosen.split.class_names}
    partial = "The Hub has converted a part of this data set only." if chosen.split.is_partial else ""
    return read_parquet(
        [folder / file.name for file in chosen.split.files],
        chosen.title,
        limits,
        class_names=names,
        notice=" ".join(filter(None, (chosen.notice, partial))),
    )
