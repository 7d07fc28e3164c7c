"""What a mining job has done so far, as a file: a stopped or killed job goes on from there."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attattr_core.errors import UserError
from attattr_core.whole_files import replacing

FORMAT, VERSION = "attattr-mining-state", 1
_MAX_BYTES = 1 << 30


class MiningState:
    """What the examples that are done gave, kept in a file where one is given.

    Attributes:
        done: By index of the example.
        onednn: Which matrix product the work began with (see `attattr_core.products`).
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
        self.path, self.key, self.onednn = path, key, onednn
        self.done: dict[int, Any] = {}
        self._entries: dict[str, Mapping[str, Any]] = {}
        if path is None:
            return
        if path.exists():
            self._read(path, read)
        elif not path.absolute().parent.is_dir():
            raise UserError(f"There is no folder {str(path.parent)!r} to keep the work in: make it first.")

    def add(self, results: Mapping[int, Any], write: Callable[[Any], dict[str, Any]]) -> None:
        """Adds examples and writes the file anew: it is always whole, the old one or the new one."""
        self.done.update(results)
        if self.path is None:
            return
        self._entries.update((str(index), write(result)) for index, result in results.items())
        content = {"format": FORMAT, "version": VERSION, "key": self.key, "onednn": self.onednn, "done": self._entries}
        with replacing(self.path) as file:
            file.write(json.dumps(content, ensure_ascii=False, allow_nan=False).encode())

    def _read(self, path: Path, read: Callable[[Mapping[str, Any]], Any]) -> None:
        """Takes the file's content over; it is not trusted."""
        damaged = f"{path.name!r} does not keep work of this program, or it is damaged: delete it to start anew."
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError("too large")
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT or content["version"] != VERSION or type(content["onednn"]) is not bool:
                raise ValueError("another format")
            key, entries = dict(content["key"]), dict(content["done"])
            done = {int(index): read(entry) for index, entry in entries.items()}
        except Exception as error:  # json, and whatever wrong types of a damaged file raise
            raise UserError(damaged) from error
        differing = [name for name in self.key if key.get(name) != self.key[name]]
        if differing:
            name = differing[0]
            raise UserError(
                f"{path.name!r} keeps other work than this ({name}: {str(key.get(name))[:60]}, not "
                f"{str(self.key[name])[:60]}): delete it to start anew, or choose another file."
            )
        self.done, self._entries, self.onednn = done, entries, content["onednn"]
