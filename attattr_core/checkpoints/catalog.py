"""Which checkpoints there are and what their configurations say, without loading weights (or torch)."""

import json
from pathlib import Path
from typing import Any

from attattr_core.errors import UserError
from attattr_core.storage import clean_text

EMBEDDED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "checkpoints"
EMBEDDED = {"sst2": "sentiment of a sentence", "snli": "entailment between two sentences"}
_MAX_CONFIG_BYTES = 1 << 20


def find_folder(name: str) -> Path:
    """Finds the folder of an embedded checkpoint; any other name is a folder itself."""
    return EMBEDDED_FOLDER / name if name in EMBEDDED else Path(name)


def read_labels(name_or_folder: str | Path) -> tuple[str, ...]:
    """Reads the label names of an embedded checkpoint or a folder without loading weights, by class index.

    Raises:
        UserError: When its ``config.json`` is missing or damaged, or names the classes wrongly.
    """
    return check_labels(read_json(find_folder(str(name_or_folder)) / "config.json").get("id2label"))


def check_labels(names: Any) -> tuple[str, ...]:
    """Orders the ``id2label`` of a configuration by class index.

    Raises:
        UserError: When it does not name the classes 0, 1, 2 … each by a name of its own.
    """
    pairs = {str(index): name for index, name in names.items()} if isinstance(names, dict) else {}
    # numbers are what training on a table of numbers leaves behind
    pairs = {index: str(name) if type(name) is int else name for index, name in pairs.items()}
    indices = [str(index) for index in range(len(pairs))]
    labels = tuple(clean_text(pairs[index]) for index in indices if isinstance(pairs.get(index), str))
    if not labels or len(set(labels)) < len(indices):
        shown = clean_text(names)[:80]
        raise UserError(f"The label names {shown} do not name classes from 0 on, each differently: mend config.json.")
    return labels


def read_json(path: Path, *, max_bytes: int = _MAX_CONFIG_BYTES) -> dict[str, Any]:
    """Reads a configuration file, which is not trusted.

    Raises:
        UserError: When it is missing, longer than ``max_bytes`` (1 MiB), or not a JSON object.
    """
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(max_bytes))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path.parent.name}/{path.name} is missing or is not JSON: is this a checkpoint?") from error
    if not isinstance(content, dict):
        raise UserError(f"{path.parent.name}/{path.name} is not a JSON object: is this a checkpoint?")
    return content
