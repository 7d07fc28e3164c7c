"""The list of checkpoints is whole, agrees with the tasks that can be probed, and needs neither torch nor a network."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from attattr_core.checkpoints.curated import DATASETS, find_curated, read_curated
from attattr_core.labels.tasks import read_tasks

ROOT = Path(__file__).resolve().parents[2]
TASKS = {
    "SST-2": {"sentiment"},
    "MNLI": {"nli", "entailment"},
    "RTE": {"entailment"},
    "QNLI": {"answering"},
    "MRPC": {"paraphrase"},
    "QQP": {"paraphrase"},
}
FAMILIES = {"bert", "roberta", "distilbert", "electra", "albert", "deberta-v2", "modernbert"}


@pytest.mark.parametrize("entry", read_curated(), ids=lambda entry: entry.id)
def test_an_entry_is_whole(entry):
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", entry.id)
    assert entry.task in TASKS[entry.dataset]
    assert entry.family in FAMILIES
    task = read_tasks()[entry.task]
    assert entry.is_pair == (len(task.probes[0][0]) == 2)
    if entry.labels is None:
        assert entry.source == ""
    else:
        assert entry.source
        assert task.find_classes(entry.labels) is not None
    assert entry.n_parameters is None or 10_000_000 < entry.n_parameters < 500_000_000  # under the limit of 2 GB
    assert entry.has_safetensors in (True, None)
    assert entry.remark == "" or entry.remark.endswith(".")


def test_ids_are_unique_and_every_dataset_and_family_is_there():
    entries = read_curated()
    assert len({entry.id.casefold() for entry in entries}) == len(entries)
    assert {entry.dataset for entry in entries} == set(DATASETS)
    assert {entry.family for entry in entries} == FAMILIES
    assert any(entry.has_safetensors and entry.labels for entry in entries)


def test_the_three_orders_of_mnli_are_told_apart():
    first = {entry.labels[0] for entry in read_curated() if entry.task == "nli" and entry.labels}
    assert first == {"entailment", "contradiction"}
    assert find_curated("FacebookAI/roberta-large-mnli").labels == ("contradiction", "neutral", "entailment")
    assert find_curated("cross-encoder/nli-deberta-v3-xsmall").labels == ("contradiction", "entailment", "neutral")


def test_entries_are_found_by_id():
    entry = find_curated(" distilbert/DistilBERT-base-uncased-finetuned-sst-2-english ")
    assert entry is not None
    assert entry.labels == ("negative", "positive")
    assert find_curated("sst2") is None


def test_the_file_has_no_fields_beyond_those_read():
    fields = {tuple(entry) for entry in json.loads((ROOT / "assets" / "curated.json").read_text(encoding="utf-8"))}
    assert len(fields) == 1


def test_the_list_needs_no_torch():
    code = (
        "import sys, attattr_core.checkpoints.curated as listed; listed.read_curated(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "False"
