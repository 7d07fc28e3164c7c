"""A pruned head is one whose probabilities are zero, in every family, wherever a pass starts."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from engine_cases import EXAMPLES, TEXT, as_texts, read_inputs, take_snapshot
from random_models import build_checkpoint, build_model, in_double

from attattr_core.engine.encoding import encode
from attattr_core.engine.families import FAMILIES, count_heads
from attattr_core.engine.replay import instrumented, run_masked, run_pruned
from attattr_core.errors import UnsupportedModelError
from attattr_core.heads.predictions import list_buckets, predict_pruned

INNER = {"inner_group_num": 2}  # layers that each layer of ALBERT is made of


def make_masks(shape: tuple[int, int], n_masks: int = 10) -> np.ndarray:
    """Different masks, sorted; the first ones are none and whole, some differ in their upper layers only."""
    masks = np.random.default_rng(0).random((n_masks, *shape)) < 0.6
    masks[0], masks[1], masks[3:5] = False, True, masks[2]
    masks[3, 1:], masks[4, 2:] = True, False
    return np.unique(masks.reshape(n_masks, -1), axis=0).reshape(-1, *shape)


def run_by_definition(checkpoint, inputs, mask: np.ndarray) -> torch.Tensor:
    """The logits by the reference: probabilities multiplied by 0 in a whole pass of the plain model."""
    factors = torch.from_numpy(mask).double()[:, None, :, None, None]

    def change(layer: int, attention: torch.Tensor) -> torch.Tensor:
        return attention * factors[layer] if layer < len(factors) else attention  # a decoder's comes after

    with torch.no_grad():
        return reference.run(checkpoint.model, inputs, change)


@pytest.mark.parametrize(("family", "options"), [*((family, {}) for family in FAMILIES), ("albert", INNER)])
def test_pruning_is_zeroing_the_probabilities(family, options):
    with in_double():
        checkpoint = build_checkpoint(family)
        checkpoint = replace(checkpoint, model=build_model(family, **options)) if options else checkpoint
        inputs = read_inputs(checkpoint, TEXT)
        masks = make_masks(count_heads(checkpoint.model.config))
        expected = torch.cat([run_by_definition(checkpoint, inputs, mask) for mask in masks])
        found, outputs = [], []
        with instrumented(checkpoint.model):
            for index, mask in enumerate(masks):
                n_shared = int((mask != masks[index - 1]).any(axis=1).argmax()) if index else 0
                done = run_pruned(checkpoint.model, inputs, torch.from_numpy(mask), below=outputs[:n_shared])
                outputs = done.outputs
                found.append(done.logits)
    torch.testing.assert_close(torch.cat(found), expected, atol=1e-10, rtol=0)
    assert expected.std(dim=0).max() > 1e-3


def test_a_head_mask_is_a_mask_of_whole_matrices():
    checkpoint = build_checkpoint("roberta")
    inputs = read_inputs(checkpoint, TEXT)
    with instrumented(checkpoint.model):
        for mask in make_masks(count_heads(checkpoint.model.config)):
            factors = torch.from_numpy(mask).double()
            found = run_pruned(checkpoint.model, inputs, factors).logits
            expected = run_masked(checkpoint.model, inputs, factors[None, :, :, None, None])
            torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5", "deberta-v2", "mobilebert"])
def test_predictions_do_not_depend_on_the_batch(family):
    with in_double():
        checkpoint = build_checkpoint(family)
        encoded = [encode(checkpoint, *as_texts(example)) for example in EXAMPLES]
        masks = make_masks(count_heads(checkpoint.model.config))
        buckets = list_buckets(checkpoint, encoded)
        assert sorted(index for bucket in buckets for index in bucket) == list(range(len(EXAMPLES)))
        for bucket in buckets:
            together = np.stack(list(predict_pruned(checkpoint, [encoded[index] for index in bucket], masks)))
            for place, index in enumerate(bucket):
                (alone,) = np.stack(list(predict_pruned(checkpoint, [encoded[index]], masks)), axis=1)
                np.testing.assert_array_equal(together[:, place], alone)
                inputs = read_inputs(checkpoint, *as_texts(EXAMPLES[index]))
                expected = [run_by_definition(checkpoint, inputs, mask).argmax().item() for mask in masks]
                np.testing.assert_array_equal(alone, expected)


def test_an_abandoned_prediction_leaves_the_model_clean():
    checkpoint = build_checkpoint("bert")
    before = take_snapshot(checkpoint.model)
    steps = predict_pruned(checkpoint, [encode(checkpoint, TEXT)], make_masks(count_heads(checkpoint.model.config)))
    next(steps)
    steps.close()
    assert take_snapshot(checkpoint.model) == before


def test_a_layer_that_is_not_reached_is_an_error():
    checkpoint = build_checkpoint("bert")
    with instrumented(checkpoint.model), pytest.raises(UnsupportedModelError, match="cannot be pruned: 3 of 4 layers"):
        run_pruned(checkpoint.model, read_inputs(checkpoint, TEXT), torch.zeros(4, 4))
