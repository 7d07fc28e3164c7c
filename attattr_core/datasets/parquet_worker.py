"""Reads parquet files in a process of its own, which may crash or be killed without harm.

What a parquet file says of its sizes is not true until it has been decompressed, and the libraries that do that are
written in C++. This file is run by `attattr_core.datasets.parquet` as a script: it imports nothing of the project. It
speaks JSON, one value a line: it gets the files and limits, tells the columns, gets the names of those that are
wanted, and tells their rows.
"""

import json
import sys
from contextlib import suppress
from typing import Any

_N_ROWS = 512  # a batch
_N_CHARACTERS = 1 << 20  # about those of one answer
_MAX_STRING, _MAX_ENTRIES, _MAX_DEPTH = 8 << 20, 100_000, 64  # of the metadata


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.readline())
    sys.path[:] = request["path"]
    try:
        import pyarrow
        import pyarrow.parquet as parquet

        _limit(request["max_memory"], request["max_seconds"])
        files = [
            parquet.ParquetFile(
                path,
                pre_buffer=False,
                thrift_string_size_limit=_MAX_STRING,
                thrift_container_size_limit=_MAX_ENTRIES,
                schema_depth_limit=_MAX_DEPTH,
                arrow_extensions_enabled=False,
            )
            for path in request["files"]
        ]
        _tell(_describe(files, pyarrow))
        names = json.loads(sys.stdin.readline())
        for file in files:
            for batch in file.iter_batches(batch_size=_N_ROWS, columns=list(dict.fromkeys(names)), use_threads=False):
                columns = [_list(batch.column(name), request["max_cell"]) for name in names]
                _tell_rows(list(zip(*columns, strict=True)))
        _tell({"done": True})
    except MemoryError:
        _tell({"error": "it needs more memory than is allowed"})
    except Exception as error:
        _tell({"error": str(error).split("\n")[0][:200] or type(error).__name__})


def _limit(max_memory: int, max_seconds: int) -> None:
    """Takes effect where the system has such limits."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (max_seconds, max_seconds))
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + max_memory, taken + max_memory))


def _describe(files: list[Any], pyarrow: Any) -> dict[str, Any]:
    schema = files[0].schema_arrow
    for file in files[1:]:
        if file.schema_arrow.names != schema.names:
            raise ValueError("its files have different columns")
    metadata = (schema.metadata or {}).get(b"huggingface", b"")
    return {
        "columns": [[field.name[:200], _name_kind(field.type, pyarrow.types)] for field in schema],
        "metadata": metadata.decode("utf-8", "replace")[: 1 << 20],
        "n_rows": sum(file.metadata.num_rows for file in files),
    }


def _name_kind(kind: Any, types: Any) -> str:
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_boolean(kind):
        return "flag"
    if types.is_integer(kind):
        return "whole"
    return "number" if types.is_floating(kind) else str(kind)[:80]


def _list(column: Any, max_cell: int) -> list[str]:
    return [_write(value, max_cell) for value in column.to_pylist()]


def _write(value: Any, max_cell: int) -> str:
    """Writes a value as a table would; floats as short as float32 is exact."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.7g}" if isinstance(value, float) else str(value)[: max_cell + 1]


def _tell_rows(rows: list[tuple[str, ...]]) -> None:
    """Tells rows together, as long as they are not too long for one line."""
    start = n_characters = 0
    for end, row in enumerate(rows, start=1):
        n_characters += sum(map(len, row))
        if n_characters > _N_CHARACTERS or end == len(rows):
            _tell(rows[start:end])
            start, n_characters = end, 0


def _tell(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
