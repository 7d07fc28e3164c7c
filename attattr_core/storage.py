"""Attributions as files: one versioned file, NPZ or JSON."""

import io
import json
import math
import operator
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from attattr_core.attribution import Attribution
from attattr_core.errors import UserError
from attattr_core.files.archives import Archive, opening_archive
from attattr_core.files.json_files import parse_json
from attattr_core.files.whole_files import write_whole
from attattr_core.settings import Settings

FORMAT, VERSION = "attattr-attribution", 2  # 1 lacked output_kind
MAX_BYTES = 512 << 20
MAX_JSON_BYTES = 256 << 20
RESULT = "result.npz"  # its name in a bundle (`attattr_core.bundle`)
_MAX_METADATA_BYTES = 16 << 20
_ARRAYS = {
    "attention": np.float32,
    "attribution": np.float32,
    "probabilities": np.float64,
    "baseline_output": np.float64,
    "convergence_delta": np.float64,
    "n_nodes": np.int64,
}
_PLAIN = [field.name for field in fields(Attribution) if field.name not in _ARRAYS]
_NOT_OURS = "is not a result file of this program, or it is damaged: save the attribution again"


def save_attribution(attribution: Attribution, path: str | Path) -> None:
    """Saves an attribution as one file, which `load_attribution` reads.

    Args:
        attribution: What to save.
        path: ``….npz`` (compact; arrays ``attribution`` and ``attention``, and ``metadata`` as a JSON text) or
            ``….json`` (the same content as text).

    Raises:
        UserError: When the suffix is neither.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".npz", ".json"):
        raise UserError(f"{str(path)!r} ends in {suffix!r}: save an attribution as .npz or .json.")
    content = dump_npz(attribution) if suffix == ".npz" else dump_json(attribution).encode()
    write_whole(path, content)


def dump_npz(attribution: Attribution) -> bytes:
    """The content of the ``.npz`` file."""
    arrays = {name: np.asarray(getattr(attribution, name), dtype) for name, dtype in _ARRAYS.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, metadata=json.dumps(_describe(attribution), ensure_ascii=True), **arrays)
    return buffer.getvalue()


def dump_json(attribution: Attribution) -> str:
    """The content of the ``.json`` file; numbers keep every digit of float32, what was not computed is null."""
    return json.dumps(list_content(attribution), ensure_ascii=False, allow_nan=False)


def list_content(attribution: Attribution, *, maps: bool = True) -> dict[str, Any]:
    """Lists what the ``.json`` file holds, as plain values; ``attention`` and ``attribution`` only with the maps."""
    names = [name for name in _ARRAYS if maps or name not in ("attention", "attribution")]
    arrays = {name: to_lists(np.asarray(getattr(attribution, name), _ARRAYS[name])) for name in names}
    return {**_describe(attribution), **arrays}


def load_attribution(path: str | Path) -> Attribution:
    """Loads a file that `save_attribution` wrote, or the result in a bundle; the file is not trusted.

    Raises:
        UserError: When the file is missing, too large, damaged, of a later version or something else.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
            limit = MAX_BYTES if is_zip else MAX_JSON_BYTES
            if file.seek(0, io.SEEK_END) > limit:
                raise UserError(f"This file is larger than {limit >> 20} MiB, which is more than is read here.")
            file.seek(0)
            content = _read_zip(file) if is_zip else parse_json(file.read())
        return _assemble(content)
    except UserError as error:
        raise UserError(str(error).replace("This file", repr(path.name))) from error
    except FileNotFoundError as error:
        raise UserError(f"There is no file {str(path)!r}.") from error
    except Exception as error:  # zipfile, zlib, json and NumPy raise a dozen kinds for a damaged file
        raise UserError(f"{path.name!r} {_NOT_OURS}.") from error


def _describe(attribution: Attribution) -> dict[str, Any]:
    described = {name: getattr(attribution, name) for name in _PLAIN}
    described["output"] = attribution.output if math.isfinite(attribution.output) else None
    described["settings"] = attribution.settings.as_dict()
    return {"format": FORMAT, "version": VERSION, **described}


def _assemble(content: Any) -> Attribution:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"This file {_NOT_OURS}.")
    if content["version"] not in range(1, VERSION + 1):
        raise UserError(
            f"This file has version {repr(content['version'])[:80]}, but this program reads up to {VERSION}: update it."
        )
    if content["version"] == 1:
        content = {**content, "output_kind": "sigmoid" if len(content["labels"]) == 1 else "softmax"}
    arrays = {name: np.asarray(fill_gaps(content[name]), dtype) for name, dtype in _ARRAYS.items()}
    plain = {name: content[name] for name in _PLAIN if name not in ("settings", "output")}
    for name in ("tokens", "word_labels", "texts", "labels"):
        plain[name] = tuple(clean_text(part) for part in plain[name])
    for name in ("sentences", "words"):
        plain[name] = tuple(int(part) for part in plain[name])
    for name in ("model", "revision", "notice", "output_kind"):
        plain[name] = clean_text(plain[name])
    output = math.nan if content["output"] is None else float(content["output"])
    plain["target"] = operator.index(plain["target"])
    return Attribution(**plain, **arrays, output=output, settings=Settings(**content["settings"]))


def guard_cell(text: str) -> str:
    """Makes a cell of a table one that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def clean_text(value: Any) -> str:
    """Turns a value of a file into text that can be written again: lone surrogates become question marks."""
    return str(value).encode(errors="replace").decode()


def fill_gaps(values: Any) -> Any:
    """Turns null into NaN, at any depth."""
    if isinstance(values, list):
        return [fill_gaps(value) for value in values]
    return math.nan if values is None else values


def to_lists(array: np.ndarray) -> list:
    """Turns an array into nested lists whose numbers are as short as float32 allows; NaN becomes null."""
    if array.dtype.kind == "i":
        return array.tolist()
    digits = "%.9g" if array.dtype == np.float32 else "%.17g"
    texts = np.char.mod(digits, array)

    def shorten(part: Any) -> Any:
        if isinstance(part, list):
            return [shorten(value) for value in part]
        number = float(part)
        return number if math.isfinite(number) else None

    return shorten(texts.tolist())


def _read_zip(file: BinaryIO) -> dict[str, Any]:
    with opening_archive(file, max_bytes=MAX_BYTES) as archive:
        if RESULT not in archive.names:
            return _read_npz(archive)
        inside = io.BytesIO(archive.read(RESULT, max_bytes=MAX_BYTES))
    with opening_archive(inside, max_bytes=MAX_BYTES) as archive:
        return _read_npz(archive)


def _read_npz(archive: Archive) -> dict[str, Any]:
    """Reads the arrays by hand: sizes are checked before anything is allocated, and nothing is unpickled."""
    names = {name: f"{name}.npy" for name in (*_ARRAYS, "metadata")}
    if archive.names != set(names.values()) or archive.size(names["metadata"]) > _MAX_METADATA_BYTES:
        raise UserError(f"This file {_NOT_OURS}.")
    arrays = {name: _read_array(archive, member, _ARRAYS.get(name)) for name, member in names.items()}
    metadata = json.loads(str(arrays.pop("metadata")))
    if not isinstance(metadata, dict):
        raise UserError(f"This file {_NOT_OURS}.")
    return {**metadata, **arrays}


def _read_array(archive: Archive, name: str, expected: type | None) -> np.ndarray:
    """Reads an array of the expected type, or a text when it is None."""
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(member)
        size = math.prod(shape) * dtype.itemsize
        fits = dtype.kind == "U" if expected is None else dtype == expected
        if not fits or fortran or size > archive.size(name):
            raise UserError(f"This file {_NOT_OURS}.")
        return np.frombuffer(member.read(size), dtype).reshape(shape)
