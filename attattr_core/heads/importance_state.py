"""What a measurement of head importance has done so far: a stopped or killed job goes on from there."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.files.work_files import WorkFile
from attattr_core.heads.golds import Golds
from attattr_core.heads.results import HeadImportance

KIND = "attattr-importance-state"


class State:
    """Contributions of the examples that are done, kept in a file where one is given.

    Attributes:
        contributions: By index of the example, each (K, L, H), float64.
        onednn: Which matrix product the work began with (see `attattr_core.engine.products`).
        total: Their sum, (K, L, H); 0 while there are none. Of all examples it is taken in their order, and before that
            in the order in which they came, so that it costs each example only what it holds.
    """

    def __init__(self, path: Path | None, key: dict[str, Any], n_examples: int, *, onednn: bool) -> None:
        """Reads the file where there is one.

        Args:
            path: The file; None keeps everything in memory.
            key: What the work is: a file that holds another key is refused.
            n_examples: Examples in all.
            onednn: Which matrix product work that begins takes.

        Raises:
            UserError: When the file is damaged, belongs to other work, or lies in no folder.
        """
        self.n_examples, self.onednn = n_examples, onednn
        self.contributions: dict[int, np.ndarray] = {}
        self.total: np.ndarray | float = 0.0
        self._file = WorkFile(path, KIND, key)
        self._file.load(self._take)

    def add(self, indices: list[int], contributions: np.ndarray) -> list[int]:
        """Adds examples, (B, K, L, H); the file follows now or, when it was just written, a little later.

        Returns:
            Those that were not there.
        """
        new = {i: own for i, own in zip(indices, contributions, strict=True) if i not in self.contributions}
        self.contributions.update(new)
        self.total = sum(new.values(), self.total)
        if len(self.contributions) == self.n_examples:
            self.total = self._sum_in_order()
        self._file.save(self._dump)
        return list(new)

    def flush(self) -> None:
        """Writes what the file does not have yet."""
        self._file.flush()

    def _stack(self) -> np.ndarray:
        """Stacks what is done in the order of the examples, (n_done, K, L, H)."""
        return np.stack([self.contributions[index] for index in sorted(self.contributions)])

    def _sum_in_order(self) -> np.ndarray:
        return self._stack().sum(axis=0)  # over the first axis NumPy adds in order

    def _dump(self) -> dict[str, Any]:
        values = self._stack()
        return {
            "onednn": self.onednn,
            "done": sorted(self.contributions),
            "shape": values.shape[1:],
            "values": base64.b64encode(values.astype("<f8").tobytes()).decode(),
        }

    def _take(self, content: dict[str, Any]) -> None:
        done, shape = content["done"], content["shape"]
        values = np.frombuffer(base64.b64decode(content["values"], validate=True), "<f8").astype(np.float64)
        is_right = (
            done == sorted(set(done))
            and all(type(index) is int and 0 <= index < self.n_examples for index in done)
            and len(shape) == 3
            and all(type(size) is int and size > 0 for size in shape)
            and type(content["onednn"]) is bool
            and np.isfinite(values).all()
        )
        if not is_right:
            raise ValueError("out of range")
        self.contributions = dict(zip(done, values.reshape(len(done), *shape), strict=True))
        self.onednn = content["onednn"]
        if done:
            self.total = self._sum_in_order()


def build_key(
    checkpoint: Checkpoint,
    described: HeadImportance,
    texts: list[tuple[str, str | None]],
    golds: Golds,
    device_type: str,
) -> dict[str, Any]:
    """Everything that the result depends on, as JSON would give it back."""
    answers = list(zip(texts, golds.targets.tolist(), golds.signs.tolist(), golds.values.tolist(), strict=True))
    key = {
        "method": described.method,
        "model": checkpoint.identify_weights(),
        "data": hashlib.sha256(json.dumps(answers).encode()).hexdigest(),
        "n_examples": described.n_examples,
        "seed": described.seed,
        "settings": described.settings.as_dict() if described.settings else None,
        "versions": described.versions,
        "device": device_type,
        "type": str(checkpoint.model.dtype),
    }
    return json.loads(json.dumps(key))
