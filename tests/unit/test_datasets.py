"""Reading GLUE-style files: every layout by its column names, and every mistake as one sentence that names it."""

import gzip
import hashlib
from pathlib import Path

import pytest

from attattr_core.datasets import Example, read_examples
from attattr_core.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write_file(text: str, name: str = "data.tsv") -> Path:
        path = tmp_path / name
        raw = text.encode("utf-8")
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return write_file


LAYOUTS = {
    "SST-2": ("sentence\tlabel\na good film\t1\na bad film\t0\n", ("a good film", None, 1)),
    "text": ("text\tlabel\na good film\t1\na bad film\t0\n", ("a good film", None, 1)),
    "premise": ("premise\thypothesis\tlabel\nA man .\tA person .\t1\nb\tc\t0\n", ("A man .", "A person .", 1)),
    "RTE": ("index\tsentence1\tsentence2\tlabel\n0\ta b\tc d\t1\n1\te\tf\t0\n", ("a b", "c d", 1)),
    "QNLI": ("index\tquestion\tsentence\tlabel\n0\twho ?\tme .\t1\n1\te\tf\t0\n", ("who ?", "me .", 1)),
    "QQP": (
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n7\t1\t2\thow ?\twhy ?\t1\n8\t3\t4\ta\tb\t0\n",
        ("how ?", "why ?", 1),
    ),
    "MRPC": (
        '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t70\t71\tHe said " yes\tShe did\n0\t7\t8\ta\tb\n',
        ('He said " yes', "She did", 1),
    ),
    "MNLI": (
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
        "sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
        "0\t3\t3n\tgov\t( a )\t( b )\t(R a)\t(R b)\tConceptually cream .\tProduct .\tneutral\t1\n"
        "1\t3\t3e\tgov\t( a )\t( b )\t(R a)\t(R b)\tx\ty\tentailment\t0\n",
        ("Conceptually cream .", "Product .", 1),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_recognised_by_its_columns(write, layout):
    text, expected = LAYOUTS[layout]

    result = read_examples(write(text))

    assert result.examples[0] == Example(*expected)
    assert len(result) == 2
    assert result.label_names == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize("name", ["a.tsv.gz", "a.csv", "a.csv.gz", "a.txt"])
def test_plain_gzipped_and_comma_files_read_alike(write, name):
    separator = "," if ".csv" in name else "\t"
    text = f"sentence{separator}label\ngood{separator}pos\nbad{separator}neg\n"

    path = write(text, name)
    result = read_examples(path)

    assert [example.text for example in result.examples] == ["good", "bad"]
    assert result.label_names == ("neg", "pos")
    assert [example.label for example in result.examples] == [1, 0]
    assert result.file_name == name
    assert result.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_csv_quotes_join_cells_and_tsv_quotes_are_characters(write):
    quoted = read_examples(write('text,label\n"good, ""very""\nso",1\nbad,0\n', "a.csv"))
    literal = read_examples(write('text\tlabel\n"good\t1\nbad"\t0\n'))

    assert quoted.examples[0].text == 'good, "very"\nso'
    assert [example.text for example in literal.examples] == ['"good', 'bad"']


def test_given_labels_are_matched_by_name_in_any_case_and_by_index(write):
    labels = ("entailment", "neutral", "contradiction")
    path = write("premise\thypothesis\tgold_label\na\tb\tContradiction\na\tb\t1\na\tb\tentailment\na\tb\t-\n")

    result = read_examples(path, labels=labels)

    assert [example.label for example in result.examples] == [2, 1, 0]
    assert result.label_names == labels
    assert result.n_skipped == 1


def test_a_class_called_by_a_number_keeps_its_name(write):
    result = read_examples(write("text\tlabel\nworst\t1\nbest\t2\n"), labels=("2", "1"))

    assert [example.label for example in result.examples] == [1, 0]


def test_kinds_are_read_where_there_is_such_a_column(write):
    result = read_examples(write("sentence\tlabel\tkind\na\t0\tplain\nb\t1\tnegated\n"))

    assert result.kinds == ("plain", "negated")
    assert read_examples(write("sentence\tlabel\na\t0\nb\t1\n")).kinds == ()


MISTAKES = {
    "empty file": ("", "empty"),
    "no rows": ("sentence\tlabel\n", "no labelled rows"),
    "no header": ("good film\t1\nbad film\t0\n", "No text column.*header"),
    "no label column": ("index\tsentence\n0\tgood\n", "No label column"),
    "too few cells": ("sentence\tlabel\ngood\t1\nbad\n", "Line 3 of data.tsv has 1 columns"),
    "too many cells": ("sentence\tlabel\ngood\tfilm\t1\n", "Line 2 of data.tsv has 3 columns"),
    "empty text": ("sentence\tlabel\n \t1\n", "Line 2 of data.tsv has an empty text"),
    "empty label": ("sentence\tlabel\ngood\t\n", "Line 2 of data.tsv has an empty label"),
    "indices with a gap": ("sentence\tlabel\ngood\t1\nbad\t3\n", "not 0, 1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_is_named(write, mistake):
    text, message = MISTAKES[mistake]

    with pytest.raises(UserError, match=message):
        read_examples(write(text))


def test_a_label_outside_the_given_ones_is_named_with_its_line(write):
    with pytest.raises(UserError, match=r"Line 3 of data.tsv has the label 'neutral'"):
        read_examples(write("text\tlabel\na\tpositive\nb\tneutral\n"), labels=("negative", "positive"))
    with pytest.raises(UserError, match=r"'2'.*index from 0 to 1"):
        read_examples(write("text\tlabel\na\t2\n"), labels=("negative", "positive"))
    with pytest.raises(UserError, match="repeat"):
        read_examples(write("text\tlabel\na\t0\n"), labels=("yes", "Yes"))


def test_missing_broken_and_foreign_files_are_refused(write, tmp_path):
    with pytest.raises(UserError, match="no file"):
        read_examples(tmp_path / "none.tsv")
    with pytest.raises(UserError, match="no file"):
        read_examples(tmp_path)
    broken = write("sentence\tlabel\na\t0\n" * 200, "b.tsv.gz")
    broken.write_bytes(broken.read_bytes()[:-12])
    with pytest.raises(UserError, match="cannot be read"):
        read_examples(broken)
    (tmp_path / "c.tsv.gz").write_text("sentence\tlabel\n")
    with pytest.raises(UserError, match="cannot be read"):
        read_examples(tmp_path / "c.tsv.gz")
    (tmp_path / "d.tsv").write_bytes(b"sentence\tlabel\ncaf\xe9\t0\n")
    with pytest.raises(UserError, match="not UTF-8"):
        read_examples(tmp_path / "d.tsv")


def test_limits_hold_before_anything_grows(write):
    path = write("sentence\tlabel\n" + "good film\t1\nbad film\t0\n" * 5000, "bomb.tsv.gz")

    with pytest.raises(UserError, match="more than 10 rows"):
        read_examples(path, max_rows=10)
    with pytest.raises(UserError, match="larger than 1,000 bytes"):
        read_examples(path, max_bytes=1000)
    with pytest.raises(UserError, match=r"Line 2 of data.tsv cannot be read"):
        read_examples(write("sentence\tlabel\n" + "x" * 200_000 + "\t1\n"))
