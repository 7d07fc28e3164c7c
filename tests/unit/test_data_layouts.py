"""What else data look like: JSON lines, values, files without header, class names in another spelling or order."""

import gzip
import json
from pathlib import Path

import pytest

from attattr_core.datasets import (
    EMBEDDED_SETS,
    Example,
    digest_example,
    digest_file,
    open_data,
    pick_examples,
    preview,
    read_examples,
)
from attattr_core.errors import UserError

NLI = ("contradiction", "entailment", "neutral")


@pytest.fixture
def write(tmp_path):
    def write_file(text: str | bytes, name: str = "data.tsv") -> Path:
        path = tmp_path / name
        raw = text if isinstance(text, bytes) else text.encode("utf-8")
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return write_file


def write_lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# ------------------------------------------------------------------------------------------------ layouts of GLUE

GLUE = {
    "CoLA": (
        "gj04\t1\t\tShe left early .\nks08\t0\t*\tEarly left she .\n",
        ("She left early .", None, 1),
        ("label", "sentence"),
    ),
    "STS-B": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
        "0\tx\ty\t2012\t1\tnone\tnone\tA cat naps .\tA cat sleeps .\t4.800\n"
        "1\tx\ty\t2012\t2\tnone\tnone\tA cat naps .\tRain falls .\t0.000\n",
        ("A cat naps .", "A cat sleeps .", 0, 4.8),
        ("score", "sentence1", "sentence2"),
    ),
    "SNLI": (
        "index\tcaptionID\tpairID\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t"
        "sentence1\tsentence2\tlabel1\tgold_label\n"
        "0\tc\tp\t()\t()\t()\t()\tA man naps .\tNobody is awake .\tneutral\tneutral\n"
        "1\tc\tp\t()\t()\t()\t()\tA man naps .\tA man runs .\tcontradiction\t-\n"
        "2\tc\tp\t()\t()\t()\t()\tA man naps .\tA man rests .\tentailment\tentailment\n",
        ("A man naps .", "Nobody is awake .", 1),
        ("gold_label", "sentence1", "sentence2"),
    ),
    "WNLI": (
        "index\tsentence1\tsentence2\tlabel\n0\tIt was late .\tThe hour was late .\t1\n1\ta\tb\t0\n",
        ("It was late .", "The hour was late .", 1),
        ("label", "sentence1", "sentence2"),
    ),
    "QQP": (
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        "1\t2\t3\tWhy so ?\tHow so ?\t1\n4\t5\t6\tbroken\nbroken too\n7\t8\t9\tWho ?\tWhat ?\t0\n",
        ("Why so ?", "How so ?", 1),
        ("is_duplicate", "question1", "question2"),
    ),
}


@pytest.mark.parametrize("layout", GLUE)
def test_glues_own_layouts(write, layout):
    text, expected, columns = GLUE[layout]
    for content in (text, text.replace("\n", "\r\n"), "\ufeff" + text, text.rstrip("\n")):
        found = read_examples(write(content))
        assert found.examples[0] == Example(*expected)
        assert len(found) == 2
        assert tuple(sorted(found.columns)) == columns
        assert found.n_skipped == {"SNLI": 1, "QQP": 2}.get(layout, 0)


def test_cola_has_class_names_of_its_own(write):
    path = write(GLUE["CoLA"][0])
    assert read_examples(path).label_names == ("unacceptable", "acceptable")
    assert read_examples(path, labels=("acceptable", "unacceptable")).examples[0].label == 0
    assert read_examples(path, labels=("LABEL_0", "LABEL_1")).examples[0].label == 1
    with pytest.raises(UserError, match=r"The classes of data\.tsv are unacceptable, acceptable, and those of the"):
        read_examples(path, labels=("positive", "negative"))


# ---------------------------------------------------------------------------------------------------- JSON lines


def test_json_lines_and_lists_read_like_tables(write):
    rows = [
        {"id": 1, "premise": "A\u2028B", "hypothesis": "é", "label": "neutral", "more": {"deep": [1]}},
        {"label": 0, "hypothesis": " c ", "premise": "b"},
    ]
    for content, name in (
        (write_lines(*rows), "a.jsonl"),
        ("\ufeff" + write_lines(*rows).replace("\n", "\r\n\r\n"), "b.ndjson"),
        (write_lines(*rows), "c.jsonl.gz"),
        (json.dumps(rows), "d.json"),
        (write_lines(*rows), "e.json"),
    ):
        found = read_examples(write(content, name), labels=NLI)
        assert found.examples == (Example("A\u2028B", "é", 2), Example("b", "c", 0))
        assert found.columns == ("premise", "hypothesis", "label")


def test_truth_values_numbers_and_null(write):
    rows = [{"question": "a", "passage": "b", "answer": True}, {"question": "c", "passage": "d", "answer": False}]
    found = read_examples(write(write_lines(*rows), "b.jsonl"), labels=("no", "yes"))
    assert [example.label for example in found.examples] == [1, 0]
    rows = [{"text": "a", "label": 1.0}, {"text": "b", "label": "0"}, {"text": "c", "label": -1}]
    found = read_examples(write(write_lines(*rows), "c.jsonl"))
    assert [example.label for example in found.examples] == [1, 0]
    assert found.n_skipped == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"text": "a", "label": 1}\n{"text": "b"\n', r"Line 2 of a\.jsonl is not JSON"),
        ('{"text": "a", "label": 1}\n[1]\n', r"Line 2 of a\.jsonl is not a JSON object"),
        ('{"text": "a", "label": 1}\n"text"\n', r"Line 2 of a\.jsonl is not a JSON object"),
        ('{"text": "a", "label": 1}\n{"text": {"a": 1}, "label": 0}\n', r"Line 2 of a\.jsonl has an empty text"),
        ('{"text": "a", "label": 1}\n{"text": "b", "label": null}\n', r"Line 2 of a\.jsonl has an empty label"),
        ('{"text": "a", "label": 1}\n' + "[" * 200_000 + "\n", r"Line 2 of a\.jsonl is not JSON \("),
        ('{"text": "a", "label": 1}\n{"text": "' + "b" * 140_000 + '", "label": 1}\n', "more than 131,072 characters"),
        ('{"words": "a", "label": 1}\n', "No text column found"),
        ('{"text": "a", "Text": "b", "label": 1}\n{"text": "a"}', "Line 2 of a.jsonl has an empty label"),
        ("text\tlabel\na\t1\n", r"Line 1 of a\.jsonl is not JSON \(.*\); correct this line and 1 more \(line 2\)"),
        ("[1, 2", "is not a JSON list"),
        ("\n \n", "is empty"),
    ],
)
def test_mistakes_in_json_are_told_by_line(write, content, sentence):
    with pytest.raises(UserError, match=sentence):
        read_examples(write(content, "a.jsonl"))


# --------------------------------------------------------------------------------------------------- bad rows


def test_the_first_bad_row_is_told_and_the_others_are_counted(write):
    rows = ["good\tpositive", "\tpositive", "bad", "so\tgreat", "x\tnegative", "y\tawful", "", "z\t", "u\tv\tw", "p\tq"]
    with pytest.raises(UserError) as caught:
        read_examples(write("text\tlabel\n" + "\n".join(rows) + "\n"), labels=("negative", "positive"))
    assert str(caught.value) == (
        "Line 3 of data.tsv has an empty text; correct this line and 6 more (lines 4, 5, 7, 9, 10, …)."
    )
    with pytest.raises(UserError, match=r"^Line 2 of data\.tsv has the label 'great', which is none of a, b nor an"):
        read_examples(write("text\tlabel\ngood\tgreat\n"), labels=("a", "b"))


def test_a_preview_tells_what_is_wrong_and_goes_on(write):
    path = write("sentence\tlabel\tkind\na\tyes\tk\n\tno\tk\na\tyes\tk\nb\t-\tk\nc\tno\tk\n")
    found = preview(path, 2)
    assert (found.name, found.columns, found.n_rows) == ("data.tsv", ("sentence", "label", "kind"), 4)
    assert found.rows == (("a", None, "yes"), ("a", None, "yes"))
    assert dict(found.label_counts) == {"yes": 2, "-": 1, "no": 1}
    assert (found.n_skipped, found.n_duplicates, found.n_problems) == (1, 1, 1)
    assert found.problems == ("Line 3 of data.tsv has an empty text.",)
    whole = preview(open_data("snli", NLI))
    assert (whole.n_rows, dict(whole.label_counts)) == (264, dict.fromkeys(NLI, 88))
    assert whole.rows[0][2] == "entailment"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("text\ttext\tlabel\na\tb\t1\n", "more than one column 'text'"),
        ("text\tlabel\tLabel\na\t1\t0\n", "more than one column 'label'"),
        ("index\tsentence\n0\tgood\n", "No label column found .* choose a part of the data that has labels"),
        ("text\tlabel\na\t-\nb\t-1\n", "no labelled rows"),
    ],
)
def test_columns_that_are_missing_or_there_twice(write, content, sentence):
    with pytest.raises(UserError, match=sentence):
        read_examples(write(content))


def test_other_marks_between_cells_of_a_csv_file(write):
    for mark in ",;\t":
        found = read_examples(write(f'id{mark}review{mark}sentiment\n1{mark}"a, b; c"{mark}pos\n', "a.csv"))
        assert found.examples[0].text == "a, b; c"


def test_bytes_that_are_not_utf_8_are_placed_wherever_the_file_is_cut(write, monkeypatch):
    for n_piece in (1, 2, 3, 1 << 20):
        monkeypatch.setattr("attattr_core.datasets.files._PIECE", n_piece)
        found = read_examples(write("\ufefftext\tlabel\n🙂é\t1\nü\t0\n"))
        assert [example.text for example in found.examples] == ["🙂é", "ü"]
        for content in (b"text\tlabel\n\xf0\x9f\x99x\t1\n", b"text\tlabel\n\xf0\x9f\x99"):
            with pytest.raises(UserError, match=r"data\.tsv is not UTF-8 \(byte 11\)"):
                read_examples(write(content))


# ------------------------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("names", "written", "expected"),
    [
        (("NEGATIVE", "POSITIVE"), ("pos", "neg", "Good"), (1, 0, 1)),
        (("entailment", "not_entailment"), ("not entailment", "Not-Entailment", "entails"), (1, 1, 0)),
        (("contradiction", "entailment", "neutral"), ("entails", "n", "contradictory"), (1, 2, 0)),
        (("not_equivalent", "equivalent"), ("duplicate", "not_duplicate", "1"), (1, 0, 1)),
        (("LABEL_0", "LABEL_1"), ("label_1", "0", "LABEL 0"), (1, 0, 0)),
        (("0", "1"), ("true", "false", "1.0"), (1, 0, 1)),
        (("-1", "0", "1"), ("-1", "1", "0"), (0, 2, 1)),
        (("very bad", "bad", "good"), ("very_bad", "BAD", "2"), (0, 1, 2)),
    ],
)
def test_labels_in_other_spellings(write, names, written, expected):
    path = write("text\tlabel\n" + "".join(f"x\t{label}\n" for label in written))
    assert tuple(example.label for example in read_examples(path, labels=names).examples) == expected


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (("entailment", "not_entailment"), "neutral"),
        (("negative", "positive"), "neutral"),
        (("cat", "dog"), "pos"),
        (("a", "b"), "2"),
        (("a", "b"), "0.5"),
        (("a", "b", "c"), "true"),
    ],
)
def test_labels_that_could_mean_anything_are_refused(write, names, label):
    with pytest.raises(UserError, match=r"Line 2 of .* has the label"):
        read_examples(write(f"text\tlabel\nx\t{label}\n"), labels=names)


def test_indices_are_said_to_be_taken_in_the_order_of_the_checkpoint(write):
    path = write("text\tlabel\nx\t1\ny\t0\n")
    assert read_examples(path, labels=("bad", "good")).notice == (
        "The labels of data.tsv are indices, taken in the order bad, good."
    )
    assert read_examples(path, labels=("LABEL_0", "LABEL_1")).notice == ""
    assert read_examples(write("text\tlabel\nx\tgood\ny\tbad\n"), labels=("bad", "good")).notice == ""
    path = write("text\tlabel\nx\tgood\ny\tNegative\nz\tbad\n")
    assert read_examples(path, labels=("negative", "positive")).notice == (
        f"Labels of {path.name} are taken by their meaning: 'bad' as 'negative', 'good' as 'positive'."
    )


# ------------------------------------------------------------------------------------------------------- values


def test_values_for_checkpoints_with_one_output(write):
    path = write("sentence1\tsentence2\tscore\na\tb\t5\nc\td\t2.5\n")
    for labels in (None, ("LABEL_0",)):
        found = read_examples(path, labels=labels)
        assert [(example.label, example.value) for example in found.examples] == [(0, 5.0), (0, 2.5)]
        assert found.has_values
        assert found.has_pairs
    yes_no = write("question\tsentence\tlabel\na\tb\tentailment\nc\td\tnot_entailment\ne\tf\t1\n")
    found = read_examples(yes_no, labels=("LABEL_0",))
    assert [example.value for example in found.examples] == [1.0, 0.0, 1.0]
    with pytest.raises(UserError, match=r"Line 2 of .* has the label 'neutral', which is no number"):
        read_examples(write("text\tlabel\na\tneutral\n"), labels=("LABEL_0",))
    with pytest.raises(UserError, match=r"Line 3 of .* has the label '2\.5', which is none of a, b"):
        read_examples(write("text\tlabel\nx\t1\ny\t2.5\n"), labels=("a", "b"))
    for hostile in ("nan", "inf", "1_0"):
        with pytest.raises(UserError, match="is no number"):
            read_examples(write(f"text\tlabel\na\t{hostile}\n"), labels=("LABEL_0",))


# ------------------------------------------------------------------------------------------- choices and digests


def test_a_choice_is_seeded_and_keeps_kinds(write):
    whole = open_data("sst2", ("positive", "negative"))
    assert whole.examples[0].label == 1, "classes go by name"
    assert pick_examples(whole, 5).examples == whole.examples[:5]
    chosen = pick_examples(whole, 50, seed=3)
    assert chosen == pick_examples(whole, 50, seed=3)
    assert chosen.examples != pick_examples(whole, 50, seed=4).examples
    assert len(set(chosen.examples)) == 50
    by_text = {example.text: kind for example, kind in zip(whole.examples, whole.kinds, strict=True)}
    assert chosen.kinds == tuple(by_text[example.text] for example in chosen.examples)
    assert len(pick_examples(whole, 10_000, seed=0)) == len(whole)
    assert (chosen.sha256, chosen.file_name) == (digest_file(EMBEDDED_SETS["sst2"]), "sst2.tsv")
    for n, seed in ((0, 0), (5, -1)):
        with pytest.raises(UserError):
            pick_examples(whole, n, seed=seed)


def test_examples_are_told_apart_by_their_texts_alone():
    digest = digest_example(Example("A film .", None, 1))
    assert len(digest) == 16
    assert digest == digest_example(Example(" a  FILM\u00a0.", "", 0))
    others = [
        Example("A film", None, 1),
        Example("A film .", "x", 1),
        Example("x", "A film .", 1),
        Example("x A", "film .", 1),
    ]
    assert len({digest, *map(digest_example, others)}) == 5
    assert digest_example(Example("\ud800", None, 0)) != digest


def test_what_data_a_command_names(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("text\tlabel\nx\t1\ny\t0\n", "mine.tsv")
    assert len(open_data("mine.tsv", ("a", "b"))) == 2
    assert open_data(tmp_path / "mine.tsv").label_names == ("LABEL_0", "LABEL_1")
    for missing in ("sst3", "none.tsv", "."):
        with pytest.raises(UserError, match="There is no file"):
            open_data(missing)
