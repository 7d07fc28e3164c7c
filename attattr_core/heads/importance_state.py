"""What a measurement of head importance has done so far, as a file: a stopped or killed job goes on from there."""

import base64
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from attattr_core.checkpoints import Checkpoint
from attattr_core.errors import UserError
from attattr_core.heads.golds import Golds
from attattr_core.heads.results import HeadImportance
from attattr_core.whole_files import replacing

FORMAT, VERSION = "attattr-importance-state", 1
_MAX_BYTES = 1 << 30


class State:
    """Contributions of the examples that are done, kept in a file where one is given.

    Attributes:
        contributions: By index of the example, each (K, L, H), float64.
        onednn: Which matrix product the work began with (see `attattr_core.products`).
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
        self.path, self.key, self.n_examples, self.onednn = path, key, n_examples, onednn
        self.contributions: dict[int, np.ndarray] = {}
        if path is None:
            return
        if path.exists():
            self._read(path)
        elif not path.absolute().parent.is_dir():
            raise UserError(f"There is no folder {str(path.parent)!r} to keep the work in: make it first.")

    def add(self, indices: list[int], contributions: np.ndarray) -> None:
        """Adds examples, (B, K, L, H), and writes the file anew: it is always whole, the old one or the new one."""
        self.contributions.update(zip(indices, contributions, strict=True))
        if self.path is None:
            return
        with replacing(self.path) as file:
            file.write(self._dump().encode())

    def stack(self) -> np.ndarray:
        """Stacks what is done in the order of the examples, (n_done, K, L, H)."""
        return np.stack([self.contributions[index] for index in sorted(self.contributions)])

    def _dump(self) -> str:
        values = self.stack()
        content = {
            "format": FORMAT,
            "version": VERSION,
            "key": self.key,
            "onednn": self.onednn,
            "done": sorted(self.contributions),
            "shape": values.shape[1:],
            "values": base64.b64encode(values.astype("<f8").tobytes()).decode(),
        }
        return json.dumps(content, allow_nan=False) + "\n"

    def _read(self, path: Path) -> None:
        """Takes the file's content over; it is not trusted."""
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError("too large")
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT or content["version"] != VERSION:
                raise ValueError("another format")
            key = dict(content["key"])
        except Exception as error:  # json, and whatever wrong types of a damaged file raise
            raise self._complain(path) from error
        differing = [name for name in self.key if key.get(name) != self.key[name]]
        if differing:
            name = differing[0]
            raise UserError(
                f"{path.name!r} keeps other work than this ({name}: {str(key.get(name))[:60]}, not "
                f"{str(self.key[name])[:60]}): delete it to start anew, or choose another file."
            )
        try:
            self._take(content)
        except Exception as error:
            raise self._complain(path) from error

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

    @staticmethod
    def _complain(path: Path) -> UserError:
        return UserError(f"{path.name!r} keeps no work of this program, or it is damaged: delete it to start anew.")


def build_key(
    checkpoint: Checkpoint, described: HeadImportance, texts: list[tuple[str, str | None]], golds: Golds
) -> dict[str, Any]:
    """Everything that the result depends on, as JSON would give it back."""
    answers = list(zip(texts, golds.targets.tolist(), golds.signs.tolist(), golds.values.tolist(), strict=True))
    key = {
        "method": described.method,
        "model": checkpoint.revision or _digest_weights(checkpoint),
        "data": hashlib.sha256(json.dumps(answers).encode()).hexdigest(),
        "n_examples": described.n_examples,
        "seed": described.seed,
        "settings": asdict(described.settings) if described.settings else None,
        "versions": described.versions,
        "device": checkpoint.device.type,
        "type": str(checkpoint.model.dtype),
    }
    return json.loads(json.dumps(key))


def _digest_weights(checkpoint: Checkpoint) -> str:
    """The SHA-256 of the weights of a model that came without a revision."""
    digest = hashlib.sha256()
    for name, tensor in sorted(checkpoint.model.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
