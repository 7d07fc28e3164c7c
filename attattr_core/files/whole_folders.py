"""Folders that are always whole: they appear once everything is in them, and only those made here are replaced."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from attattr_core.errors import UnwrittenError, UserError


def check_target(target: Path, *, mark: str, overwrite: bool) -> None:
    """Checks that a folder may be made, or replaced.

    Args:
        target: The folder.
        mark: A file that those have which were made here; no other is replaced.
        overwrite: Whether one of those may be.

    Raises:
        UserError: When it may not.
    """
    with explaining_disk(target):
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise UserError(f"{str(target)!r} is not a folder: choose another --output.")
        if not target.is_dir() or not any(target.iterdir()):
            return
    if not overwrite:
        raise UserError(f"The folder {str(target)!r} is there already: choose another one, or say to overwrite it.")
    if not (target / mark).is_file():
        raise UserError(
            f"The folder {str(target)!r} was not made by this command ({mark} is missing), so it is not "
            "overwritten: choose another one."
        )


@contextmanager
def building(target: Path, *, mark: str, overwrite: bool) -> Iterator[Path]:
    """Gives a folder beside the target that takes its place in the end, or vanishes.

    Args and Raises are those of `check_target`.
    """
    place = target.absolute().with_name(f".{target.absolute().name}-{secrets.token_hex(4)}")
    old = place.with_name(place.name + "-old")
    try:
        with explaining_disk(target):
            place.mkdir(parents=True)
            yield place
            check_target(target, mark=mark, overwrite=overwrite)  # somebody else may have made it meanwhile
            if target.exists():
                target.rename(old)
            place.rename(target)
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for leftover in (place, old):
            shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def explaining_disk(target: Path) -> Iterator[None]:
    """Turns a full or read-only disk into one sentence.

    Raises:
        UnwrittenError: For whatever the system refuses.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:120]
        raise UnwrittenError(f"{str(target)!r} cannot be written ({reason}): choose another place.", reason) from error
