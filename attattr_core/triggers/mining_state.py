"""What a mining job has done so far: a stopped or killed job goes on from there."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attattr_core.files.work_files import WorkFile

KIND = "attattr-mining-state"


class MiningState:
    """What the examples that are done gave, kept in a file where one is given.

    Attributes:
        done: By index of the example.
        onednn: Which matrix product the work began with (see `attattr_core.engine.products`).
    """

    def __init__(
        self, path: Path | None, key: dict[str, Any], read: Callable[[Mapping[str, Any]], Any], *, onednn: bool
    ) -> None:
        """Reads the file where there is one.

        Args:
            path: The file; None keeps everything in memory.
            key: What the work is: a file that holds another key is refused.
            read: Makes what an example gave out of its entry, and raises when the entry is wrong.
            onednn: Which matrix product work that begins takes.

        Raises:
            UserError: When the file is damaged, belongs to other work, or lies in no folder.
        """
        self.onednn = onednn
        self.done: dict[int, Any] = {}
        self._entries: dict[str, Mapping[str, Any]] = {}
        self._read = read
        self._file = WorkFile(path, KIND, key)
        self._file.load(self._take)

    def add(self, results: Mapping[int, Any], write: Callable[[Any], dict[str, Any]]) -> None:
        """Adds examples; the file follows now or, when it was just written, a little later."""
        self.done.update(results)
        if self._file.path is not None:
            self._entries.update((str(index), write(result)) for index, result in results.items())
            self._file.save(lambda: {"onednn": self.onednn, "done": self._entries})

    def flush(self) -> None:
        """Writes what the file does not have yet."""
        self._file.flush()

    def _take(self, content: dict[str, Any]) -> None:
        if type(content["onednn"]) is not bool:
            raise ValueError("not a choice")
        entries = dict(content["done"])
        self.done = {int(index): self._read(entry) for index, entry in entries.items()}
        self._entries, self.onednn = entries, content["onednn"]
