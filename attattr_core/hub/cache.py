"""The folders of huggingface_hub's cache, which are shared with other programs, and what is found there."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

_SHA = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: Blobs whose digest was computed since the program started, as they were then.
_verified: set[tuple[str, int, int, str]] = set()


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository.

    Attributes:
        name: Its path in the repository.
        n_bytes: Its size.
        digest: SHA-256 of its content, or git's SHA-1 for files that are stored in git; "" when it is not known.
    """

    name: str
    n_bytes: int
    digest: str


@dataclass(frozen=True)
class CachedRepository:
    """Where the files of a repository at one commit are kept."""

    name: str
    sha: str
    repo_type: str = "model"

    @property
    def folder(self) -> Path:
        """The folder of all commits."""
        return find_cache() / repo_folder_name(repo_id=self.name, repo_type=self.repo_type)

    @property
    def snapshot(self) -> Path:
        """The folder of this commit: links to blobs by file name."""
        return self.folder / "snapshots" / self.sha

    def find_blob(self, file: RemoteFile) -> Path:
        """Where the content of a file is kept, by its digest."""
        return self.folder / "blobs" / file.digest

    def find_lock(self, file: RemoteFile) -> Path:
        """The lock that huggingface_hub takes as well."""
        return find_cache() / ".locks" / self.folder.name / f"{file.digest}.lock"

    def list_files(self) -> list[RemoteFile]:
        """Lists what this commit's folder holds; links that lead nowhere are left out."""
        pattern = "*" if self.repo_type == "model" else "**/*"  # a model needs no file of a folder
        paths = sorted(path for path in self.snapshot.glob(pattern) if path.is_file())
        return [
            RemoteFile(path.relative_to(self.snapshot).as_posix(), path.stat().st_size, _read_digest(path))
            for path in paths
        ]

    def has(self, file: RemoteFile) -> bool:
        """Tells whether a file is there with the content that was announced."""
        return is_whole(self.snapshot / file.name, file)

    def link(self, file: RemoteFile) -> None:
        """Lets this commit's folder show a blob; where links are not possible, a copy."""
        pointer, blob = self.snapshot / file.name, self.find_blob(file)

        def show(place: Path) -> None:
            try:
                place.symlink_to(os.path.relpath(blob, pointer.parent))
            except OSError:
                shutil.copyfile(blob, place)

        _put(pointer, show)

    def name_revision(self, revision: str) -> None:
        """Notes which commit a branch or tag is, for when the Hub cannot be asked."""
        if revision != self.sha:
            _put(self.folder / "refs" / revision, lambda place: place.write_text(self.sha))


def clear_way(path: Path) -> None:
    """Removes a folder that stands where a file belongs."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)


def _put(path: Path, make: Callable[[Path], object]) -> None:
    """Makes a file in another one's place: it is there as a whole, or what was there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}")
    try:
        make(beside)
        clear_way(path)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def find_cache() -> Path:
    """The folder of huggingface_hub's cache: HF_HUB_CACHE, or hub/ in HF_HOME."""
    return Path(constants.HF_HUB_CACHE)


def find_cached(name: str, revision: str | None, repo_type: str = "model") -> CachedRepository | None:
    """Looks for a commit of a repository in the cache, whole or not."""
    revision = revision or constants.DEFAULT_REVISION
    sha = revision
    if not _SHA.fullmatch(revision):
        with suppress(OSError, UnicodeDecodeError):
            sha = (CachedRepository(name, "", repo_type).folder / "refs" / revision).read_text()[:41].strip()
    found = CachedRepository(name, sha, repo_type)
    return found if _SHA.fullmatch(sha) and found.snapshot.is_dir() else None


def is_digest(text: str) -> bool:
    """Tells whether a text is a SHA-1 or SHA-256; it becomes a file name."""
    return _DIGEST.fullmatch(text) is not None


def is_sha(text: str) -> bool:
    """Tells whether a text is a commit; it becomes a folder's name."""
    return _SHA.fullmatch(text) is not None


def is_whole(path: Path, file: RemoteFile) -> bool:
    """Tells whether a file has the size and digest that were announced; the digest is computed once a program."""
    try:
        state = path.stat()
    except OSError:
        return False
    if state.st_size != file.n_bytes:
        return False
    known = (os.path.realpath(path), state.st_size, state.st_mtime_ns, file.digest)
    if known not in _verified:
        if file.digest and _compute_digest(path, file) != file.digest:
            return False
        _verified.add(known)
    return True


def _compute_digest(path: Path, file: RemoteFile) -> str:
    if len(file.digest) == 64:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    return compute_git_digest(path.read_bytes())  # what git itself stores is small


def compute_git_digest(content: bytes) -> str:
    """Computes the digest that git gives a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _read_digest(path: Path) -> str:
    """A blob's name is its digest; the file that a chain of links ends in may be named otherwise."""
    name = Path(os.readlink(path)).name if path.is_symlink() else ""
    return name if is_digest(name) else ""
