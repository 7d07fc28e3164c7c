"""Where a model's configurations are read from: the Hub at one commit, its cache, or a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from attattr_core.checkpoints.adapters import ADAPTER_CONFIG
from attattr_core.checkpoints.catalog import EMBEDDED, find_folder, read_json
from attattr_core.errors import UserError
from attattr_core.hub.cache import CachedRepository, RemoteFile, compute_git_digest, find_cached, is_digest, is_sha
from attattr_core.hub.client import (
    Deadline,
    HubUnavailableError,
    explain,
    fetch_bytes,
    fetch_info,
    parse_json,
    refuse_disabled,
)
from attattr_core.hub.limits import HubLimits
from attattr_core.hub.reference import Reference, parse_hub_id


@dataclass(frozen=True)
class Source:
    """A repository at one commit, or a folder, whose configurations can be read.

    Attributes:
        name: Its id on the Hub now, the embedded name, or the folder's.
        files: All its files; of a folder, the configurations only.
        read: Reads one of its JSON files, which are not trusted.
        sha: The commit, or "" for a folder.
        asked: The revision that was asked for.
        notice: What a person should know, or "".
        folder: The folder, or None.
        is_cached: Whether the Hub was not asked.
    """

    name: str
    files: tuple[RemoteFile, ...]
    read: Callable[[str], dict[str, Any]]
    sha: str = ""
    asked: str = ""
    notice: str = ""
    folder: Path | None = None
    is_cached: bool = False


def open_folder(reference: Reference) -> Source:
    """Opens an embedded checkpoint or another folder."""
    folder = find_folder(reference.name) if reference.kind == "embedded" else Path(reference.name)
    names = [name for name in (ADAPTER_CONFIG, "config.json") if (folder / name).is_file()]
    name = reference.name if reference.kind == "embedded" else folder.absolute().name
    return Source(
        name, tuple(RemoteFile(file, 0, "") for file in names), lambda file: read_json(folder / file), folder=folder
    )


def find_repository(reference: Reference, limits: HubLimits, deadline: Deadline) -> Source:
    """Finds a repository and pins it to a commit: asks the Hub, and turns to the cache when it does not answer.

    Raises:
        UserError: When neither has it, or the Hub says no.
    """
    asked = reference.revision or constants.DEFAULT_REVISION
    if limits.offline or constants.HF_HUB_OFFLINE:
        reason, way, notice = "is not asked in offline mode", "turn ATTATTR_OFFLINE and HF_HUB_OFFLINE off", ""
    else:
        try:
            now, sha, files, notice = ask_hub(reference.name, asked, deadline)
            return Source(now, files, _build_reader(now, sha, files, deadline), sha, asked, notice)
        except HubUnavailableError as error:
            reason, way, notice = str(error), "try again later", f"The Hub {error}: the copy in the cache is used."
    cached = find_cached(reference.name, asked)
    files = tuple(cached.list_files()) if cached else ()
    if cached is None or not any(file.name.endswith(".safetensors") for file in files):
        raise UserError(
            f"The Hub {reason}, and {reference.name!r} is not in the cache: {way}, or use one of the embedded "
            f"checkpoints {', '.join(EMBEDDED)}."
        )
    return Source(cached.name, files, _build_cached_reader(cached), cached.sha, asked, notice, is_cached=True)


def ask_hub(
    name: str, asked: str, deadline: Deadline, repo_type: str = "model"
) -> tuple[str, str, tuple[RemoteFile, ...], str]:
    """Asks the Hub for a repository: its id now, its commit, all its files, and what a person should know.

    Raises:
        HubUnavailableError: When there is no answer in time.
        UserError: When the Hub says no, or what makes no sense.
    """
    info = fetch_info(name, asked, deadline, repo_type)
    if info.disabled:
        raise refuse_disabled(name, repo_type)
    try:
        now, sha = parse_hub_id(info.id).name, str(info.sha)
        files = tuple(_read_entry(entry) for entry in info.siblings or ())
    except (UserError, TypeError, ValueError, AttributeError) as error:
        raise explain(ValueError("metadata"), name, asked, repo_type) from error
    if not is_sha(sha):
        raise explain(ValueError("commit"), name, asked, repo_type)
    notice = f"{name!r} is called {now!r} on the Hub now." if now.lower() != name.lower() else ""
    return now, sha, files, notice


def fetch_verified(name: str, sha: str, file: RemoteFile, deadline: Deadline, repo_type: str = "model") -> bytes:
    """Fetches a small file into memory and checks that it is what the Hub announced.

    Raises:
        HubUnavailableError: When there is no answer in time.
        UserError: When it is not, or the Hub says no.
    """
    content = fetch_bytes(name, sha, file.name, deadline, repo_type)
    if len(file.digest) == 40 and compute_git_digest(content) != file.digest:
        raise UserError(f"{file.name} of {name!r} is not what the Hub announced: try again later.")
    return content


def _build_reader(
    name: str, sha: str, files: tuple[RemoteFile, ...], deadline: Deadline
) -> Callable[[str], dict[str, Any]]:
    by_name = {file.name: file for file in files}

    def read(file: str) -> dict[str, Any]:
        if file not in by_name:
            raise UserError(f"{name!r} has no {file}: it is not a model of transformers.")
        return parse_json(fetch_verified(name, sha, by_name[file], deadline), name, file)

    return read


def _build_cached_reader(cached: CachedRepository) -> Callable[[str], dict[str, Any]]:
    def read(file: str) -> dict[str, Any]:
        try:
            return read_json(cached.snapshot / file)
        except UserError as error:
            raise UserError(
                f"{file} of {cached.name!r} is missing or broken in the cache: connect to the Hub to fetch it again."
            ) from error

    return read


def _read_entry(entry: Any) -> RemoteFile:
    digest = entry.lfs.sha256 if entry.lfs else entry.blob_id
    n_bytes = entry.lfs.size if entry.lfs else entry.size
    if not isinstance(n_bytes, int) or n_bytes < 0 or not is_digest(str(digest)):
        raise ValueError("a file without size or digest")
    return RemoteFile(str(entry.rfilename), n_bytes, str(digest))
