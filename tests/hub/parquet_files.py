"""Parquet files as the Hub has them, of sentences of the tests' own."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SENTENCES = ("a warm and funny film", "two hours of noise", "I liked all of it", "a dull mess")


def save(path: Path, columns: dict, *, names: tuple[str, ...] = (), **options) -> Path:
    """Writes columns, with class names of the label as the ``datasets`` library keeps them."""
    table = pa.table(columns)
    if names:
        features = {name: {"dtype": "string", "_type": "Value"} for name in columns}
        features["label"] = {"names": list(names), "_type": "ClassLabel"}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


def save_sentiment(path: Path, *, names: tuple[str, ...] = ("negative", "positive"), n: int = 4) -> Path:
    """Writes sentences like SST-2's, the even ones positive."""
    texts = [SENTENCES[row % 4] for row in range(n)]
    labels = [1 - row % 2 for row in range(n)]
    return save(path, {"idx": list(range(n)), "sentence": texts, "label": labels}, names=names)


def write_card(folder: Path, front: str) -> None:
    """Writes a README with front matter."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(f"---\n{front}\n---\n# A data set\n", encoding="utf-8")
