"""What a person may type to name a model: an embedded name, a folder, a Hub id with a revision, or its address."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from attattr_core.checkpoints.catalog import EMBEDDED
from attattr_core.errors import UserError

_MAX_LENGTH = 300
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_PUBLIC_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_WAYS_OUT = "give a Hub id such as org/name, its address, a folder, or one of " + ", ".join(EMBEDDED)


@dataclass(frozen=True)
class Reference:
    """A model as it was named.

    Attributes:
        kind: ``"embedded"``, ``"folder"`` or ``"hub"``.
        name: The embedded name, the folder's path, or the Hub id.
        revision: Branch, tag or commit of a Hub id that was asked for, or None.
    """

    kind: str
    name: str
    revision: str | None = None


def parse_reference(text: str | Path, *, folders: bool = True) -> Reference:
    """Tells what a name means; nothing is looked up but whether such a folder exists.

    Args:
        text: ``"sst2"``, a folder, ``"org/name"``, ``"org/name@revision"`` or a model's address on the Hub.
        folders: Whether a text may name a folder; where strangers type, a server's folders are none of their business.

    Returns:
        The reference; a folder goes before a Hub id of the same name.

    Raises:
        UserError: When it can be none of these.
    """
    name = str(text).strip()
    if not name or len(name) > _MAX_LENGTH or not name.isprintable():
        raise UserError(f"{_quote(str(text))} names no model: {_WAYS_OUT}.")
    if name in EMBEDDED:
        return Reference("embedded", name)
    if folders and _is_folder(name):
        return Reference("folder", name)
    if "://" in name or name.startswith(tuple(f"{host}/" for host in _list_hosts())):
        return _parse_address(name)
    if name.startswith((".", "/", "~")) or "\\" in name or name.partition("@")[0].count("/") > 1:
        raise UserError(f"There is no checkpoint {_quote(name)}: {_WAYS_OUT}.")
    return parse_hub_id(name)


def parse_hub_id(text: str) -> Reference:
    """Reads ``"name"``, ``"org/name"`` or either with ``"@revision"``, never as a folder.

    Raises:
        UserError: When the Hub has no such names.
    """
    name, separator, revision = text.partition("@")
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UserError(f"{_quote(text)} is no name that the Hub allows: {_WAYS_OUT}.") from error
    if separator and not is_revision(revision):
        raise UserError(f"{_quote(revision)} is no revision of {name}: give a branch, a tag or a commit after the @.")
    return Reference("hub", name, revision or None)


def is_revision(text: str) -> bool:
    """Tells whether a text can be a branch, tag or commit; it becomes part of addresses and of paths in the cache."""
    return len(text) <= _MAX_LENGTH and ".." not in text and _REVISION.fullmatch(text) is not None


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # such as a name too long for the file system
        return False


def _list_hosts() -> tuple[str, ...]:
    return (*_PUBLIC_HOSTS, urlsplit(constants.ENDPOINT).netloc.lower())


def _parse_address(text: str) -> Reference:
    """Reads ``https://host/org/name[/tree|blob|resolve/revision[/…]]``."""
    try:
        address = urlsplit(text if "://" in text else f"https://{text}")
        host = address.netloc.lower()
    except ValueError:
        host = ""
    if host not in _list_hosts() or address.scheme not in ("http", "https"):
        raise UserError(f"{_quote(text)} is not an address of the Hub ({constants.ENDPOINT}): {_WAYS_OUT}.")
    parts = [unquote(part) for part in address.path.split("/") if part]
    if parts[:1] in ([], ["datasets"], ["spaces"], ["api"], ["collections"], ["papers"]):
        raise UserError(f"{_quote(text)} is not the address of a model: {_WAYS_OUT}.")
    place = next((i for i, part in enumerate(parts) if part in ("tree", "blob", "resolve") and 0 < i <= 2), None)
    revision = _join_revision(parts[place + 1 :]) if place is not None else ""
    return parse_hub_id("/".join(parts[:place]) + (f"@{revision}" if revision else ""))


def _join_revision(parts: list[str]) -> str:
    """Takes the revision from the end of an address; pull requests have three parts (refs/pr/1)."""
    return "/".join(parts[:3] if parts[:1] == ["refs"] else parts[:1])


def _quote(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "…")
