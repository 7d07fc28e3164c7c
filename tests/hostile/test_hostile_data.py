"""Any data set: a sentence that refuses it, or rows that are whole."""

import gzip
import io
import json
import zipfile

import pytest
from hostile.strategies import DEPTHS, bent_bytes, bent_json, names, nest, refuse_or, texts, values, write
from hypothesis import example, given
from hypothesis import strategies as st

from attattr_core.datasets import DataLimits, open_data, preview, read_examples
from attattr_core.datasets.hub_reading import find_split
from attattr_core.datasets.opening import EMBEDDED_SETS
from attattr_core.datasets.reading import read_objects, read_table
from attattr_core.hub import HubLimits
from attattr_core.ui.data_choice import DataChoice, describe_data, describe_refusal

ENDINGS = (".tsv", ".csv", ".json", ".jsonl", ".ndjson", ".txt", ".tsv.gz", ".jsonl.gz", ".gz", "")
LIMITS = DataLimits(200, 300_000)
LABELS = ("negative", "positive")
ROWS = [{"text": "fine", "label": "positive"}, {"text": "dull", "label": 0}, {"text": "so\nso", "label": "negative"}]
TSV = EMBEDDED_SETS["sst2"].read_bytes()[:2000]

cells = texts | st.sampled_from(
    ["0", "1", "positive", "-", "-1", "0.5", '"', '"a', "a\tb", "a,b;c", "\r", "\x0b", "nan"]
)
headers = st.lists(
    st.sampled_from(
        ["text", "sentence", "label", "Label", "premise", "hypothesis", "kind", "score", "\ufefftext", "id"]
    )
    | names,
    max_size=5,
)
tables = st.tuples(headers, st.lists(st.lists(cells, max_size=5), max_size=6), st.sampled_from(["\t", ",", ";"]))
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])


def use(path, labels) -> None:
    """Does with a file what page, command line and endpoints do."""
    table = refuse_or(read_table, path, LIMITS)
    if table is not None:
        assert 0 < len(table.rows) <= LIMITS.max_rows
        assert all(row.text.strip() and row.label and (row.text_pair is None or row.text_pair) for row in table.rows)
        found = preview(table)
        assert found.n_rows == len(table.rows) == sum(count for _, count in found.label_counts) or found.n_labels > 50
        for sentence in found.problems:
            assert len(sentence) < 400
    options = {"max_rows": LIMITS.max_rows, "max_bytes": LIMITS.max_bytes}
    read = refuse_or(read_examples, path, labels=labels, **options)
    if read is not None:
        assert len(read) + read.n_skipped >= len(table.rows)
        assert all(0 <= example.label < len(read.label_names) for example in read.examples)
    shown = refuse_or(describe_data, DataChoice("file", path.name, str(path), limits=LIMITS), labels) or "{}"
    assert "<" not in shown
    json.loads(shown)
    shown.encode()


@given(
    content=st.binary(max_size=300) | bent_bytes(TSV),
    ending=st.sampled_from(ENDINGS),
    labels=st.sampled_from([None, LABELS]),
)
def test_any_bytes_under_any_name(work, content, ending, labels):
    path = write(work, f"data{ending}", content)
    use(path, labels)
    path.unlink()


@given(
    table=tables,
    encoding=encodings,
    ending=st.sampled_from(ENDINGS),
    labels=st.sampled_from([None, LABELS, ("value",)]),
)
def test_any_table(work, table, encoding, ending, labels):
    header, rows, mark = table
    lines = "\n".join(mark.join(row) for row in (header, *rows))
    content = lines.encode(encoding, "replace")
    path = write(work, f"data{ending}", gzip.compress(content) if ending.endswith(".gz") else content)
    use(path, labels)
    path.unlink()


@given(
    rows=bent_json(ROWS), ending=st.sampled_from([".json", ".jsonl", ".ndjson"]), labels=st.sampled_from([None, LABELS])
)
def test_rows_of_any_json(work, rows, ending, labels):
    as_lines = ending != ".json" and isinstance(rows, list)
    content = b"\n".join(json.dumps(row).encode() for row in rows) if as_lines else json.dumps(rows).encode()
    path = write(work, f"data{ending}", content)
    use(path, labels)
    path.unlink()


@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["text", "label", "premise", "hypothesis"]) | names, values), max_size=4
    )
)
def test_rows_of_a_program(rows):
    table = refuse_or(read_objects, rows, LIMITS, name="data")
    assert table is None or 0 < len(table.rows) <= len(rows)


@given(label=st.integers(1, 10**12).map(str) | st.text("0123456789٣۴.", min_size=1, max_size=6000))
@example(label="1" * 5000)
def test_labels_of_many_digits(work, label):
    path = write(work, "data.tsv", f"text\tlabel\na\t0\nb\t{label}\n".encode())
    use(path, None)
    use(path, ("value",))
    use(path, LABELS)
    path.unlink()


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_json_that_is_nested(work, depth, ending):
    for content in (nest(depth), b'[{"text": ' + nest(depth) + b', "label": 1}]', b'{"a":' * depth):
        path = write(work, f"data{ending}", content)
        use(path, None)
        path.unlink()


def test_files_that_are_something_else_than_their_name_says(work):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../secret.txt", "text\tlabel\nout\t1\n")
    bomb = gzip.compress(b"text\tlabel\n" + b"a\t1\n" * 1_000_000)
    for content in (buffer.getvalue(), bomb, gzip.compress(bomb), b"PAR1" + b"\xff" * 40 + b"PAR1", b"\x93NUMPY\x01\0"):
        for ending in (*ENDINGS, ".parquet"):
            path = write(work, f"data{ending}", content)
            assert refuse_or(read_table, path, LIMITS) is None
            path.unlink()


@given(name=texts | st.text(max_size=400))
def test_any_name_of_data(name):
    refuse_or(open_data, name, LABELS, LIMITS, hub_limits=HubLimits(offline=True))
    refuse_or(find_split, name, limits=LIMITS, hub_limits=HubLimits(offline=True))
    assert "<" not in describe_refusal(name)
