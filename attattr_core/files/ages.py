"""How old files are, by a clock that does not jump."""

import os
import time
from pathlib import Path


class Ages:
    """For how long files have been as they are, since each was first looked at.

    What a file says of itself is the time of day then, and that may have been set since: a file would seem days old, or
    never age.
    """

    def __init__(self) -> None:
        """Knows no file."""
        self._known: dict[str, tuple[tuple[int, ...], float]] = {}

    def measure(self, path: str | Path) -> float:
        """Measures the age of a file in seconds, 0 at the first look and after each change.

        Raises:
            FileNotFoundError: When it is gone; it is forgotten then.
        """
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            self._known.pop(str(path), None)
            raise
        state, now = (status.st_ino, status.st_size, status.st_mtime_ns), time.monotonic()
        known = self._known.get(str(path))
        if known is None or known[0] != state:
            known = self._known[str(path)] = state, now
        return now - known[1]

    def forget(self, path: str | Path) -> None:
        """Forgets a file that is removed."""
        self._known.pop(str(path), None)
