"""Head importance is what each method's definition says, in every family, whatever runs together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from engine_cases import EXAMPLES, take_snapshot
from importance_cases import (
    LABELS,
    ablate_by_definition,
    attribute_gold_by_definition,
    build_examples,
    differentiate_by_definition,
    find_maxima_by_definition,
)
from random_models import build_checkpoint, in_double

from attattr_core import Checkpoint, Settings, UserError
from attattr_core.engine import batches
from attattr_core.engine.encoding import encode
from attattr_core.engine.families import FAMILIES
from attattr_core.heads import importance as importance_module
from attattr_core.heads.golds import find_golds
from attattr_core.heads.importance import describe_importance, measure_importance
from attattr_core.heads.measures import TIE_WEIGHT, combine, find_maxima
from attattr_core.heads.results import METHODS

SOME = ("bert", "deberta-v2", "gpt2", "t5", "bart", "xlnet")


@pytest.fixture(autouse=True)
def _double():
    with in_double():
        yield


def measure(checkpoint: Checkpoint, examples, method="attattr", **options) -> np.ndarray:
    *_, last = measure_importance(checkpoint, examples, method, **options)
    return last.importance.values


def assert_close(found: np.ndarray, expected) -> None:
    assert np.abs(np.asarray(expected)).max() > 1e-7
    np.testing.assert_allclose(found, expected, atol=1e-9 * np.abs(np.asarray(expected)).max() + 1e-12, rtol=0)


def normalise(values: torch.Tensor) -> torch.Tensor:
    return values / values.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_taylor_is_the_gradient_of_the_loss_for_a_factor_of_each_row(family):
    checkpoint, examples = build_checkpoint(family), build_examples(EXAMPLES[:2], LABELS[:2])
    expected = sum(differentiate_by_definition(checkpoint, example) for example in examples.examples)
    assert_close(measure(checkpoint, examples, "taylor"), normalise(expected))


@pytest.mark.parametrize("family", SOME)
def test_methods_are_their_definitions_though_examples_run_together_and_are_padded(family):
    some = [0, 1, 4, 5]  # two lengths that run together, and two more
    examples = build_examples([EXAMPLES[index] for index in some], [LABELS[index] for index in some])
    checkpoint, each, n = build_checkpoint(family), examples.examples, len(examples)
    settings = Settings(n_steps=2)
    expected = sum(attribute_gold_by_definition(checkpoint, example, 2) for example in each)
    assert_close(measure(checkpoint, examples, settings=settings), expected)
    expected = sum(differentiate_by_definition(checkpoint, example) for example in each)
    assert_close(measure(checkpoint, examples, "taylor"), normalise(expected))
    expected = sum(differentiate_by_definition(checkpoint, example, of_logits=True) for example in each)
    assert_close(measure(checkpoint, examples, "taylor-authors"), normalise(expected))
    right, probability = sum(ablate_by_definition(checkpoint, example) for example in each)
    assert_close(measure(checkpoint, examples, "ablation"), (right + TIE_WEIGHT / n * probability) / n)
    expected = sum(find_maxima_by_definition(checkpoint, example) for example in each) / n
    assert_close(measure(checkpoint, examples, "attention"), expected)


def test_the_examples_above_do_run_together_and_are_padded(monkeypatch):
    masks = []
    own = batches.collate
    monkeypatch.setattr(batches, "collate", lambda *parts: masks.append(own(*parts)["attention_mask"]) or own(*parts))
    measure(build_checkpoint(), build_examples(), "attention")
    assert len(masks) < len(EXAMPLES)
    assert any((mask == 0).any() for mask in masks)


@pytest.mark.parametrize("method", METHODS[:-1])
def test_how_examples_are_batched_changes_nothing(monkeypatch, method):
    checkpoint, examples = build_checkpoint("roberta"), build_examples()
    settings = Settings(n_steps=2)
    together = measure(checkpoint, examples, method, settings=settings)
    monkeypatch.setattr(importance_module, "_CPU_TOKENS", 1)
    alone = measure(checkpoint, examples, method, settings=settings)
    np.testing.assert_allclose(alone, together, atol=1e-12, rtol=0)
    # the order of the batches cannot: every example's part is kept and added in the order of the data
    monkeypatch.setattr(importance_module, "list_batches", lambda *_: [[index] for index in (4, 0, 5, 2, 3, 1)])
    np.testing.assert_array_equal(measure(checkpoint, examples, method, settings=settings), alone)


def test_a_single_logit_speaks_for_its_label_and_against_it():
    checkpoint = build_checkpoint("bert", n_labels=1)
    answers = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0]
    examples = build_examples(labels=[0] * 6, names=("value",), values=answers)
    expected = sum(differentiate_by_definition(checkpoint, example) for example in examples.examples)
    assert_close(measure(checkpoint, examples, "taylor"), normalise(expected))
    right, probability = sum(ablate_by_definition(checkpoint, example) for example in examples.examples)
    assert_close(measure(checkpoint, examples, "ablation"), (right + TIE_WEIGHT / 6 * probability) / 6)
    # P(no) = 1 − P(yes): the largest entry for one is minus the smallest for the other
    yes, no = (
        measure(checkpoint, build_examples(labels=[0] * 6, names=("value",), values=[answer] * 6), n_examples=1)
        for answer in (1.0, 0.0)
    )
    assert np.abs(yes - no).max() > 1e-3
    by_class = build_examples(labels=[int(answer) for answer in answers], names=("no", "yes"))
    np.testing.assert_array_equal(measure(checkpoint, by_class), measure(checkpoint, examples))
    with pytest.raises(UserError, match=r"0\.5: give 0 and 1"):
        measure(checkpoint, build_examples(labels=[0] * 6, names=("value",), values=[0.5] * 6))
    with pytest.raises(UserError, match="two classes apart"):
        measure(checkpoint, build_examples())
    with pytest.raises(UserError, match="choose 'probability'"):
        measure(checkpoint, examples, settings=Settings(function="log-probability"))


def test_a_regression_has_the_squared_error():
    checkpoint = build_checkpoint("bert", n_labels=1)
    checkpoint.model.config.problem_type = "regression"
    examples = build_examples(labels=[0] * 6, names=("value",), values=[0.5, 3.0, 1.0, -2.0, 0.0, 4.5])
    expected = sum(differentiate_by_definition(checkpoint, example) for example in examples.examples)
    assert_close(measure(checkpoint, examples, "taylor"), normalise(expected))
    error, _ = sum(ablate_by_definition(checkpoint, example) for example in examples.examples)
    assert_close(measure(checkpoint, examples, "ablation"), error / 6)
    with pytest.raises(UserError, match="no log-probability"):
        measure(checkpoint, examples, settings=Settings(function="log-probability"))


def test_labels_with_probabilities_of_their_own():
    checkpoint = build_checkpoint("bert")
    checkpoint.model.config.problem_type = "multi_label_classification"
    examples = build_examples()
    expected = sum(differentiate_by_definition(checkpoint, example) for example in examples.examples)
    assert_close(measure(checkpoint, examples, "taylor"), normalise(expected))
    assert np.isfinite(measure(checkpoint, examples)).all()


def test_classes_are_matched_by_name_then_by_index():
    checkpoint = replace(build_checkpoint("bert"), labels=("no", "perhaps", "yes"))
    plain = find_golds(checkpoint, build_examples(), range(6)).targets.tolist()
    assert plain == list(LABELS)  # LABEL_0 and so on say nothing but the index
    turned = build_examples(names=("YES", "no", "perhaps"))
    assert find_golds(checkpoint, turned, range(6)).targets.tolist() == [(label + 2) % 3 for label in LABELS]
    fewer = build_examples(labels=[0, 1] * 3, names=("no", "yes"))
    assert find_golds(checkpoint, fewer, [1, 2]).targets.tolist() == [2, 0]
    with pytest.raises(UserError, match="The classes good, bad, odd are not those of the model, no, per"):
        find_golds(checkpoint, build_examples(names=("good", "bad", "odd")), range(6))
    with pytest.raises(UserError, match="are not those of the model"):
        find_golds(checkpoint, build_examples(names=("0", "1", "2", "3")), range(6))


def test_sums_by_hand():
    parts = np.array([[[[3.0, 4.0], [0.0, 0.0]]], [[[0.0, 0.0], [0.0, 2.0]]]])  # (N, K, L, H) = (2, 1, 2, 2)
    total, counts = parts.sum(axis=0), {"n_examples": 2, "n_tokens": 7}
    np.testing.assert_array_equal(combine(total, "attattr", **counts), [[3, 4], [0, 2]])
    np.testing.assert_array_equal(combine(total, "attention", **counts), [[1.5, 2], [0, 1]])
    np.testing.assert_allclose(combine(total, "taylor", **counts), [[0.6, 0.8], [0, 1]])
    np.testing.assert_allclose(combine(total, "taylor-authors", **counts), [[0.6, 0.8], [0, 1]])
    np.testing.assert_array_equal(combine(0 * total, "taylor", **counts), np.zeros((2, 2)))  # nothing divides by 0
    lost = np.array([[[[1.0, 0, 0]], [[0.5, 0.5, -1]]], [[[0.0, 0, 1]], [[0.1, 0.2, -1]]]])  # (2, 2, 1, 3)
    found = combine(lost.sum(axis=0), "ablation", **counts)
    np.testing.assert_allclose(found, [[0.5, 0, 0.5]], atol=TIE_WEIGHT / 2)  # no more than a thousandth of an example
    assert found[0].argsort().tolist() == [1, 2, 0]


def test_padding_is_no_part_of_a_maximum():
    checkpoint = build_checkpoint("bert")
    encoded = [encode(checkpoint, text) for text in ("a film", "a good film")]  # 4 and 5 tokens
    maps = -torch.arange(2 * 1 * 5 * 5).reshape(2, 1, 5, 5).double() - 1
    maps[0, 0, 4], maps[0, 0, :, 4] = 9.0, 9.0
    np.testing.assert_array_equal(find_maxima(maps, encoded), [[-1.0], [-26.0]])


def test_random_order_by_its_seed():
    checkpoint, examples = build_checkpoint("albert"), build_examples()
    first, again, other = (measure(checkpoint, examples, "random", seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert first.shape == other.shape == (4, 4)
    assert np.abs(first - other).max() > 0.1
    np.testing.assert_array_equal(
        measure(checkpoint, examples, "random"), measure(checkpoint, examples, "random", seed=0)
    )


def test_what_is_measured_is_said():
    checkpoint, examples = build_checkpoint("bert"), build_examples()
    settings = Settings(rule="left", n_steps=2)
    steps = list(measure_importance(checkpoint, examples, n_examples=5, seed=1, settings=settings))
    assert [step.n_total for step in steps] == [5] * len(steps)
    assert [step.importance.n_examples for step in steps] == [step.n_done for step in steps]
    shares = [step.share for step in steps]
    assert shares == sorted(set(shares))
    assert (steps[0].n_done, steps[-1].n_done, steps[-1].share) == (0, 5, 1)
    assert not steps[0].importance.values.any()  # a step is a layer of a batch, the values are of whole batches
    assert 1 < len({step.n_done for step in steps}) < len(steps)
    last = steps[-1].importance
    assert (last.method, last.model, last.data, last.data_sha256) == ("attattr", "bert", "made.tsv", "0" * 64)
    assert (last.n_examples, last.seed, last.settings) == (5, 1, settings)
    assert set(last.versions) == {"python", "torch", "transformers"}
    assert describe_importance(checkpoint, examples, "taylor", settings=settings).settings is None
    chosen = np.random.default_rng(1).permutation(6)[:5]
    picked = replace(examples, examples=tuple(examples.examples[index] for index in chosen))
    np.testing.assert_array_equal(last.values, measure(checkpoint, picked, settings=settings))


@pytest.mark.parametrize("method", METHODS[:-1])
@pytest.mark.parametrize("n_steps", [1, 2])
def test_a_stop_leaves_the_model_as_it_was(method, n_steps):
    checkpoint, examples = build_checkpoint("deberta-v2"), build_examples()
    before = take_snapshot(checkpoint.model)
    steps = measure_importance(checkpoint, examples, method)
    for _ in range(n_steps):
        next(steps)
    steps.close()
    assert take_snapshot(checkpoint.model) == before


@pytest.mark.parametrize("method", METHODS[:-1])
def test_an_error_leaves_the_model_as_it_was(method):
    checkpoint = build_checkpoint("bert")
    before = take_snapshot(checkpoint.model)

    def fail(module, args):
        raise KeyboardInterrupt

    hook = checkpoint.model.classifier.register_forward_pre_hook(fail)
    with pytest.raises(KeyboardInterrupt):
        measure(checkpoint, build_examples(), method)
    hook.remove()
    assert take_snapshot(checkpoint.model) == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("method", METHODS[:-1])
def test_a_gpu_gives_what_the_cpu_gives(method):
    checkpoint, examples = build_checkpoint("bert"), build_examples()
    on_cpu = measure(checkpoint, examples, method)
    checkpoint.model.to("cuda")
    np.testing.assert_allclose(measure(checkpoint, examples, method), on_cpu, atol=1e-10, rtol=0)


@pytest.mark.parametrize(
    ("method", "options", "sentence"),
    [
        ("magic", {}, "Unknown method 'magic': choose one of attattr, taylor"),
        ("attattr", {"n_examples": 0}, "number of examples is 0"),
        ("attattr", {"n_examples": 2.5}, "number of examples is 2.5"),
        ("attention", {"seed": -1}, "seed is -1"),
        ("random", {"seed": "x"}, "seed is x"),
    ],
)
def test_mistakes_are_one_sentence_before_any_work(method, options, sentence):
    with pytest.raises(UserError, match=sentence):
        measure_importance(build_checkpoint(), build_examples(), method, **options)


def test_data_that_cannot_be_used():
    checkpoint = build_checkpoint()
    with pytest.raises(UserError, match="no examples"):
        measure_importance(checkpoint, build_examples((), ()))
    with pytest.raises(UserError, match="is empty"):
        measure(checkpoint, build_examples([" "], [0]))
    with torch.no_grad():
        checkpoint.model.classifier.bias.fill_(torch.nan)
    for method in METHODS[:-1]:
        with pytest.raises(UserError, match="not numbers"):
            measure(checkpoint, build_examples(), method)
