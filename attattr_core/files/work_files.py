"""What a long job has done, as a JSON file beside it: a job that was stopped or killed goes on from there."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from attattr_core.errors import UserError
from attattr_core.files.whole_files import replacing

VERSION = 2
_MAX_BYTES = 1 << 30
_REST = 20  # times as long as a writing took passes before the next one: the files of long jobs grow


class Pace:
    """Writes what grows again and again: all writings together take a twentieth of a job's time, however long it is."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._next = 0.0
        self._waiting: Callable[[], None] | None = None

    def ask(self, write: Callable[[], None]) -> None:
        """Writes, unless that was just done; then `flush` writes what was asked for last."""
        self._waiting = write
        if time.monotonic() >= self._next:
            self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        if self._waiting is None:
            return
        start = time.monotonic()
        self._waiting()
        self._waiting = None
        end = time.monotonic()
        self._next = end + _REST * (end - start)


class WorkFile:
    """A job's file, always whole: what was written last, or the time before."""

    def __init__(self, path: Path | None, kind: str, key: dict[str, Any]) -> None:
        """Reads nothing yet.

        Args:
            path: The file; None keeps nothing.
            kind: Name of the format, in the file.
            key: Everything that the job's results depend on, as JSON gives it back.

        Raises:
            UserError: When the file would lie in no folder.
        """
        self.path, self.kind, self.key = path, kind, key
        self._pace = Pace()
        if path is not None and not path.absolute().parent.is_dir():
            raise UserError(f"There is no folder {str(path.parent)!r} to keep the work in: make it first.")

    def load(self, take: Callable[[dict[str, Any]], None]) -> None:
        """Loads the file where there is one; it is not trusted.

        Args:
            take: Takes the content over, and raises whatever it likes when it is wrong.

        Raises:
            UserError: When the file is damaged or belongs to another job.
        """
        if self.path is None or not self.path.exists():
            return
        try:
            if self.path.stat().st_size > _MAX_BYTES:
                raise ValueError("too large")
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["format"] != self.kind or content["version"] != VERSION:
                raise ValueError("another format")
            self._compare(dict(content["key"]))
            take(content)
        except UserError:
            raise
        except Exception as error:  # json, and whatever wrong types of a damaged file raise
            raise UserError(
                f"{self.path.name!r} keeps no work of this program, or it is damaged: delete it to start anew."
            ) from error

    def save(self, dump: Callable[[], dict[str, Any]]) -> None:
        """Writes the file anew, unless it was just written; `flush` writes what waits.

        Args:
            dump: Gives the content, when it is written.
        """
        if self.path is not None:
            self._pace.ask(partial(self._write, self.path, dump))

    def flush(self) -> None:
        """Writes what `save` was given last, if that waits."""
        self._pace.flush()

    def _write(self, path: Path, dump: Callable[[], dict[str, Any]]) -> None:
        content = {"format": self.kind, "version": VERSION, "key": self.key, **dump()}
        with replacing(path) as file:
            file.write(json.dumps(content, ensure_ascii=False, allow_nan=False).encode())

    def _compare(self, key: dict[str, Any]) -> None:
        name = next((name for name in self.key if key.get(name) != self.key[name]), None)
        if name is not None and self.path is not None:
            raise UserError(
                f"{self.path.name!r} keeps other work than this ({name}: {str(key.get(name))[:60]}, not "
                f"{str(self.key[name])[:60]}): delete it to start anew, or choose another file."
            )
