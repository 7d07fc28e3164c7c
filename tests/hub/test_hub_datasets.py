"""Data sets of the Hub: found and looked at before a download, parquet only, vetted as models are."""

import time
from pathlib import Path

import pytest
from hub.parquet_files import SENTENCES, save, save_sentiment, write_card
from hub.server import GOOD_TOKEN
from huggingface_hub import constants

from attattr_core import UserError
from attattr_core.datasets import DataLimits, open_data
from attattr_core.datasets.hub_reading import read_split
from attattr_core.datasets.hub_sets import choose_split, find_dataset, list_splits, parse_dataset_id
from attattr_core.hub import HubLimits, download

LABELS = ("positive", "negative")
CARD = """
configs:
- config_name: sst2
  data_files:
  - split: validation
    path: parts/dev-*
  - split: test
    path: [parts/unlabelled.parquet]
- config_name: mnli
  data_files: other/**
dataset_info:
- config_name: sst2
  features:
  - name: sentence
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': negative
          '1': positive
  splits:
  - name: validation
    num_examples: 4
"""


@pytest.fixture
def glue(tmp_path) -> Path:
    """Two configurations and files that nobody should fetch."""
    folder = tmp_path / "served" / "glue"
    save_sentiment(folder / "sst2" / "train-00000-of-00002.parquet", n=6)
    save_sentiment(folder / "sst2" / "train-00001-of-00002.parquet", n=4)
    save_sentiment(folder / "sst2" / "validation-00000-of-00001.parquet")
    save(
        folder / "mnli" / "validation_matched-00000-of-00001.parquet",
        {"premise": ["A man sleeps.", "b"], "hypothesis": ["Nobody is awake.", "c"], "label": [1, -1]},
        names=("entailment", "neutral", "contradiction"),
    )
    (folder / "glue.py").write_text("raise SystemExit('a script of the repository was run')")
    (folder / "archive.zip").write_bytes(b"PK")
    return folder


def refuse(text, sentence, **options) -> str:
    with pytest.raises(UserError, match=sentence) as caught:
        open_data(text, LABELS, DataLimits(1000, 10**6), **options)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 600
    assert message.endswith((".", "?"))
    return message


def test_a_part_is_found_fetched_and_read_in_the_order_of_the_checkpoint(hub, glue):
    sha = hub.add("datasets/nyu-mll/glue", glue).refs["main"]
    dataset = find_dataset("nyu-mll/glue")
    assert (dataset.revision, dataset.url) == (sha, f"{hub.url}/datasets/nyu-mll/glue")
    listed = {config: [split.name for split in splits] for config, splits in list_splits(dataset).items()}
    assert listed == {"mnli": ["validation_matched"], "sst2": ["train", "validation"]}
    assert not hub.list_paths("/cdn/"), "asking fetches nothing"
    seen = []
    examples = open_data("hub:nyu-mll/glue:sst2:validation", LABELS, on_progress=seen.append)
    assert [example.text for example in examples.examples] == list(SENTENCES)
    assert [example.label for example in examples.examples] == [0, 1, 0, 1], "classes go by name, not by index"
    assert examples.file_name == "nyu-mll/glue:sst2:validation"
    assert examples.columns == ("sentence", "label")
    assert seen[-1].n_bytes == seen[-1].n_total
    assert {path.rpartition("/")[2] for path in hub.list_paths("/cdn/")} == {"validation-00000-of-00001.parquet"}
    assert len(open_data("hub:nyu-mll/glue:sst2:train", LABELS)) == 10, "all shards count"


def test_pairs_without_gold_label_are_skipped(hub, glue):
    hub.add("datasets/nyu-mll/glue", glue)
    examples = open_data("hub:nyu-mll/glue:mnli:validation_matched", ("contradiction", "entailment", "neutral"))
    assert [(example.text_pair, example.label) for example in examples.examples] == [("Nobody is awake.", 2)]
    assert examples.n_skipped == 1
    examples = open_data("hub:nyu-mll/glue:mnli:validation_matched", ("LABEL_0", "LABEL_1", "LABEL_2"))
    assert examples.examples[0].label == 1
    assert "does not name its classes" in examples.notice
    with pytest.raises(UserError, match=r"The classes of .* are entailment, neutral, contradiction, and those of the"):
        open_data("hub:nyu-mll/glue:mnli:validation_matched", LABELS)


def test_the_card_says_which_files_are_which(hub, tmp_path):
    folder = tmp_path / "served" / "carded"
    write_card(folder, CARD)
    save_sentiment(folder / "parts" / "dev-a.parquet", names=())
    save(folder / "parts" / "unlabelled.parquet", {"sentence": ["a", "b"], "label": [-1, -1]})
    save(folder / "other" / "deep" / "x.parquet", {"premise": ["a"], "hypothesis": ["b"], "label": [0]})
    hub.add("datasets/org/carded", folder)
    dataset = find_dataset("org/carded")
    assert [(split.config, split.name, split.n_rows) for split in dataset.splits] == [
        ("sst2", "validation", 4),
        ("sst2", "test", None),
        ("mnli", "train", None),
    ]
    assert open_data("hub:org/carded:sst2:validation", LABELS).examples[0].label == 0
    refuse("hub:org/carded:sst2:test", "has no labelled rows; choose a file or a part of the data with labels")


def test_what_the_hub_converted_serves_where_there_is_no_parquet(hub, tmp_path):
    plain = tmp_path / "served" / "plain"
    plain.mkdir(parents=True)
    (plain / "train.csv").write_text("sentence,label\n")
    hub.add("datasets/org/old", plain)
    refuse("hub:org/old:train", "'org/old' has no parquet files, and no others are read here")
    converted = tmp_path / "served" / "converted"
    save_sentiment(converted / "default" / "train" / "0000.parquet")
    save_sentiment(converted / "default" / "partial-test" / "0000.parquet")
    hub.add("datasets/org/old", converted, ref="refs/convert/parquet")
    assert len(open_data("hub:org/old:train", LABELS)) == 4
    assert "converted a part of this data set only" in open_data("hub:org/old:default:test", LABELS).notice


def test_renamed_sets_and_revisions(hub, glue, tmp_path):
    hub.add("datasets/nyu-mll/glue", glue, ref="v1")
    hub.add("datasets/glue", glue, renamed_to="datasets/nyu-mll/glue")
    dataset = find_dataset("glue@v1")
    assert dataset.name == "nyu-mll/glue"
    assert "'glue' is called 'nyu-mll/glue' on the Hub now" in dataset.notice
    assert len(open_data("hub:nyu-mll/glue@v1:sst2:validation", LABELS)) == 4
    refuse("hub:nyu-mll/glue@v2:sst2:validation", "has no revision 'v2'")
    for text in (f"{hub.url}/datasets/nyu-mll/glue", "https://huggingface.co/datasets/nyu-mll/glue/viewer/sst2/train"):
        assert parse_dataset_id(text).name == "nyu-mll/glue"
    assert parse_dataset_id("https://huggingface.co/datasets/imdb").name == "imdb"
    assert parse_dataset_id("datasets/nyu-mll/glue").name == "nyu-mll/glue"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hub:org/missing:a:b", "There is no data set 'org/missing' on the Hub"),
        ("hub:nyu-mll/glue", r"names no split: add one of :mnli:validation_matched, :sst2:train"),
        ("hub:nyu-mll/glue:train", "'nyu-mll/glue' has 2 configurations: choose one of mnli, sst2"),
        ("hub:nyu-mll/glue:cola:train", "has no configuration 'cola': choose one of mnli, sst2"),
        ("hub:nyu-mll/glue:sst2:tets", "nyu-mll/glue:sst2 has no split 'tets': choose one of train, validation"),
        ("hub:nyu-mll/glue:a:b:c", "write hub:ID:CONFIG:SPLIT"),
        ("hub:../../etc:a", "is no name of a data set"),
        ("hub:", "names no data set"),
        ("hub:org/gated:sst2:train", "'org/gated' is gated: accept its terms at .*/datasets/org/gated, then"),
        ("hub:org/gone:sst2:train", "The Hub has disabled 'org/gone': choose another data set"),
    ],
)
def test_a_refusal_is_one_sentence(hub, glue, text, sentence):
    hub.add("datasets/nyu-mll/glue", glue)
    hub.add("datasets/org/gated", glue, gated=True)
    hub.add("datasets/org/gone", glue, disabled=True)
    refuse(text, sentence)


def test_a_gated_set_opens_with_a_token_that_the_file_host_does_not_get(hub, glue, monkeypatch):
    hub.add("datasets/org/gated", glue, gated=True)
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    assert len(open_data("hub:org/gated:sst2:validation", LABELS)) == 4
    assert all("authorization" not in headers for _, path, headers in hub.requests if path.startswith("/cdn"))


def test_limits_hold_before_the_download(hub, glue):
    hub.add("datasets/nyu-mll/glue", glue)
    with pytest.raises(UserError, match=r"more than the limit of 0\.0 MB: choose a smaller part"):
        open_data("hub:nyu-mll/glue:sst2:train", LABELS, DataLimits(100, 1000))
    assert not hub.list_paths("/cdn/")
    examples = open_data("hub:nyu-mll/glue:sst2:train", LABELS, DataLimits(3, 10**6))
    assert len(examples) == 3
    assert "Only the first 3 of 10 rows are used." in examples.notice
    refuse("hub:nyu-mll/glue:mnli:train", "has no configuration 'mnli'", hub_limits=HubLimits(offline=True))
    refuse("hub:org/other:sst2:train", "is not asked in offline mode", hub_limits=HubLimits(offline=True))
    listed = HubLimits(curated_only=True)
    assert len(open_data("hub:nyu-mll/glue:sst2:train", LABELS, hub_limits=listed)) == 10
    refuse("hub:org/other:sst2:train", "is not among the data sets that may be used here", hub_limits=listed)
    refuse("hub:nyu-mll/glue@v1:sst2:train", "is not among the data sets that may be", hub_limits=listed)


def test_the_copy_in_the_cache_serves_without_the_hub(hub, glue, monkeypatch):
    write_card(glue, "license: mit")
    model = hub.add("datasets/nyu-mll/glue", glue)
    open_data("hub:nyu-mll/glue:sst2:validation", LABELS)
    model.errors = [500] * 3
    assert "error of its own (500): the copy in the cache" in find_dataset("nyu-mll/glue").notice
    offline = HubLimits(offline=True)
    assert len(open_data("hub:nyu-mll/glue:sst2:validation", LABELS, hub_limits=offline)) == 4
    assert [split.name for split in find_dataset("nyu-mll/glue", limits=offline).splits] == ["validation"]
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached" in find_dataset("nyu-mll/glue").notice
    refuse("hub:org/other:a:b", "cannot be reached, and 'org/other' is not in the cache: try again later, or use a")


def test_a_slow_answer_ends_after_five_seconds(hub, glue, monkeypatch):
    monkeypatch.setattr("attattr_core.hub.client.PATIENCE", 0.3)
    hub.add("datasets/nyu-mll/glue", glue, delay=3)
    started = time.monotonic()
    refuse("hub:nyu-mll/glue:sst2:train", "cannot be reached")
    assert time.monotonic() - started < 2


def test_a_stopped_download_resumes_and_a_false_file_is_never_used(hub, glue):
    save_sentiment(glue / "sst2" / "large-00000-of-00001.parquet", n=4)
    save(glue / "sst2" / "large-00000-of-00001.parquet", {
        "sentence": [f"{row * 7919 % 100_003} {row}" for row in range(60_000)], "label": [0, 1] * 30_000
    })  # fmt: skip
    file_name = "sst2/large-00000-of-00001.parquet"
    model = hub.add("datasets/nyu-mll/glue", glue, pause=0.02)
    split = choose_split(find_dataset("nyu-mll/glue"), "sst2", "large")
    steps = download(split)
    next(step for step in steps if step.n_bytes > split.split.n_bytes / 2)
    steps.close()
    hub.requests.clear()
    list(download(split))
    assert any("range" in headers for _, path, headers in hub.requests if path.startswith("/cdn/"))
    assert len(read_split(split, DataLimits()).rows) == 60_000
    content = (glue / file_name).read_bytes()
    model.contents["sst2/validation-00000-of-00001.parquet"] = content[:-1]
    refuse("hub:nyu-mll/glue:sst2:validation", "arrived broken")


def test_names_of_files_lead_nowhere_else(hub, glue):
    model = hub.add("datasets/nyu-mll/glue", glue)
    evil = [
        {"rfilename": name, "size": 4, "blobId": "0" * 40, "lfs": {"size": 4, "sha256": "0" * 64, "pointerSize": 1}}
        for name in ("../../x-00000-of-00001.parquet", "/etc/x-00000-of-00001.parquet", "a/../b-00000-of-00001.parquet")
    ]
    model.metadata = {"siblings": evil}
    refuse("hub:nyu-mll/glue:sst2:train", "has no parquet files")


@pytest.mark.parametrize(
    "front",
    [
        "configs: [[[[" + "[" * 5000,
        "configs: &a [*a]",
        "a: &a [1]\nconfigs: *a",
        "configs: 7\ndataset_info: x",
        "configs: [{config_name: [1], data_files: {train: {}}}]",
        "configs:\n- config_name: ../x\n  data_files: '*/train*'",
        "dataset_info: {features: [{name: label, dtype: {class_label: {names: {'0': a, '1': A}}}}]}",
        "!!python/object/apply:os.system ['true']",
    ],
)
def test_a_card_that_makes_no_sense_is_passed_over(hub, glue, front):
    write_card(glue, front)
    hub.add("datasets/nyu-mll/glue", glue)
    assert {split.config for split in find_dataset("nyu-mll/glue").splits} <= {"sst2", "mnli"}
