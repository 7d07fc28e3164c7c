"""Download what was vetted into huggingface_hub's cache: by bytes, to be stopped and resumed, and checked at the end.

huggingface_hub's own download gives every call a file of its own and removes it when it is cut off, so that nothing
can be resumed; it looks up only every 10 MB, and compares sizes but not contents. Requests, token, cache and locks are
its own. Files are asked for by plain HTTP, which the Hub serves for those in Xet storage too: Xet cannot resume.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import get_session, hf_raise_for_status

from attattr_core.errors import UserError
from attattr_core.hub.cache import CachedRepository, RemoteFile, clear_way, find_cache, is_whole
from attattr_core.hub.client import HubUnavailableError, build_address, build_headers, explain

_N_TRIES, _PAUSE = 5, 0.5  # tries in a row that bring nothing
_STALL = 5.0  # seconds without a byte
_POLL = 0.2


@dataclass(frozen=True)
class Progress:
    """How far a download is.

    Attributes:
        n_bytes: Bytes that are here.
        n_total: Bytes of all files that are needed.
    """

    n_bytes: int
    n_total: int


class Downloadable(Protocol):
    """What can be downloaded: files of a repository at one commit, and perhaps of another one below it.

    A model's `attattr_core.hub.metadata.Description`, or a part of a data set (`attattr_core.datasets.hub_sets`).
    """

    name: str
    revision: str
    asked_revision: str
    files: tuple[RemoteFile, ...]
    base: "Downloadable | None"
    folder: Path | None
    is_cached: bool
    repo_type: str


def download(description: Downloadable) -> Iterator[Progress]:
    """Fetches the files of a model and of its base, or of a data set, that are not in the cache yet.

    Closing the iterator stops at once and keeps what has arrived: the next call goes on from there. Two calls for the
    same may run at the same time, in threads or programs; one of them fetches and the other waits.

    Args:
        description: From `describe`, or a part of a data set.

    Yields:
        The progress, first what was there and last the whole.

    Raises:
        UserError: When it breaks off, what arrives is not what was announced, or the cache cannot be written.
    """
    parts = [(part, file) for part in (description.base, description) if part for file in part.files]
    n_done, n_total = 0, sum(file.n_bytes for _, file in parts)
    try:
        _check_room(description, parts)
        for part, file in parts:
            for n_bytes in _fetch(part, file):
                yield Progress(n_done + n_bytes, n_total)
            n_done += file.n_bytes
        for part in (description.base, description):
            if part and part.revision and not part.is_cached:
                _find_place(part).name_revision(part.asked_revision)
    except OSError as error:
        raise UserError(
            f"{description.name!r} cannot be kept in {str(find_cache())!r} ({error.strerror or error}): make room "
            "there, or set HF_HOME to another folder."
        ) from error
    yield Progress(n_total, n_total)


def find_snapshot(description: Downloadable) -> Path:
    """Finds the folder of a model or data set: its own on disk, or that of its commit in the cache.

    Raises:
        UserError: When a file is missing or broken; `download` mends that.
    """
    if description.folder is not None:
        return description.folder
    cached = _find_place(description)
    for file in description.files:
        if not cached.has(file):
            raise UserError(f"{file.name} of {description.name!r} is not in the cache: download it first.")
    return cached.snapshot


def _find_place(part: Downloadable) -> CachedRepository:
    return CachedRepository(part.name, part.revision, part.repo_type)


def _check_room(description: Downloadable, parts: list[tuple[Downloadable, RemoteFile]]) -> None:
    n_wanted = sum(file.n_bytes for part, file in parts if not _find_place(part).find_blob(file).exists())
    place = next(path for path in (find_cache(), *find_cache().absolute().parents) if path.is_dir())
    n_free = shutil.disk_usage(place).free
    if n_wanted > n_free:
        raise UserError(
            f"{description.name!r} needs {n_wanted / 1e6:.1f} MB, but {str(place)!r} has {n_free / 1e6:.1f} MB free: "
            "make room there, or set HF_HOME to another folder."
        )


def _fetch(part: Downloadable, file: RemoteFile) -> Iterator[int]:
    """Brings one file into the cache; yields how many of its bytes are here."""
    cached = _find_place(part)
    if cached.has(file):
        yield file.n_bytes
        return
    if part.is_cached:
        raise UserError(f"{file.name} of {part.name!r} is broken in the cache: connect to the Hub to fetch it again.")
    blob = cached.find_blob(file)
    partial = blob.with_name(f"{blob.name}.incomplete")
    for path in (blob, cached.find_lock(file)):
        path.parent.mkdir(parents=True, exist_ok=True)
    # Not bound to a thread: a server may take every step of an iterator in another one.
    lock = FileLock(cached.find_lock(file), mode=0o664, thread_local=False)
    try:
        yield from _acquire(lock, partial)
        for path in (blob, partial):
            clear_way(path)
        if not is_whole(blob, file):
            with closing(_receive(part, file, partial)) as steps:
                yield from steps
            os.replace(partial, blob)
        cached.link(file)
    finally:
        lock.release(force=True)
    yield file.n_bytes


def _acquire(lock: FileLock, partial: Path) -> Iterator[int]:
    """Waits for whoever fetches the same file, and shows how far that is."""
    while True:
        try:
            lock.acquire(timeout=_POLL)
            return
        except Timeout:
            yield _measure(partial)


def _receive(part: Downloadable, file: RemoteFile, partial: Path) -> Iterator[int]:
    """Receives what is missing of a file, however often the connection breaks, and checks the whole."""
    n_failures, n_bytes = 0, _measure(partial)
    while n_bytes < file.n_bytes:
        try:
            with closing(_stream(part, file, partial)) as steps:
                yield from steps
            failure: Exception = HubUnavailableError("cut the connection")
        except (HTTPError, OfflineModeIsEnabled) as error:
            failure = error
        n_before, n_bytes = n_bytes, _measure(partial)
        if n_bytes < file.n_bytes:
            n_failures = 1 if n_bytes > n_before else n_failures + 1
            if n_failures >= _N_TRIES or not _is_passing(failure):
                raise _explain_break(failure, part, file, partial)
            yield from _wait(_PAUSE * 2 ** (n_failures - 1), n_bytes)
    if file.n_bytes == 0:
        partial.touch()
    if not is_whole(partial, file):
        partial.unlink()
        raise UserError(
            f"{file.name} of {part.name!r} arrived broken, its content is not what the Hub announced: try again, it is "
            "fetched anew."
        )


def _wait(seconds: float, n_bytes: int) -> Iterator[int]:
    """Waits in short pieces, so that a stop takes effect between them."""
    moment = time.monotonic() + seconds
    while (left := moment - time.monotonic()) > 0:
        yield n_bytes
        time.sleep(min(left, _POLL))


def _stream(part: Downloadable, file: RemoteFile, partial: Path) -> Iterator[int]:
    """Appends to a partial file from where it ends."""
    n_bytes = _measure(partial)
    headers = build_headers() | ({"Range": f"bytes={n_bytes}-"} if n_bytes else {})
    address = build_address(part.name, part.revision, file.name, part.repo_type)
    with get_session().stream("GET", address, headers=headers, timeout=_STALL) as response:
        hf_raise_for_status(response)
        is_continued = n_bytes and response.status_code == 206
        with partial.open("ab" if is_continued else "wb") as target:
            for chunk in response.iter_bytes():
                target.write(chunk)
                target.flush()
                if target.tell() > file.n_bytes:
                    return  # not what was announced: the check of the whole tells
                yield target.tell()


def _is_passing(failure: Exception) -> bool:
    """Whether trying again may help: not for a refusal."""
    if isinstance(failure, HfHubHTTPError):
        return failure.response.status_code >= 500
    return not isinstance(failure, OfflineModeIsEnabled)


def _explain_break(failure: Exception, part: Downloadable, file: RemoteFile, partial: Path) -> UserError:
    if isinstance(failure, HfHubHTTPError):
        if failure.response.status_code == 416:  # the Hub has less of it than it announced
            partial.unlink(missing_ok=True)
            return UserError(
                f"{file.name} of {part.name!r} is not as long as the Hub announced: try again, it is fetched anew."
            )
        reason = explain(failure, part.name, part.revision, part.repo_type)
        if isinstance(reason, UserError):
            return reason
        failure = reason
    elif not isinstance(failure, HubUnavailableError):
        failure = explain(failure, part.name, part.revision, part.repo_type)
    return UserError(
        f"The download of {part.name!r} broke off after {_measure(partial) / 1e6:.1f} of {file.n_bytes / 1e6:.1f} MB "
        f"of {file.name} (the Hub {failure}): try again, it goes on from there."
    )


def _measure(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
