"""What was measured on this server: finished importances in memory, unfinished work in files."""

import hashlib
import json
import shutil
import tempfile
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from attattr_core.errors import UserError
from attattr_core.files.ages import Ages
from attattr_core.ui.heads_jobs import ImportanceStep
from attattr_core.ui.shortages import describe_full_disk

_MOST_IMPORTANCES = 128
_MOST_FILES = 64
_SECONDS_KEPT = 3600  # as long as uploads, since unfinished work may hold tokens of them
_SECONDS_BETWEEN = 600


class Store:
    """Importances and unfinished work, the least recently used given up first."""

    def __init__(self) -> None:
        """Makes an empty store; its folder is made when it is first needed and goes with the process."""
        self._importances: OrderedDict[str, ImportanceStep] = OrderedDict()
        self._lock, self._ages = Lock(), Ages()
        self._folder: tempfile.TemporaryDirectory | None = None

    def find(self, key: str) -> ImportanceStep | None:
        """Finds a finished importance."""
        with self._lock:
            if key in self._importances:
                self._importances.move_to_end(key)
            return self._importances.get(key)

    def keep(self, key: str, importance: ImportanceStep) -> None:
        """Keeps a finished importance."""
        with self._lock:
            self._importances[key] = importance
            self._importances.move_to_end(key)
            while len(self._importances) > _MOST_IMPORTANCES:
                self._importances.popitem(last=False)

    def find_file(self, key: str) -> Path:
        """Finds where unfinished work of this key is kept; the file may not be there yet.

        Raises:
            UserError: When there is no place for it.
        """
        with self._lock:
            if self._folder is None:
                try:
                    self._folder = tempfile.TemporaryDirectory(prefix="attattr-work-")
                except OSError as error:
                    raise UserError(describe_full_disk(str(error.strerror))) from error
                self._wait()
            folder = Path(self._folder.name)
            self._clear_out(folder)
            return folder / key

    def _wait(self) -> None:
        timer = Timer(_SECONDS_BETWEEN, self._tidy)
        timer.daemon = True
        timer.start()

    def _tidy(self) -> None:
        """Removes what is old even where nobody looks for a file any more."""
        with self._lock:
            if self._folder is not None:
                self._clear_out(Path(self._folder.name))
                self._wait()

    def _clear_out(self, folder: Path) -> None:
        """Removes old files, and all but the newest; those that others are writing now come and go meanwhile."""
        files = []
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                if path.suffix != ".new":
                    files.append((self._ages.measure(path), path))
        for place, (age, path) in enumerate(sorted(files)):
            if place >= _MOST_FILES or age > _SECONDS_KEPT:
                path.unlink(missing_ok=True)
                self._ages.forget(path)

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._importances.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder.name, ignore_errors=True)
                self._folder = None


@cache
def find_store() -> Store:
    """The store of this process, one for all visitors."""
    return Store()


def make_key(**parts: Any) -> str:
    """Makes a key of everything that a measurement depends on: JSON values and dataclasses of them."""
    text = json.dumps(parts, sort_keys=True, default=asdict)
    return hashlib.sha256(text.encode()).hexdigest()
