"""What programs send: fields of the wrong type, checkpoints that are not here, data in one of four ways."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypedDict, get_args, get_origin, get_type_hints

from gradio_client.utils import is_file_obj_with_meta

from attattr_core.datasets import EMBEDDED_SETS, ExampleSet
from attattr_core.datasets.hub_reading import find_split, read_split
from attattr_core.datasets.labelling import label_table
from attattr_core.datasets.opening import HUB_PREFIX
from attattr_core.datasets.reading import read_objects
from attattr_core.datasets.tables import Table
from attattr_core.errors import UserError
from attattr_core.hub import find_snapshot
from attattr_core.settings import Settings
from attattr_core.storage import clean_text
from attattr_core.ui.data_choice import DataChoice, open_choice, suggest_set
from attattr_core.ui.models import Choice, Models
from attattr_core.ui.running import MAX_STEPS
from attattr_core.ui.shortages import describe_full_disk

#: The convention of an attribution: the fields of `attattr_core.settings.Settings`, all optional.
Convention = TypedDict("Convention", get_type_hints(Settings), total=False)
#: Labelled rows, or a name.
Data = str | list[dict[str, Any]] | None
#: What gradio_client's ``handle_file`` makes of a file: what `gradio.FileData` holds.
Upload = dict[str, Any] | None

_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    NoneType: "null",
}


def clean_value(name: str, value: Any) -> Any:
    """Replaces halves of characters in a value that came as JSON, at any depth: no answer can hold them.

    Raises:
        UserError: When it is nested too deeply.
    """
    try:
        return json.loads(clean_text(json.dumps(value, ensure_ascii=False)))
    except RecursionError as error:
        raise UserError(f"{name} is nested too deeply: give plain texts, lists and objects.") from error


def check_field(name: str, value: Any, hint: Any) -> None:
    """Checks the type of a value that came as JSON; what is in a list or an object is for its reader.

    Raises:
        UserError: When it is another one.
    """
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    choices = [choice for part in parts if get_origin(part) is Literal for choice in get_args(part)]
    kinds = [kind for kind in map(_find_kind, parts) if kind is not None]
    is_right = type(value) in kinds or (float in kinds and type(value) is int) or (choices and value in choices)
    if list in kinds and type(value) is list and any(type(entry) is not dict for entry in value):
        raise UserError(f"An entry of {name} is no object: give a list of objects.")
    if not is_right:
        wanted = [", ".join(map(str, choices))] * bool(choices) + [_KINDS[kind] for kind in kinds]
        raise UserError(f"{name} is {repr(value)[:80]}: give {' or '.join(wanted)}.")


def _find_kind(hint: Any) -> type | None:
    kind = get_origin(hint) or hint
    if kind is Literal:
        return None
    return kind if kind in _KINDS else dict  # a typed object


def find_loaded(models: Models, model: str) -> Choice:
    """Finds a checkpoint whose files are here, so that no download holds up other people's work.

    Raises:
        UserError: When there is none, it may not be used, or it has to be downloaded first.
    """
    choice = models.find(model)
    if not choice.is_here:
        raise UserError(f"{choice.description.name!r} is not downloaded yet: call load first.")
    return choice


def read_convention(settings: Convention | None) -> Settings:
    """Reads a convention.

    Raises:
        UserError: For unknown names, and values out of range.
    """
    given, known = settings or {}, get_type_hints(Settings)
    unknown = [name for name in given if name not in known]
    if unknown:
        raise UserError(f"Unknown setting {unknown[0][:80]!r}: choose among {', '.join(known)}.")
    read = Settings(**given)
    if read.n_steps is not None and read.n_steps > MAX_STEPS:
        raise UserError(f"The number of nodes is {read.n_steps}: choose a whole number from 1 to {MAX_STEPS} here.")
    return read


def read_data(models: Models, choice: Choice, data: Data, file: Upload) -> ExampleSet:
    """Reads labelled data within the server's limits.

    Args:
        models: What the server offers.
        choice: The checkpoint whose classes the labels name.
        data: Rows, an embedded set or ``hub:…``; None for the embedded set that fits the checkpoint.
        file: An upload.

    Raises:
        UserError: When they cannot be read, do not fit the checkpoint, or both are given.
    """
    if data is not None and file is not None:
        raise UserError("Both data and file are given: leave one out.")
    table = _open_file(models, file) if file is not None else _open_data(models, choice, data)
    return label_table(table, models.find_labels(choice, None))


@contextmanager
def as_file(content: Any, name: str) -> Iterator[Path]:
    """Writes a value that a program sent to a file, for the readers of files, which trust none.

    Raises:
        UserError: When there is no room for it.
    """
    with ExitStack() as stack:
        try:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="attattr-api-"))) / name
            path.write_text(json.dumps(content), encoding="utf-8")
        except OSError as error:
            raise UserError(describe_full_disk(str(error.strerror))) from error
        yield path


def _open_data(models: Models, choice: Choice, data: Data) -> Table:
    if isinstance(data, list):
        return read_objects(data, models.data, name="data")
    name = suggest_set(models, choice) if data is None else data
    if name is None:
        raise UserError(f"There is no embedded set for {choice.description.name!r}: give data or file.")
    if name in EMBEDDED_SETS:
        return open_choice(DataChoice("embedded", name, limits=models.data))
    if not name.startswith(HUB_PREFIX):
        known = ", ".join(EMBEDDED_SETS)
        raise UserError(f"Unknown data {name[:80]!r}: give rows, one of {known}, hub:ID:CONFIG:SPLIT, or a file.")
    split = find_split(name.removeprefix(HUB_PREFIX), limits=models.data, hub_limits=models.limits)
    try:
        find_snapshot(split)
    except UserError as error:
        raise UserError(f"{split.title!r} is not downloaded yet: call load first.") from error
    return read_split(split, models.data)


def _open_file(models: Models, file: dict[str, Any]) -> Table:
    if not is_file_obj_with_meta(file):  # Gradio has looked at no other: a bare path may be any file of this machine
        raise UserError("file is no upload: send the file first, as gradio_client's handle_file does.")
    name = Path(file["path"]).name
    return open_choice(DataChoice("file", name, file["path"], limits=models.data))
