"""Data sets of the Hub: looked at before anything large is downloaded, pinned to a commit, parquet files only.

Scripts, pickles and archives of a repository are never fetched. What the Hub itself has converted
(``refs/convert/parquet``) serves where a repository has no parquet files of its own.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import constants

from attattr_core.datasets.cards import Card, read_card
from attattr_core.datasets.limits import DataLimits
from attattr_core.datasets.splits import Split, find_splits
from attattr_core.errors import UserError
from attattr_core.hub.cache import RemoteFile, find_cached
from attattr_core.hub.client import MAX_CONFIG_BYTES, Deadline, HubUnavailableError, build_page
from attattr_core.hub.limits import HubLimits
from attattr_core.hub.reference import Reference, parse_hub_id
from attattr_core.hub.sources import ask_hub, fetch_verified
from attattr_core.labels.tasks import join_briefly

CONVERTED = "refs/convert/parquet"
#: What is proposed, and all that may be used where only listed models may.
SUGGESTED = (
    "nyu-mll/glue",
    "stanfordnlp/sst2",
    "stanfordnlp/snli",
    "nyu-mll/multi_nli",
    "stanfordnlp/imdb",
    "cornell-movie-review-data/rotten_tomatoes",
)
_CARD = "README.md"
_TYPE = "dataset"


@dataclass(frozen=True)
class HubDataset:
    """A data set at one commit.

    Attributes:
        name: The id that the Hub gives it now.
        revision: The commit that its files are at.
        asked_revision: The branch, tag or commit that was asked for.
        url: Its page.
        splits: Its parts.
        card: Its README where that is at the same commit, or None.
        notice: What a person should know, or "".
        is_cached: Whether the Hub was not asked.
    """

    name: str
    revision: str
    asked_revision: str
    url: str
    splits: tuple[Split, ...]
    card: RemoteFile | None = None
    notice: str = ""
    is_cached: bool = False


@dataclass(frozen=True)
class HubSplit:
    """One part of a data set, ready to be downloaded (`attattr_core.hub.download`).

    Attributes:
        name: The data set's id.
        revision: The commit.
        asked_revision: As it was asked for.
        files: What has to be downloaded: the parquet files, and the card before them.
        split: Which part it is.
        notice: What a person should know, or "".
        is_cached: Whether the Hub was not asked.
        base: Nothing is below a data set.
        folder: It is in the cache, if anywhere.
        repo_type: What the Hub calls it.
    """

    name: str
    revision: str
    asked_revision: str
    files: tuple[RemoteFile, ...]
    split: Split
    notice: str = ""
    is_cached: bool = False
    base: None = None
    folder: Path | None = None
    repo_type: str = _TYPE

    @property
    def title(self) -> str:
        """What it is called: id, configuration, part."""
        return f"{self.name}:{self.split.config}:{self.split.name}"


def parse_dataset_id(text: str) -> Reference:
    """Read ``"name"``, ``"org/name"``, either with ``"@revision"``, or a data set's address.

    Raises:
        UserError: When it is none of them.
    """
    name = text.strip()
    hosts = ("huggingface.co", "www.huggingface.co", "hf.co", urlsplit(constants.ENDPOINT).netloc.lower())
    if "://" in name:
        try:
            address = urlsplit(name)
        except ValueError:  # such as a bracket that is never closed
            address = urlsplit("")
        parts = [part for part in address.path.split("/") if part]
        if address.netloc.lower() not in hosts or parts[:1] != ["datasets"] or len(parts) < 2:
            raise UserError(f"{name[:80]!r} is not the address of a data set on the Hub ({constants.ENDPOINT}).")
        is_whole = len(parts) < 3 or parts[2] in ("viewer", "tree", "blob", "resolve")
        name = "/".join(parts[1:2] if is_whole and len(parts) > 2 else parts[1:3])
    name = name.removeprefix("datasets/")
    if not name or not name.isprintable() or len(name) > 300:
        raise UserError(f"{name[:80]!r} names no data set: give a Hub id such as nyu-mll/glue.")
    try:
        return parse_hub_id(name)
    except UserError as error:
        raise UserError(f"{name[:80]!r} is no name of a data set: give a Hub id such as nyu-mll/glue.") from error


def find_dataset(text: str, *, limits: HubLimits | None = None) -> HubDataset:
    """Find a data set and its parts, asking for metadata and its card only, for five seconds at most.

    Args:
        text: A Hub id, perhaps with ``@revision``, or an address.
        limits: Whether the Hub may be asked, and for what.

    Raises:
        UserError: When there is no such data set, it may not be used, or it has no parquet files.
    """
    reference, limits, deadline = parse_dataset_id(text), limits or HubLimits(), Deadline()
    is_main = reference.revision in (None, constants.DEFAULT_REVISION)
    if limits.curated_only and not (reference.name in SUGGESTED and is_main):
        raise UserError(
            f"{text.strip()[:160]!r} is not among the data sets that may be used here: choose one of "
            f"{join_briefly(SUGGESTED)}."
        )
    if limits.offline or constants.HF_HUB_OFFLINE:
        why, way = "is not asked in offline mode", "turn ATTATTR_OFFLINE and HF_HUB_OFFLINE off"
    else:
        try:
            return _ask(reference, deadline)
        except HubUnavailableError as error:
            why, way = str(error), "try again later"
            notice = f"The Hub {error}: the copy in the cache is used."
            found = _find_cached(reference)
            if found is not None:
                return replace(found, notice=notice)
    found = _find_cached(reference)
    if found is None:
        raise UserError(f"The Hub {why}, and {reference.name!r} is not in the cache: {way}, or use a file.")
    return found


def list_splits(dataset: HubDataset) -> dict[str, tuple[Split, ...]]:
    """List the parts of a data set by configuration."""
    configs = dict.fromkeys(split.config for split in dataset.splits)
    return {config: tuple(split for split in dataset.splits if split.config == config) for config in configs}


def choose_split(dataset: HubDataset, config: str, split: str, *, limits: DataLimits | None = None) -> HubSplit:
    """Choose a part of a data set.

    Args:
        dataset: From `find_dataset`.
        config: Its configuration, or "" where there is one only.
        split: Its part.
        limits: How much may be downloaded.

    Raises:
        UserError: When there is no such part, or it is too large.
    """
    limits, by_config = limits or DataLimits(), list_splits(dataset)
    if not config and len(by_config) == 1:
        config = next(iter(by_config))
    if config not in by_config:
        given = f"no configuration {config[:80]!r}" if config else f"{len(by_config)} configurations"
        raise UserError(f"{dataset.name!r} has {given}: choose one of {join_briefly(by_config)}.")
    found = next((part for part in by_config[config] if part.name == split), None)
    if found is None:
        names = join_briefly(part.name for part in by_config[config])
        raise UserError(f"{dataset.name}:{config} has no split {split[:80]!r}: choose one of {names}.")
    files = (*((dataset.card,) if dataset.card else ()), *found.files)
    chosen = HubSplit(
        dataset.name, dataset.revision, dataset.asked_revision, files, found, dataset.notice, dataset.is_cached
    )
    if found.n_bytes > limits.max_bytes:
        raise UserError(
            f"{chosen.title} has {found.n_bytes / 1e6:.1f} MB, more than the limit of {limits.max_bytes / 1e6:.1f} MB: "
            "choose a smaller part, or raise ATTATTR_MAX_DATA_BYTES."
        )
    return chosen


def _ask(reference: Reference, deadline: Deadline) -> HubDataset:
    asked = reference.revision or constants.DEFAULT_REVISION
    now, sha, files, notice = ask_hub(reference.name, asked, deadline, _TYPE)
    card_file = next((file for file in files if file.name == _CARD and file.n_bytes <= MAX_CONFIG_BYTES), None)
    card = Card()
    if card_file is not None:
        card = read_card(fetch_verified(now, sha, card_file, deadline, _TYPE).decode("utf-8", "replace"))
    splits = find_splits(files, card)
    if not splits and reference.revision is None:
        splits, sha, asked = _ask_converted(now, card, deadline)
        card_file = None
    if not splits:
        raise UserError(
            f"{now!r} has no parquet files, and no others are read here: choose another data set, or download its "
            "files and give one of them."
        )
    return HubDataset(now, sha, asked, build_page(now, _TYPE), splits, card_file, notice)


def _ask_converted(name: str, card: Card, deadline: Deadline) -> tuple[tuple[Split, ...], str, str]:
    """What the Hub itself has converted; a data set without that has no such revision."""
    try:
        _, sha, files, _ = ask_hub(name, CONVERTED, deadline, _TYPE)
    except UserError:
        return (), "", ""
    return find_splits(files, replace(card, patterns={})), sha, CONVERTED


def _find_cached(reference: Reference) -> HubDataset | None:
    for revision in [reference.revision] if reference.revision else [None, CONVERTED]:
        cached = find_cached(reference.name, revision, _TYPE)
        files = tuple(cached.list_files()) if cached else ()
        card_file = next((file for file in files if file.name == _CARD and file.n_bytes <= MAX_CONFIG_BYTES), None)
        card = Card()
        if cached and card_file:
            card = read_card((cached.snapshot / _CARD).read_text(encoding="utf-8", errors="replace"))
        splits = find_splits(files, card)
        if cached and splits:
            asked = revision or constants.DEFAULT_REVISION
            page = build_page(cached.name, _TYPE)
            return HubDataset(cached.name, cached.sha, asked, page, splits, card_file, is_cached=True)
    return None
