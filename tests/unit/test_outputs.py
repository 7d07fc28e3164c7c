"""What a head's logits mean is read from the config, and F, probabilities and prediction follow from it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from engine_cases import PAIR, read_inputs
from random_models import build_checkpoint

from attattr_core import Checkpoint, Settings, UserError, attribute, attribute_batch, load_attribution, save_attribution
from attattr_core.engine.outputs import compute_output, compute_probabilities, find_output_kind
from attattr_core.pictures import draw_overview
from attattr_core.view import select_map


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"num_labels": 3}, "softmax"),
        ({"num_labels": 2, "problem_type": "single_label_classification"}, "softmax"),
        ({"num_labels": 2, "finetuning_task": "sts-b"}, "softmax"),
        ({"num_labels": 1}, "sigmoid"),
        ({"num_labels": 1, "problem_type": "single_label_classification", "finetuning_task": "mrpc"}, "sigmoid"),
        ({"num_labels": 1, "problem_type": "regression"}, "regression"),
        ({"num_labels": 2, "problem_type": "regression"}, "regression"),
        *(({"num_labels": 1, "finetuning_task": t}, "regression") for t in ("sts-b", "stsb", "STS-B", "glue:sts-b")),
        ({"num_labels": 4, "problem_type": "multi_label_classification"}, "multi-label"),
        ({"num_labels": 1, "problem_type": "multi_label_classification"}, "sigmoid"),
        ({"num_labels": 3, "problem_type": ["nonsense"], "finetuning_task": 7}, "softmax"),
    ],
)
def test_the_kind_of_output_is_read_from_the_config(config, kind):
    assert find_output_kind(SimpleNamespace(**config)) == kind


def test_outputs_in_numbers():
    logits = torch.tensor([[0.0, np.log(3)]])
    target = torch.tensor([1])
    expected = {"softmax": 0.75, "multi-label": 0.75, "sigmoid": 0.75, "regression": np.log(3)}
    for kind, value in expected.items():
        assert compute_output(logits, target, "probability", kind).item() == pytest.approx(value)
        assert compute_probabilities(logits, kind)[0, 1].item() == pytest.approx(value)
        assert compute_output(logits, target, "logit", kind).item() == pytest.approx(np.log(3))
    assert compute_probabilities(logits, "multi-label")[0, 0].item() == pytest.approx(0.5)
    assert compute_output(logits, target, "log-probability", "sigmoid").item() == pytest.approx(np.log(0.75))


def build(kind: str) -> Checkpoint:
    problem = {"multi-label": "multi_label_classification", "regression": "regression"}.get(kind)
    checkpoint = build_checkpoint("bert", n_labels=1 if kind in ("sigmoid", "regression") else 3)
    checkpoint.model.config.problem_type = problem
    return checkpoint


@pytest.mark.parametrize("function", ["probability", "logit"])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "multi-label", "regression"])
def test_what_is_explained_is_what_the_head_gives(kind, function, tmp_path):
    checkpoint = build(kind)
    with torch.no_grad():
        logits = checkpoint.model(**read_inputs(checkpoint, *PAIR)).logits[0]
    own = {"softmax": logits.softmax(-1), "regression": logits}.get(kind, logits.sigmoid()).numpy()
    result = attribute(checkpoint, *PAIR, settings=Settings(function=function, n_steps=128))
    assert result.output_kind == kind
    assert result.target == result.prediction == (0 if kind == "regression" else int(own.argmax()))
    np.testing.assert_allclose(result.probabilities, own, atol=1e-12)
    explained = logits.numpy() if function == "logit" else own
    assert result.output == pytest.approx(float(explained[result.target]), abs=1e-12)
    np.testing.assert_allclose(result.attribution.sum((1, 2, 3)), result.output - result.baseline_output, atol=1e-6)
    save_attribution(result, tmp_path / "result.npz")
    assert load_attribution(tmp_path / "result.npz").output_kind == kind


def test_a_value_is_not_called_a_probability():
    checkpoint = build("regression")
    result = attribute(checkpoint, *PAIR, settings=Settings(n_steps=1))
    assert result.unit == select_map(result, 0, 0).unit == "value"
    assert draw_overview(result).get_suptitle().startswith("value of “LABEL_0”")
    with pytest.raises(UserError, match="predicts a value, which has no log-probability: choose 'logit'"):
        attribute(checkpoint, *PAIR, settings=Settings(function="log-probability"))


def test_several_values_are_explained_one_by_one():
    checkpoint = build_checkpoint("bert")
    checkpoint.model.config.problem_type = "regression"
    results = attribute_batch(checkpoint, [PAIR] * 3, targets=["predicted", 1, 2], settings=Settings(n_steps=1))
    assert [result.target for result in results] == [0, 1, 2]
    for result in results:
        assert result.output == result.probabilities[result.target]
