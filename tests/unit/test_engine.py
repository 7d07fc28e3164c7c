"""What is explained and how: targets, functions, rules, tolerances; and the causal meaning of the numbers."""

import numpy as np
import pytest
import torch
from engine_cases import PAIR, TEXT, assert_same, read_inputs
from random_models import build_checkpoint
from reference import read_attention, run_with

from attattr_core import Checkpoint, Settings, UserError, attribute, attribute_batch


@pytest.fixture
def checkpoint() -> Checkpoint:
    return build_checkpoint("bert")


def test_targets_by_name_index_and_prediction(checkpoint):
    checkpoint = Checkpoint(checkpoint.model, checkpoint.tokenizer, ("contradiction", "Neutral", "entailment"), "names")
    with torch.no_grad():
        own = checkpoint.model(**read_inputs(checkpoint, TEXT)).logits.softmax(-1)[0]
    settings = Settings(n_steps=1)
    names = ("neutral", "Neutral", 1, "1")
    results = [attribute(checkpoint, TEXT, target=name, settings=settings) for name in names]
    for result in results:
        assert_same(result, results[0], 0)
        assert result.target == 1
        assert result.output == pytest.approx(float(own[1]), abs=1e-12)
    predicted = attribute(checkpoint, TEXT, settings=settings)
    assert predicted.target == predicted.prediction == int(own.argmax())
    mixed = attribute_batch(checkpoint, [TEXT] * 4, targets=["predicted", 0, "entailment", 1], settings=settings)
    assert [result.target for result in mixed] == [predicted.target, 0, 2, 1]


@pytest.mark.parametrize("target", ["surprise", 3, -1, "", "-1", "1.0"])
def test_an_unknown_target_is_named_with_the_choices(checkpoint, target):
    with pytest.raises(UserError) as caught:
        attribute(checkpoint, TEXT, target=target)
    assert repr(target) in str(caught.value)
    assert "LABEL_0, LABEL_1, LABEL_2" in str(caught.value)


def test_the_number_of_targets_has_to_be_that_of_the_examples(checkpoint):
    with pytest.raises(UserError, match="2 examples but 1 targets"):
        attribute_batch(checkpoint, [TEXT, TEXT], targets=[0])


@pytest.mark.parametrize("n_labels", [1, 3])
@pytest.mark.parametrize("function", ["probability", "logit", "log-probability"])
def test_every_function_is_the_models_own_and_complete(function, n_labels):
    checkpoint = build_checkpoint("bert", n_labels=n_labels)
    result = attribute(checkpoint, *PAIR, target=n_labels - 1, settings=Settings(function=function, n_steps=64))
    with torch.no_grad():
        logits = checkpoint.model(**read_inputs(checkpoint, *PAIR)).logits[0]
    probabilities = logits.sigmoid() if n_labels == 1 else logits.softmax(-1)
    expected = {"logit": logits, "probability": probabilities, "log-probability": probabilities.log()}[function]
    assert result.output == pytest.approx(float(expected[-1]), abs=1e-12)
    np.testing.assert_allclose(result.probabilities, probabilities.numpy(), atol=1e-12)
    change = result.output - result.baseline_output
    np.testing.assert_allclose(result.attribution.sum((1, 2, 3)), change, atol=1e-9)
    assert np.abs(change).max() > 0.01
    assert result.converged.all()


def test_sums_err_as_their_rule_says_and_gauss_legendre_does_not(checkpoint):
    def find_gap(rule: str, n_steps: int) -> float:
        result = attribute(checkpoint, TEXT, settings=Settings(rule=rule, n_steps=n_steps))
        assert result.n_nodes.tolist() == [n_steps] * result.n_layers
        return np.abs(result.convergence_delta).max()

    for rule in ("left", "right"):  # errors of O(1/m): four times the nodes, a quarter of the gap
        assert find_gap(rule, 256) == pytest.approx(find_gap(rule, 64) / 4, rel=0.15)
    assert find_gap("gauss-legendre", 64) < 1e-6 * find_gap("left", 64)


def test_nodes_are_raised_until_the_tolerance_is_met(checkpoint):
    coarse, fine = (attribute(checkpoint, TEXT, settings=Settings(tolerance=t)) for t in (0.5, 1e-4))
    for result in (coarse, fine):
        assert result.converged.all()
        assert set(result.n_nodes.tolist()) <= {5, 9, 17, 33, 65}
        gap = np.abs(result.attribution.sum((1, 2, 3)) - (result.output - result.baseline_output))
        assert (gap <= result.largest_gap + 1e-12).all()
    assert fine.n_nodes.sum() > coarse.n_nodes.sum()
    one_less = attribute(checkpoint, TEXT, settings=Settings(n_steps=int(fine.n_nodes.max()) // 2))
    assert (np.abs(one_less.convergence_delta) > fine.largest_gap).any()


def test_the_two_ends_of_the_path_give_what_passes_of_their_own_give(checkpoint):
    """Gauss–Lobatto takes F(A′) from the node α = 0 and all layers' gradients at α = 1 from one backward pass."""
    result = attribute(checkpoint, *PAIR, settings=Settings(rule="gauss-lobatto", n_steps=65))
    expected = attribute(checkpoint, *PAIR, settings=Settings(rule="gauss-legendre", n_steps=64))
    np.testing.assert_allclose(result.attribution, expected.attribution, atol=2e-9)
    np.testing.assert_allclose(result.baseline_output, expected.baseline_output, atol=1e-13)


def test_a_tolerance_that_cannot_be_met_is_reported_not_hidden(checkpoint):
    result = attribute(checkpoint, TEXT, settings=Settings(rule="left", tolerance=1e-4))
    assert not result.converged.all()
    assert result.n_nodes.max() == 64


def test_changing_one_attention_entry_changes_the_output_as_its_attribution_says(checkpoint):
    """At α = 1 alone, attribution / attention is the gradient; finite differences of the model's own pass agree."""
    result = attribute(checkpoint, *PAIR, settings=Settings(rule="right", n_steps=1))
    inputs = read_inputs(checkpoint, *PAIR)
    gradients = result.attribution / result.attention
    step = 1e-5
    generator = np.random.default_rng(0)
    largest = [np.unravel_index(np.abs(layer).argmax(), layer.shape) for layer in gradients]
    for layer, own in enumerate(read_attention(checkpoint.model, inputs, result.n_layers)):
        for head, i, j in [largest[layer], *generator.integers(own.shape[1:], size=(5, 3))]:
            probabilities = []
            for change in (step, -step):
                attention = own.clone()
                attention[0, head, i, j] += change
                with torch.no_grad():
                    logits = run_with(checkpoint.model, inputs, layer, attention)
                probabilities.append(float(logits.softmax(-1)[0, result.target]))
            slope = (probabilities[0] - probabilities[1]) / (2 * step)
            assert slope == pytest.approx(gradients[layer, head, i, j], rel=1e-5, abs=1e-9)


def test_the_zero_baseline_is_the_model_with_the_layers_heads_masked(checkpoint):
    result = attribute(checkpoint, *PAIR, settings=Settings(n_steps=1))
    inputs = read_inputs(checkpoint, *PAIR)
    for layer, module in enumerate(checkpoint.model.bert.encoder.layer):
        # What a masked head leaves of the context is 0: the output projection then gives its bias alone.
        hook = module.attention.output.dense.register_forward_pre_hook(lambda _, args: (torch.zeros_like(args[0]),))
        with torch.no_grad():
            masked = checkpoint.model(**inputs).logits.softmax(-1)[0, result.target]
        hook.remove()
        assert result.baseline_output[layer] == pytest.approx(float(masked), abs=1e-12)
        assert abs(result.output - float(masked)) > 1e-3
