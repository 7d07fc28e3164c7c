"""Head importance as a JSON file: this program's own, and the authors' plain lists of numbers."""

import hashlib
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from attattr_core.errors import UserError
from attattr_core.files.json_files import read_count, reading_json
from attattr_core.files.whole_files import write_whole
from attattr_core.heads.results import LARGEST, METHODS, HeadImportance
from attattr_core.settings import Settings
from attattr_core.storage import clean_text

FORMAT, VERSION = "attattr-head-importance", 1
_MAX_BYTES = 4 << 20  # a hundred thousand heads; parsed, it may take fifty times as much
_MAX_TEXT = 500
_PROVENANCE = ("method", "revision", "data_sha256", "n_examples", "seed", "settings")


def dump_importance(importance: HeadImportance) -> str:
    """Writes an importance as JSON: ``head_importance``, H numbers for each layer, and where they come from."""
    n_layers, n_heads = importance.values.shape
    content = {
        "format": FORMAT,
        "version": VERSION,
        **{name: getattr(importance, name) for name in ("method", "model", "revision", "data", "data_sha256")},
        "n_examples": importance.n_examples,
        "n_cut": importance.n_cut,
        "seed": importance.seed,
        "settings": importance.settings.as_dict() if importance.settings else None,
        "versions": importance.versions or {},
        "n_layers": n_layers,
        "n_heads": n_heads,
        "head_importance": importance.values.astype(np.float64).tolist(),
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def save_importance(importance: HeadImportance, path: str | Path) -> None:
    """Saves an importance, which `load_importance` reads bit for bit as it was.

    Raises:
        UserError: When the file's name does not end in .json, or it cannot be written.
    """
    if Path(path).suffix.lower() != ".json":
        raise UserError(f"{str(path)!r} ends in {Path(path).suffix!r}: save an importance as .json.")
    write_whole(path, dump_importance(importance))


def load_importance(path: str | Path, *, shape: tuple[int, int] | None = None) -> HeadImportance:
    """Loads a file of `save_importance`, or a list of the authors' scripts; the file is not trusted.

    Args:
        path: The file. The authors write the importance by attribution as one flat list, a layer after the other, and
            Taylor's as one list a layer; they are taken for that.
        shape: Layers and heads of the checkpoint, (L, H). A flat list does not say them.

    Returns:
        The importance. Of an authors' list only the numbers and the method are known.

    Raises:
        UserError: When the file is missing, too large, damaged or something else, of a later version or of another
            shape than the checkpoint's, or a flat list without one.
    """
    path = Path(path)
    complaint = "holds no head importance, of this program or of the authors' scripts, or it is damaged"
    with reading_json(path, max_bytes=_MAX_BYTES, complaint=complaint) as content:
        found = _read_ours(content) if isinstance(content, dict) else _read_authors(content, shape)
    if shape is not None and found.values.shape != tuple(shape):
        theirs, own = ("{} layers of {} heads".format(*size) for size in (found.values.shape, shape))
        raise UserError(f"{path.name!r} is about {theirs}, but the model has {own}: choose the file of this model.")
    return found


def is_same_work(one: HeadImportance, other: HeadImportance) -> bool:
    """Whether two importances say that they were measured in the same way on the same data and the same weights."""
    return bool(one.revision) and all(getattr(one, name) == getattr(other, name) for name in _PROVENANCE)


def find_saved(path: str | Path, described: HeadImportance) -> HeadImportance | None:
    """Finds whether a file already holds what is to be measured.

    Args:
        path: The file, which need not be there.
        described: What is wanted, from `attattr_core.heads.importance.describe_importance`.

    Returns:
        The file's importance, or None when it is not there, is no such file, or holds other work.
    """
    try:
        found = load_importance(path)
    except UserError:
        return None
    return found if is_same_work(found, described) else None


def name_file(described: HeadImportance) -> str:
    """Makes a file name for a folder of saved importances: the same for the same work, and for no other."""
    plain = asdict(replace(described, values=None))
    plain["settings"] = described.settings and described.settings.as_dict()
    content = json.dumps([plain[name] for name in _PROVENANCE])
    return f"importance-{described.method}-{hashlib.sha256(content.encode()).hexdigest()[:16]}.json"


def _read_ours(content: dict[str, Any]) -> HeadImportance:
    if content.get("format") != FORMAT and set(content) != {"head_importance"}:
        raise ValueError("another format")
    if content.get("version", VERSION) != VERSION:
        raise UserError(
            f"This file has version {repr(content['version'])[:80]}, but this program reads up to {VERSION}: update it."
        )
    values = _read_rows(content["head_importance"])
    if set(content) == {"head_importance"}:
        return HeadImportance(values, method=METHODS[0])
    seed, settings, method = content["seed"], content["settings"], content["method"]
    n_examples, n_cut = (read_count(content.get(name, 0)) for name in ("n_examples", "n_cut"))
    is_right = (
        method in METHODS
        and "n_examples" in content
        and 0 <= n_cut <= n_examples
        and (seed is None or read_count(seed) >= 0)
        and values.shape == (content["n_layers"], content["n_heads"])
    )
    if not is_right:
        raise ValueError("out of range")
    texts = {name: _read_text(content[name]) for name in ("model", "revision", "data", "data_sha256")}
    return HeadImportance(
        values,
        method,
        **texts,
        n_examples=n_examples,
        n_cut=n_cut,
        seed=seed,
        settings=None if settings is None else Settings(**settings),
        versions={_read_text(name): _read_text(version) for name, version in content["versions"].items()},
    )


def _read_authors(content: list[Any], shape: tuple[int, int] | None) -> HeadImportance:
    if content and isinstance(content[0], list):
        return HeadImportance(_read_rows(content), method="taylor-authors")
    values = _read_rows([content])[0]
    if shape is None:
        raise UserError(
            f"This file is a plain list of {len(values)} numbers, which does not say of how many layers and heads: "
            "choose the model first."
        )
    if len(values) != math.prod(shape):
        raise UserError(
            f"This file is a list of {len(values)} numbers, but the model has {shape[0]} layers of {shape[1]} heads: "
            "choose the file of this model."
        )
    return HeadImportance(values.reshape(shape), method="attattr", settings=Settings(rule="left", n_steps=20))


def _read_rows(rows: Any) -> np.ndarray:
    if not rows or not rows[0] or not all(type(value) in (int, float) for row in rows for value in row):
        raise ValueError("not lists of numbers")
    values = np.array(rows, np.float64)
    if values.ndim != 2 or not np.all(np.abs(values) < LARGEST):
        raise ValueError("not as many finite numbers in every layer")
    return values


def _read_text(value: Any) -> str:
    return clean_text(value)[:_MAX_TEXT]
