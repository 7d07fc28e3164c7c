"""What a long measurement has predicted so far, as a file: a stopped or killed one goes on from there."""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from attattr_core.checkpoints.checkpoint import Checkpoint
from attattr_core.engine.encoding import Encoded
from attattr_core.errors import UserError
from attattr_core.files.whole_files import replacing


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions under each mask.

    Attributes:
        values: Classes or values, (M, N); NaN where there is none yet.
        onednn: Which matrix product they were begun with (see `attattr_core.engine.products`).
    """

    values: np.ndarray
    onednn: bool


def find_fingerprint(
    checkpoint: Checkpoint, encoded: Sequence[Encoded], gold: np.ndarray, masks: np.ndarray, device_type: str
) -> str:
    """Finds the digest of all that predictions depend on.

    Raises:
        UserError: When the checkpoint's weights have no name by which they could be told from others.
    """
    if not checkpoint.revision:
        raise UserError(
            f"The weights of {checkpoint.name[:80]!r} have no revision to know them by: measure without a state file."
        )
    versions = [version(name) for name in ("torch", "transformers")]
    place = [device_type, str(checkpoint.model.dtype)]
    facts = [checkpoint.revision, versions, place, [example.inputs for example in encoded]]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for array in (gold, masks):
        digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def save_predictions(path: str | Path, fingerprint: str, kept: Predictions) -> None:
    """Saves predictions; the file is always whole, the old one or the new one.

    Raises:
        UserError: When it cannot be written.
    """
    with replacing(Path(path)) as file:
        np.savez_compressed(file, fingerprint=fingerprint, onednn=kept.onednn, values=kept.values)


def load_predictions(path: str | Path, fingerprint: str, empty: Predictions) -> Predictions:
    """Loads predictions that `save_predictions` wrote; the file is not trusted.

    Args:
        path: The file, which need not be there.
        fingerprint: What they have to belong to.
        empty: Those of a start.

    Returns:
        What the file holds, or ``empty`` where there is no file.

    Raises:
        UserError: When the file belongs to something else, or is no such file.
    """
    path = Path(path)
    if not path.exists():
        return empty
    try:
        with zipfile.ZipFile(path) as archive:  # sizes first: a small file may unpack to a large one
            if max(info.file_size for info in archive.infolist()) > empty.values.nbytes + 4096:
                raise ValueError("another size")
        with np.load(path, allow_pickle=False) as file:
            found, kept = str(file["fingerprint"]), Predictions(file["values"], bool(file["onednn"]))
        is_right = kept.values.shape == empty.values.shape and kept.values.dtype == empty.values.dtype
    except Exception as error:  # zip, zlib, npy, and whatever wrong types of a damaged file raise
        raise UserError(f"{path.name!r} keeps no pruning work of these masks: delete it or choose another.") from error
    if not is_right or found != fingerprint:
        raise UserError(
            f"{path.name!r} keeps other work than this (model, data, importances or options): delete it to start "
            "anew, or choose another file."
        )
    return kept
