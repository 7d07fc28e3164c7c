"""What strangers' data may not do: fill the memory, run code, or read for ever; and who sets the limits."""

import csv
import gzip
import importlib.util
import json
import subprocess
import sys
import tracemalloc
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub.parquet_files import save, save_sentiment

from attattr_core.datasets import APP_LIMITS, DataLimits, open_data, preview, read_examples
from attattr_core.datasets import parquet as parquet_module
from attattr_core.datasets.cards import check_class_names
from attattr_core.datasets.files import MAX_ROW
from attattr_core.errors import UserError


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.tsv.gz"
    packer = zlib.compressobj(9, wbits=31)
    with path.open("wb") as file:
        file.write(packer.compress(b"sentence\tlabel\n"))
        for _ in range(100):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.flush())
    assert path.stat().st_size < 200_000
    with pytest.raises(UserError, match="larger than 1,000,000 bytes"):
        read_examples(path, max_bytes=10**6)
    with pytest.raises(UserError, match="larger than 1,000,000 bytes"):
        preview(path, limits=DataLimits(10, 10**6))


def test_many_members_of_a_gzip_file_count_together(tmp_path):
    path = tmp_path / "many.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a", "label": 1}\n') * 1000)
    with pytest.raises(UserError, match="larger than 1,000 bytes"):
        read_examples(path, max_bytes=1000)
    assert len(read_examples(path, labels=("a", "b"))) == 1000


def test_limits_come_from_the_environment(monkeypatch):
    monkeypatch.delenv("ATTATTR_MAX_ROWS", raising=False)
    monkeypatch.delenv("ATTATTR_MAX_DATA_BYTES", raising=False)
    assert DataLimits.from_environment() == DataLimits()
    assert DataLimits.from_environment(APP_LIMITS) == APP_LIMITS
    assert APP_LIMITS.max_rows < DataLimits().max_rows
    assert APP_LIMITS.max_bytes < DataLimits().max_bytes
    monkeypatch.setenv("ATTATTR_MAX_ROWS", "100")
    with pytest.raises(UserError, match=r"sst2\.tsv has more than 100 rows"):
        open_data("sst2")
    for value in ("0", "many", "-5", "1e6"):
        monkeypatch.setenv("ATTATTR_MAX_DATA_BYTES", value)
        with pytest.raises(UserError, match=f"ATTATTR_MAX_DATA_BYTES is '{value}': give a number of bytes"):
            DataLimits.from_environment()


ROW = '{"text": "a", "label": 1}'


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", f"[{ROW}," + "{}," * 2_000_000 + "{}]", r"a\.json has more than 100 rows"),
        ("a.json", f"[{ROW}," + "[]," * 2_000_000 + "[]]", r"a\.json has more than 100 rows"),
        ("a.json", f"[{ROW}, [" + "[]," * 1_000_000 + "[]]]", "entry 2: more than 1,048,576 characters"),
        ("a.json", f'[{ROW}, {{"text": "{"x" * 5_000_000}"}}]', "entry 2: more than 1,048,576 characters"),
        ("a.json", f"[{ROW}, " + "[" * 3_000_000, r"not a JSON list \(entry 2: nested too deeply\)"),
        ("a.jsonl", "x\n" * 2_000_000, r"a\.jsonl has more than 100 rows"),
        ("a.jsonl", f"{ROW}\n" + "[]\n" * 2_000_000, r"a\.jsonl has more than 100 rows"),
        ("a.jsonl", f"{ROW}\n" + "[{}," * 1_000_000, r"Line 2 of a\.jsonl has more than 1,048,576 characters"),
        ("a.tsv", "text\tlabel\na\t1\n" + "\t" * 5_000_000, "row at line 3 of a.tsv has more than 1,048,576 char"),
        ("a.csv", 'text,label\n"a",1\n' + '"\n",' * 1_000_000, "of a.csv has more than 1,048,576 characters; shorten"),
        ("a.csv", "text,label\na,1\n" + "x" * 5_000_000, "row at line 3 of a.csv has more than 1,048,576 characters"),
    ],
)
def test_small_files_that_grow_when_they_are_parsed_are_stopped(tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    allowed = 2 * 10**7 + 48 * MAX_ROW
    csv.field_size_limit(1 << 30)  # which other libraries raise for the whole process
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=sentence):
            preview(path, limits=DataLimits(100, 10**7))
        assert tracemalloc.get_traced_memory()[1] < allowed
    finally:
        tracemalloc.stop()
        csv.field_size_limit(131_072)


@pytest.mark.parametrize("gap", ["", " " * 3_000_000])
def test_a_list_is_read_in_pieces_whatever_lies_between(tmp_path, gap):
    path = tmp_path / "a.json"
    rows = [json.dumps({"text": f"é{index}" * 5000, "label": index % 2}) for index in range(100)]
    path.write_text("\ufeff [" + gap + f",{gap}".join(rows[:3]) + "," + ",\n".join(rows[3:]) + gap + "]" + gap)
    found = read_examples(path)
    assert [example.text for example in found.examples] == [f"é{index}" * 5000 for index in range(100)]
    for damaged in (f"[{ROW} {ROW}]", f"[{ROW},]", f"[{ROW}] {ROW}", f"[{ROW}", "[,]", f"[{ROW}, nothing]"):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(UserError, match=r"a\.json is not a JSON list \(entry [12]: .*\); write one object a line"):
            read_examples(path)


# ------------------------------------------------------------------------------------------------------ parquet


def test_a_parquet_file_reads_like_a_table(tmp_path):
    path = save_sentiment(tmp_path / "a.parquet")
    found = open_data(path, ("positive", "negative"))
    assert [example.label for example in found.examples] == [0, 1, 0, 1]
    assert preview(path).label_counts == (("positive", 2), ("negative", 2))
    columns = {
        "sentence1": pa.array(["a", "b", None]).dictionary_encode(),
        "sentence2": pa.array(["c", "d", "e"], pa.large_string()),
        "label": pa.array([4.8, 0, 1], pa.float32()),
    }
    found = open_data(save(tmp_path / "b.parquet", columns))
    assert [example.value for example in found.examples] == [4.8, 0.0]
    assert "1 row without a text or label is left out." in found.notice
    flags = {"text": ["a", "b"], "label": [True, False], "kind": [1, 2]}
    assert [example.label for example in open_data(save(tmp_path / "c.parquet", flags), ("a", "b")).examples] == [1, 0]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"text": [["a"], ["b"]], "label": [0, 1]},
            r"column 'text' of a\.parquet holds list<.*> in each row, not text",
        ),
        ({"text": ["a"], "label": [{"a": 1}]}, r"column 'label' of a\.parquet holds struct<.*>.*, not one label"),
        ({"text": [b"a"], "label": [1]}, "column 'text' of a.parquet holds binary in each row, not text"),
        ({"text": [1], "label": [1]}, "column 'text' of a.parquet holds whole in each row, not text"),
        ({"words": ["a"], "label": [1]}, "No text column found in the columns of a.parquet"),
        ({"text": pa.array([None, None], pa.string()), "label": [1, 0]}, "has no rows with a text and a label"),
        ({"text": pa.array([], pa.string()), "label": pa.array([], pa.int64())}, "has no rows with a text and"),
        ({}, "No text column found"),
    ],
)
def test_columns_that_hold_something_else(tmp_path, columns, sentence):
    with pytest.raises(UserError, match=sentence):
        open_data(save(tmp_path / "a.parquet", columns))


def test_damaged_and_lying_files_are_one_sentence(tmp_path):
    whole = save_sentiment(tmp_path / "a.parquet", n=2000).read_bytes()
    place = len(whole) - 200  # in the description at the end
    flipped = whole[:place] + bytes(byte ^ 0x5A for byte in whole[place : place + 40]) + whole[place + 40 :]
    variants = [b"", whole[:100], b"PAR1" + b"\xff" * 500 + b"PAR1", flipped]
    path = tmp_path / "b.parquet"
    for content in variants:
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"b\.parquet cannot be read as parquet \(") as caught:
            open_data(path, ("negative", "positive"))
        assert str(caught.value).isprintable()


def test_what_grows_when_it_is_unpacked_is_stopped(tmp_path, monkeypatch):
    nothing = {"text": pa.nulls(300_000, pa.string()), "label": pa.nulls(300_000, pa.int64())}
    path = save(tmp_path / "nulls.parquet", nothing)
    assert path.stat().st_size < 50_000
    with pytest.raises(UserError, match="has no rows with a text and a label"):
        open_data(path, ("a", "b"), DataLimits(5000, 10**6))
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 30_000, pa.int32()), pa.array(["x" * 1000]))
    path = save(tmp_path / "same.parquet", {"text": same, "label": [1] * 30_000})
    with pytest.raises(UserError, match="more than 1,000,000 characters of text"):
        open_data(path, ("a", "b"), DataLimits(10**6, 10**6))
    monkeypatch.setattr(parquet_module, "_MEMORY", 20 << 20)
    path = save(tmp_path / "cell.parquet", {"text": ["y" * (60 << 20)], "label": [1]}, compression="zstd")
    assert path.stat().st_size < 100_000
    with pytest.raises(UserError, match="cannot be read as parquet"):
        open_data(path, ("a", "b"), DataLimits(10, 10**6))


def test_class_names_in_the_metadata_are_not_trusted(tmp_path):
    assert check_class_names(["x" * 500, "y"]) == ("x" * 80, "y")
    assert check_class_names({"0": "a", "1": "b"}) == ("a", "b")
    for names in ([[1]], ["a", "A"], {"names": 1}, [], "negative", None, ["a", " "], ["a"] * 20_000, {"1": "a"}):
        assert check_class_names(names) == ()
    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    for metadata in ("[" * 100_000, json.dumps({"info": {"features": {"label": ["names"]}}})):
        pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), tmp_path / "a.parquet")
        assert open_data(tmp_path / "a.parquet").label_names == ("LABEL_0", "LABEL_1")


def test_without_pyarrow_only_parquet_is_refused(tmp_path, monkeypatch):
    path = save_sentiment(tmp_path / "a.parquet")
    find = importlib.util.find_spec
    monkeypatch.setattr(parquet_module, "find_spec", lambda name: None if name == "pyarrow" else find(name))
    with pytest.raises(UserError, match=r"a\.parquet is parquet, which needs pyarrow: install it with pip install"):
        open_data(path)
    code = "import sys, attattr_core.datasets; print({'pyarrow', 'torch', 'pandas', 'gradio'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "set()"
