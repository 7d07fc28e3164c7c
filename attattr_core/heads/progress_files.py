"""What a long measurement has done so far, as a file: predictions under each mask, and what they belong to."""

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from attattr_core.encoding import Encoded
from attattr_core.errors import UserError


def find_fingerprint(name: str, revision: str, encoded: Sequence[Encoded], gold: np.ndarray, masks: np.ndarray) -> str:
    """Finds the digest of all that predictions depend on.

    Raises:
        UserError: When the checkpoint's weights have no name by which they could be told from others.
    """
    if not revision:
        raise UserError(f"The weights of {name[:80]!r} have no revision, so their predictions are not kept in a file.")
    digest = hashlib.sha256(json.dumps([revision, [example.inputs for example in encoded]]).encode())
    for array in (gold, masks):
        digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def save_predictions(path: str | Path, fingerprint: str, predicted: np.ndarray) -> None:
    """Saves predictions, (M, N) with NaN where there are none; the file is whole at any time."""
    path = Path(path)
    draft = path.with_name(f"{path.name}.part")
    with draft.open("wb") as file:
        np.savez_compressed(file, fingerprint=fingerprint, predicted=predicted)
    os.replace(draft, path)


def load_predictions(path: str | Path, fingerprint: str, empty: np.ndarray) -> np.ndarray:
    """Loads predictions that `save_predictions` wrote.

    Args:
        path: The file, which need not be there.
        fingerprint: What they have to belong to.
        empty: Those of a start, (M, N).

    Returns:
        What the file holds, or ``empty`` where there is no file.

    Raises:
        UserError: When the file belongs to something else, or is no such file.
    """
    path = Path(path)
    if not path.exists():
        return empty
    try:
        with np.load(path, allow_pickle=False) as file:
            found, predicted = str(file["fingerprint"]), file["predicted"]
        if predicted.shape != empty.shape or predicted.dtype != empty.dtype:
            found = ""
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path.name!r} does not hold a measurement to go on with: delete it or name another."
        ) from error
    if found != fingerprint:
        raise UserError(
            f"{path.name!r} belongs to another model, data, importances or options: delete it or name another."
        )
    return predicted
