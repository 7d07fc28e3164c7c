"""Parquet files, which are not trusted: a process of its own reads them, within limits (`parquet_worker`)."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import Any

from attattr_core.datasets.cards import check_class_names
from attattr_core.datasets.columns import Columns, find_columns
from attattr_core.datasets.examples import digest_file
from attattr_core.datasets.files import MAX_CELL
from attattr_core.datasets.limits import DataLimits
from attattr_core.datasets.tables import Table, TableRow, take_row
from attattr_core.errors import UserError

_WORKER = Path(__file__).with_name("parquet_worker.py")
_MAX_SECONDS = 120
_MEMORY = 1 << 29  # bytes beside twice the limit on data
_MAX_LINE = 32 << 20  # characters of one answer


def read_parquet(
    paths: Sequence[Path],
    name: str,
    limits: DataLimits,
    *,
    class_names: dict[str, tuple[str, ...]] | None = None,
    notice: str = "",
) -> Table:
    """Read the columns with texts and labels; more rows than the limit are left out, and said.

    Rows without a text or label are left out too: nobody can correct a parquet file by hand.

    Args:
        paths: Files with the same columns, in order.
        name: What they are called together.
        limits: Most rows, and most bytes of text.
        class_names: Class names by column, where the files have none themselves.
        notice: What a person should know already.

    Raises:
        UserError: When pyarrow is missing, or the files are damaged, nested, or too large.
    """
    if find_spec("pyarrow") is None:
        raise UserError(f"{name} is parquet, which needs pyarrow: install it with pip install pyarrow.")
    rows: list[TableRow] = []
    n_bytes = n_bad = number = 0
    with _start(paths, name, limits) as worker:
        described = worker.hear()
        columns, kinds = _choose_columns(described, name)
        indices, places = _place_taken(columns)
        worker.tell([described["columns"][index][0] for index in indices])
        for cells in worker.hear_rows():
            number += 1
            if number > limits.max_rows:
                break
            row = take_row(number, cells, places)
            n_bytes += sum(map(len, cells))
            if n_bytes > limits.max_bytes:
                raise UserError(
                    f"{name} has more than {limits.max_bytes:,} characters of text; choose a smaller part or raise "
                    "ATTATTR_MAX_DATA_BYTES."
                )
            if isinstance(row, TableRow):
                rows.append(row)
            else:
                n_bad += 1
    if not rows:
        raise UserError(f"{name} has no rows with a text and a label; choose another part of the data.")
    label = columns.names[columns.label]
    return Table(
        name=name,
        rows=tuple(rows),
        columns=columns.taken,
        holds_values=columns.holds_values or kinds[columns.label] == "number",
        has_kinds=columns.kind is not None,
        problems=(),
        n_corrupted=n_bad,
        sha256=_digest(paths),
        unit="row",
        class_names=_read_class_names(described, label) or (class_names or {}).get(label, ()),
        notice=" ".join(filter(None, (notice, *_tell_left_out(described, number, n_bad, limits)))),
    )


class _Worker:
    """The other process: what is told to it and heard from it."""

    def __init__(self, process: "subprocess.Popen[str]", name: str) -> None:
        self._process, self._name = process, name

    def tell(self, value: Any) -> None:
        with suppress(BrokenPipeError):  # its answer, or that there is none, says why
            self._process.stdin.write(json.dumps(value) + "\n")
            self._process.stdin.flush()

    def hear(self) -> Any:
        line = self._process.stdout.readline(_MAX_LINE)
        try:
            answer = json.loads(line)
        except ValueError:
            raise self._refuse("it is damaged, or needs more memory or time than is allowed") from None
        if isinstance(answer, dict) and "error" in answer:
            raise self._refuse(str(answer["error"]))
        return answer

    def hear_rows(self) -> Iterator[list[str]]:
        while isinstance(answer := self.hear(), list):
            yield from answer

    def _refuse(self, why: str) -> UserError:
        shown = "".join(letter if letter.isprintable() else " " for letter in why).strip().rstrip(".")
        return UserError(f"{self._name} cannot be read as parquet ({shown}); choose another file or part of the data.")


@contextmanager
def _start(paths: Sequence[Path], name: str, limits: DataLimits) -> Iterator[_Worker]:
    hidden = ("TOKEN", "SECRET", "PASSWORD", "AUTH", "KEY")
    environment = {key: value for key, value in os.environ.items() if not any(word in key.upper() for word in hidden)}
    process = subprocess.Popen(
        [sys.executable, "-I", str(_WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env=environment | {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"},
    )
    timer = Timer(_MAX_SECONDS, process.kill)
    timer.daemon = True
    timer.start()
    try:
        worker = _Worker(process, name)
        worker.tell(
            {
                "path": sys.path,
                "files": [str(path.absolute()) for path in paths],
                "max_memory": _MEMORY + 2 * limits.max_bytes,
                "max_seconds": _MAX_SECONDS,
                "max_cell": MAX_CELL,
            }
        )
        yield worker
    finally:
        timer.cancel()
        process.kill()
        with suppress(BrokenPipeError):
            process.communicate()


def _choose_columns(described: dict[str, Any], name: str) -> tuple[Columns, list[str]]:
    names, kinds = zip(*described["columns"], strict=True) if described["columns"] else ((), ())
    columns = find_columns(names, name, place="the columns")
    for index in (columns.text, columns.text_pair, columns.label):
        if index is None:
            continue
        allowed = ("text", "flag", "whole", "number") if index == columns.label else ("text",)
        if kinds[index] not in allowed:
            wanted = "one label" if index == columns.label else "text"
            raise UserError(
                f"The column {names[index]!r} of {name} holds {kinds[index]} in each row, not {wanted}; choose other "
                "data."
            )
    if columns.kind is not None and kinds[columns.kind] != "text":
        columns = Columns(columns.names, columns.text, columns.text_pair, columns.label)
    return columns, list(kinds)


def _place_taken(columns: Columns) -> tuple[list[int], Columns]:
    """The indices of the columns that are read, and where they stand when only those are left."""
    indices = [index for index in (columns.text, columns.text_pair, columns.label, columns.kind) if index is not None]
    n_texts = 1 if columns.text_pair is None else 2
    kind = None if columns.kind is None else n_texts + 1
    return indices, Columns(columns.taken, 0, None if n_texts == 1 else 1, n_texts, kind)


def _read_class_names(described: dict[str, Any], label: str) -> tuple[str, ...]:
    """Class names as the ``datasets`` library keeps them in a file's metadata."""
    with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        features = json.loads(described["metadata"])["info"]["features"]
        feature = next(value for key, value in features.items() if key.strip().lower() == label)
        return check_class_names(feature.get("names"))
    return ()


def _tell_left_out(described: dict[str, Any], number: int, n_bad: int, limits: DataLimits) -> Iterator[str]:
    if number > limits.max_rows:
        total = f" of {described['n_rows']:,}" if described["n_rows"] > limits.max_rows else ""
        yield f"Only the first {limits.max_rows:,}{total} rows are used."
    if n_bad:
        yield f"{n_bad:,} row{'s' * (n_bad > 1)} without a text or label {'are' if n_bad > 1 else 'is'} left out."


def _digest(paths: Sequence[Path]) -> str:
    """The digest of the file; of several, the digest of their digests."""
    digests = [digest_file(path) for path in paths]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
