"""Contradicting names are pointed out, corrections checked; the probe finds the order or admits that it cannot."""

import subprocess
import sys
from copy import deepcopy
from dataclasses import FrozenInstanceError, replace
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import random_models
import torch
from random_models import build_checkpoint

from attattr_core import Checkpoint, UserError, load_checkpoint
from attattr_core.labels import probe as probing
from attattr_core.labels.naming import find_label_conflicts, has_real_names, probe_labels, rename_labels
from attattr_core.labels.tasks import read_tasks

ROOT = Path(__file__).resolve().parents[2]
NLI = ("entailment", "neutral", "contradiction")


@pytest.fixture(scope="module")
def sst2() -> Checkpoint:
    return load_checkpoint("sst2", device="cpu")


@pytest.fixture(scope="module")
def snli() -> Checkpoint:
    return load_checkpoint("snli", device="cpu")


def permute(checkpoint: Checkpoint, order: tuple[int, ...], labels: tuple[str, ...]) -> Checkpoint:
    """The same classifier with its outputs in another order."""
    model = deepcopy(checkpoint.model)
    model.classifier.weight.data = model.classifier.weight.data[list(order)]
    model.classifier.bias.data = model.classifier.bias.data[list(order)]
    return replace(checkpoint, model=model, labels=labels)


# -------------------------------------------------------------------------------------------- names in a config


@pytest.mark.parametrize(
    ("id2label", "label2id", "sentences"),
    [
        ({"0": "negative", "1": "positive"}, {"negative": 0, "positive": 1}, []),
        ({0: "negative", 1: "positive"}, None, []),
        (
            {"0": "negative", "1": "positive"},
            {"negative": 1, "positive": 0},
            [
                "'negative' is class 0, label2id that it is class 1",
                "'positive' is class 1, label2id that it is class 0",
            ],
        ),
        ({"0": "no", "1": "yes"}, {"LABEL_0": 0, "LABEL_1": 1}, ["does not: LABEL_0, LABEL_1"]),
        ({"0": "LABEL_0", "1": "LABEL_1"}, {"LABEL_0": 0, "LABEL_1": 1}, ["LABEL_0, LABEL_1 says nothing"]),
        ({"0": "no", "1": " "}, {}, ["Class 1 has no name"]),
        ({"0": "no", "1": None}, {}, ["Class 1 has no name"]),
        ({"0": "Yes", "1": "yes"}, {}, ["share a name: Yes, yes"]),
        ({"1": "no", "2": "yes"}, {}, ["numbered 1, 2 instead of from 0 to 1"]),
        ({"0": "no", "1": "yes"}, ["no", "yes"], ["label2id is not a table"]),
        ({}, {}, ["names no classes"]),
        (None, {"no": 0}, ["names no classes"]),
        ({"0": "no", "1": "yes"}, {"no": [0], "yes": {"a": 1}}, ["'no' is class 0", "'yes' is class 1"]),
    ],
)
def test_conflicts_are_pointed_out_in_a_sentence_each(id2label, label2id, sentences):
    found = find_label_conflicts(id2label, label2id)
    assert len(found) == len(sentences)
    for sentence, expected in zip(found, sentences, strict=True):
        assert expected in sentence
        assert sentence.endswith(".")


def test_a_hostile_config_gives_few_and_short_sentences():
    names = {str(index): "x" * 1000 + str(index) for index in range(20_000)}
    swapped = {name: len(names) - 1 - int(index) for index, name in names.items()}
    found = find_label_conflicts(names, swapped)
    assert len(found) <= 7
    assert max(map(len, found)) < 400


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(("no", "yes"), True), (("LABEL_0", "LABEL_1"), False), (("yes", "class 1"), False), (("0", "1"), False)],
)
def test_placeholders_are_told_from_names(labels, expected):
    assert has_real_names(labels) is expected


# ----------------------------------------------------------------------------------------------------- corrections


def test_corrected_names_share_the_model():
    checkpoint = build_checkpoint(n_labels=2)
    corrected = rename_labels(checkpoint, [" bad ", "good"])
    assert corrected.labels == ("bad", "good")
    assert corrected.model is checkpoint.model
    assert checkpoint.labels == ("LABEL_0", "LABEL_1")
    assert corrected.find_target("good", 0) == 1
    with pytest.raises(FrozenInstanceError):
        corrected.labels = ("a", "b")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["a"], "There are 1 label names for 2 classes"),
        (["a", "b", "c"], "There are 3 label names for 2 classes"),
        (["a", " "], "The name of class 1 is ''"),
        (["a", "b\nc"], "The name of class 1 is"),
        (["a", "A "], "'A' is given twice"),
        (["a", "x" * 81], "81 characters: up to 80"),
        (["Predicted", "b"], "stands for whatever the model predicts"),
        ("ab", "give a list"),
        (["a", 1], "give a list"),
    ],
)
def test_names_that_will_not_do_are_refused_in_a_sentence(names, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        rename_labels(SimpleNamespace(labels=("LABEL_0", "LABEL_1")), names)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------- the probe


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_the_order_of_sentiment_is_found_without_names(sst2, order):
    proposal = probe_labels(permute(sst2, order, ("LABEL_0", "LABEL_1")))
    assert proposal.labels == tuple(("negative", "positive")[index] for index in order)
    assert (proposal.confidence, proposal.task, proposal.suspicion) == ("sure", "sentiment", "")
    assert proposal.margin > 0.9
    assert "16 of 16" in proposal.summary


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_entailment_is_found_without_names(snli, order):
    proposal = probe_labels(permute(snli, order, ("LABEL_0", "LABEL_1", "LABEL_2")))
    assert proposal.labels == tuple(NLI[index] for index in order)
    assert (proposal.confidence, proposal.task) == ("sure", "nli")


def test_the_evidence_is_what_the_model_says(snli):
    proposal = probe_labels(replace(snli, labels=("LABEL_0", "LABEL_1", "LABEL_2")))
    assert len(proposal.evidence) == 24
    assert {len(probe.texts) for probe in proposal.evidence} == {2}
    for probe in proposal.evidence:
        assert sum(probe.probabilities) == pytest.approx(1)
        assert probe.matches == (proposal.labels[int(np.argmax(probe.probabilities))] == probe.expected)
    right = [probe.probabilities[proposal.labels.index(probe.expected)] for probe in proposal.evidence]
    assert proposal.agreement == pytest.approx(np.mean(right))


def test_right_names_are_confirmed_in_their_own_spelling(sst2):
    proposal = probe_labels(replace(sst2, labels=("Neg", "POSITIVE")))
    assert (proposal.labels, proposal.confidence, proposal.suspicion) == (("Neg", "POSITIVE"), "sure", "")


def test_swapped_names_are_a_suspicion_and_nothing_changes(snli):
    swapped = replace(snli, labels=("CONTRADICTION", "ENTAILMENT", "NEUTRAL"))
    before = {name: tensor.clone() for name, tensor in swapped.model.state_dict().items()}
    proposal = probe_labels(swapped)
    assert proposal.labels == ("ENTAILMENT", "NEUTRAL", "CONTRADICTION")
    assert proposal.suspicion.startswith(
        "The names say CONTRADICTION, ENTAILMENT, NEUTRAL, but the model answers as if"
    )
    assert swapped.labels == ("CONTRADICTION", "ENTAILMENT", "NEUTRAL")
    assert all(torch.equal(before[name], tensor) for name, tensor in swapped.model.state_dict().items())


def test_names_of_no_known_task_are_left_alone_without_running_the_model():
    proposal = probe_labels(SimpleNamespace(labels=("toxic", "harmless")))
    assert (proposal.labels, proposal.confidence, proposal.evidence) == (("toxic", "harmless"), "unclear", ())


def test_numbers_of_classes_without_a_task_are_left_alone():
    labels = tuple(f"LABEL_{index}" for index in range(7))
    assert "no task with 7 classes" in probe_labels(SimpleNamespace(labels=labels)).summary


def test_a_model_that_is_not_what_its_names_say_is_unclear(snli):
    proposal = probe_labels(replace(snli, labels=("negative", "neutral", "positive")))
    assert (proposal.confidence, proposal.labels, proposal.suspicion) == (
        "unclear",
        ("negative", "neutral", "positive"),
        "",
    )


@pytest.mark.parametrize("n_labels", [1, 2, 3, 5])
@pytest.mark.parametrize("family", ["bert", "distilbert", "mobilebert", "gpt2", "bart"])
def test_random_models_are_unclear(monkeypatch, family, n_labels):
    for seed in range(3):
        monkeypatch.setattr(random_models, "crc32", lambda name, seed=seed: seed)
        proposal = probe_labels(build_checkpoint(family, n_labels=n_labels, dtype=torch.float32))
        assert proposal.confidence == "unclear", proposal.summary
        assert proposal.labels == tuple(f"LABEL_{index}" for index in range(n_labels))


def test_a_decoder_without_a_padding_token_is_probed():
    assert probe_labels(build_checkpoint("gpt2", n_labels=2, pad_token=False)).confidence == "unclear"


def test_damaged_weights_are_unclear(sst2):
    broken = permute(sst2, (0, 1), ("LABEL_0", "LABEL_1"))
    broken.model.classifier.weight.data.fill_(torch.nan)
    assert "not numbers" in probe_labels(broken).summary


@pytest.mark.parametrize(("sign", "expected"), [(1, "positive"), (-1, "negative")])
def test_a_single_logit_is_named_by_what_a_high_value_means(sst2, sign, expected):
    model = deepcopy(sst2.model)
    single = torch.nn.Linear(384, 1)
    single.weight.data = sign * model.classifier.weight.data.diff(dim=0)
    single.bias.data = sign * model.classifier.bias.data.diff(dim=0)
    model.classifier, model.num_labels = single, 1
    proposal = probe_labels(replace(sst2, model=model, labels=("LABEL_0",)))
    assert (proposal.labels, proposal.confidence) == ((expected,), "sure")
    assert {probe.expected for probe in proposal.evidence} == {"high", "low"}


def answer(task, order, *, n_wrong=0, certainty=0.95):
    """Outputs of a classifier that knows the task, with its classes in the order given."""
    outputs = np.full((len(task.probes), len(order)), (1 - certainty) / max(1, len(order) - 1))
    for index, (_, kind) in enumerate(task.probes):
        column = order.index(kind)
        outputs[index, (column + 1) % len(order) if index < n_wrong else column] = certainty
    return outputs


def pretend(monkeypatch, name: str, order: tuple[int, ...], **options):
    """Makes every model answer as a classifier of one task, and by chance to the probes of others."""
    generator = np.random.default_rng(0)

    def run(checkpoint, task):
        if task.name == name:
            return answer(task, order, **options)
        return generator.dirichlet(np.ones(len(order)), len(task.probes))

    monkeypatch.setattr(probing, "_run", run)


@pytest.mark.parametrize("name", [name for name, task in read_tasks().items() if len(task.names) in task.sizes])
def test_each_task_is_found_in_both_directions(monkeypatch, name):
    task = read_tasks()[name]
    for order in (tuple(range(len(task.names))), tuple(reversed(range(len(task.names))))):
        pretend(monkeypatch, name, order)
        proposal = probe_labels(SimpleNamespace(labels=tuple(f"LABEL_{index}" for index in order)))
        assert proposal.task == name
        assert proposal.labels == tuple(task.names[index] for index in order)
        assert proposal.confidence == "sure"


def test_errors_make_a_proposal_less_confident(monkeypatch):
    levels = []
    for n_wrong in (0, 3, 8):
        pretend(monkeypatch, "paraphrase", (0, 1), n_wrong=n_wrong)
        levels.append(probe_labels(SimpleNamespace(labels=("LABEL_0", "LABEL_1"))).confidence)
    assert levels == ["sure", "likely", "unclear"]


def test_hesitant_probabilities_are_not_enough(monkeypatch):
    pretend(monkeypatch, "sentiment", (0, 1), certainty=0.6)
    assert probe_labels(SimpleNamespace(labels=("LABEL_0", "LABEL_1"))).confidence == "unclear"


def test_two_readings_that_fit_alike_lower_the_confidence(monkeypatch):
    monkeypatch.setattr(probing, "_run", lambda checkpoint, task: answer(task, (0, 1)))
    proposal = probe_labels(SimpleNamespace(labels=("LABEL_0", "LABEL_1")))
    assert proposal.confidence == "likely"
    assert proposal.rival
    assert "might also decide" in proposal.summary


def test_ranks_are_counted_as_by_hand():
    counts = [probing._count_ranks(2, 2, n) for n in range(5)]
    assert counts == [1, 1, 2, 1, 1]
    assert probing._sum_ranks(12, 12, 0) == 2704156  # 24 over 12


def test_probes_are_balanced_and_differ():
    for task in read_tasks().values():
        kinds = [kind for _, kind in task.probes]
        assert len({kinds.count(kind) for kind in range(len(task.names))}) == 1
        assert len({texts for texts, _ in task.probes}) == len(task.probes)
        assert len({len(texts) for texts, _ in task.probes}) == 1
        assert task.find_classes(task.names) in (tuple(range(len(task.names))), None)


def test_names_are_checked_without_torch():
    code = (
        "import sys; from attattr_core.labels.naming import find_label_conflicts; find_label_conflicts({}, {});"
        " print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "False"
