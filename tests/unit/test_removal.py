"""A model without heads is the model that masks them, in every family, and it loads with transformers alone.

The models are random, in float64; `run_masked` says what their logits have to be.
"""

from functools import cache

import numpy as np
import pytest
import torch
from engine_cases import read_inputs, take_snapshot
from random_models import build_checkpoint, build_model, build_tokenizer, in_double
from transformers import AutoModelForSequenceClassification

from attattr_core import Checkpoint, UserError
from attattr_core.engine.families import FAMILIES, count_heads
from attattr_core.engine.replay import instrumented, record, run_masked
from attattr_core.heads.removal import can_cut, choose_heads, find_zeroed, remove_heads
from attattr_core.heads.results import HeadImportance
from attattr_core.heads.surgery import HeadSizes, plan_evenly
from attattr_core.heads.weights import WEIGHTS

PAIR = ("the film is not very good", "two men are playing")
load = cache(build_checkpoint)
every_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(autouse=True)
def _double():
    with in_double():
        yield


def run(model, inputs):
    extra = {"use_cache": False} if getattr(model.config, "use_cache", None) is not None else {}
    with torch.no_grad():
        return model(**inputs, **extra).logits


def mask(checkpoint, inputs, heads):
    masks = torch.ones(1, *count_heads(checkpoint.model.config), 1, 1, dtype=torch.float64)
    for layer, head in heads:
        masks[0, layer, head] = 0
    with instrumented(checkpoint.model):
        return run_masked(checkpoint.model, inputs, masks)


def pick(checkpoint) -> list[tuple[int, int]]:
    """One or two heads of each layer, and a whole layer; the same ones in layers that are one."""
    n_layers, n_heads = count_heads(checkpoint.model.config)
    if checkpoint.model.config.model_type == "albert":  # layers 0 and 1, and 2 and 3
        return [(0, 1), (1, 1), *((layer, head) for layer in (2, 3) for head in range(n_heads))]
    return [(layer, head) for layer in range(n_layers) for head in range(n_heads) if (layer + head) % 2 or layer == 1]


@every_family
def test_a_model_without_heads_is_the_masked_model(family):
    checkpoint = load(family)
    inputs, heads = read_inputs(checkpoint, *PAIR), pick(checkpoint)
    own, expected = run(checkpoint.model, inputs), mask(checkpoint, inputs, heads)
    assert not torch.allclose(own, expected, atol=1e-6)
    before, weights = take_snapshot(checkpoint.model), {k: v.clone() for k, v in checkpoint.model.state_dict().items()}
    for uneven in (False, True):
        smaller = remove_heads(checkpoint, heads, uneven=uneven)
        torch.testing.assert_close(run(smaller.checkpoint.model, inputs), expected, atol=1e-12, rtol=0)
        assert smaller.heads == tuple(heads)
        assert smaller.n_cut + smaller.n_zeroed == len(heads)
        assert (smaller.n_cut > 0) == can_cut(checkpoint.model.config, uneven=uneven)
        n_lost = sum(p.numel() for p in checkpoint.model.parameters()) - sum(
            p.numel() for p in smaller.checkpoint.model.parameters()
        )
        assert (n_lost > 0) == (smaller.n_cut > 0)
    assert take_snapshot(checkpoint.model) == before
    assert all(torch.equal(value, weights[name]) for name, value in checkpoint.model.state_dict().items())
    torch.testing.assert_close(run(checkpoint.model, inputs), own, atol=0, rtol=0)


@every_family
def test_what_is_saved_loads_with_transformers_alone(family, tmp_path):
    checkpoint = load(family)
    inputs, heads = read_inputs(checkpoint, *PAIR), pick(checkpoint)
    smaller = remove_heads(checkpoint, heads)
    smaller.checkpoint.model.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path, dtype=torch.float64).double()
    # gemma rounds the root of its width to float32 when it is built, xlnet all weights of its attention
    tolerance = 1e-5 if family in ("gemma", "xlnet") else 1e-12
    torch.testing.assert_close(run(loaded, inputs), mask(checkpoint, inputs, heads), atol=tolerance, rtol=0)
    assert count_heads(loaded.config) == count_heads(smaller.checkpoint.model.config)
    assert len(find_zeroed(loaded)) == smaller.n_zeroed


def test_layers_that_a_layer_of_albert_is_made_of_count_each():
    checkpoint = Checkpoint.from_model(build_model("albert", inner_group_num=2), build_tokenizer())
    inputs = read_inputs(checkpoint, *PAIR)
    heads = [(layer, 1) for layer in (1, 3)] + [(layer, 0) for layer in (4, 6)]
    smaller = remove_heads(checkpoint, heads)
    assert smaller.n_heads == 32
    torch.testing.assert_close(
        run(smaller.checkpoint.model, inputs), mask(checkpoint, inputs, heads), atol=1e-12, rtol=0
    )
    assert find_zeroed(smaller.checkpoint.model) == tuple(sorted(heads))
    with pytest.raises(UserError, match="layers 2, 4 of this 'albert' model are one set of weights"):
        remove_heads(checkpoint, heads[:1])


def test_every_family_is_in_the_table():
    assert set(WEIGHTS) == set(FAMILIES)


@pytest.mark.parametrize("family", ["bert", "xlnet", "gpt2", "llama", "t5", "squeezebert", "distilbert"])
def test_every_head_may_go(family):
    checkpoint = load(family)
    inputs = read_inputs(checkpoint, *PAIR)
    n_layers, n_heads = count_heads(checkpoint.model.config)
    heads = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    expected = mask(checkpoint, inputs, heads)
    for uneven in (False, True):
        smaller = remove_heads(checkpoint, heads, uneven=uneven)
        torch.testing.assert_close(run(smaller.checkpoint.model, inputs), expected, atol=1e-12, rtol=0)


def test_squeezed_output_projections_in_groups_are_zeroed_too():
    model = build_model("squeezebert", post_attention_groups=2)
    checkpoint = Checkpoint.from_model(model, build_tokenizer())
    inputs, heads = read_inputs(checkpoint, *PAIR), pick(checkpoint)
    smaller = remove_heads(checkpoint, heads)
    expected = mask(checkpoint, inputs, heads)
    torch.testing.assert_close(run(smaller.checkpoint.model, inputs), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("family", "options"),
    [("stablelm", {"qk_layernorm": True}), ("deberta-v2", {"share_att_key": False}), ("phi", {"qk_layernorm": True})],
)
def test_what_a_configuration_adds_for_each_head_is_minded(family, options):
    checkpoint = Checkpoint.from_model(build_model(family, **options), build_tokenizer(token_types=False))
    inputs, heads = read_inputs(checkpoint, *PAIR), pick(checkpoint)
    smaller = remove_heads(checkpoint, heads, uneven=True)
    expected = mask(checkpoint, inputs, heads)
    torch.testing.assert_close(run(smaller.checkpoint.model, inputs), expected, atol=1e-12, rtol=0)
    assert (smaller.n_cut > 0) == (family == "phi")


def test_removed_heads_stay_removed():
    checkpoint = load("bert")
    inputs = read_inputs(checkpoint, *PAIR)
    once = remove_heads(checkpoint, [(0, 0), (1, 2)])
    assert once.checkpoint.model.config.zeroed_heads == {"0": [0], "1": [2]}
    assert find_zeroed(once.checkpoint.model) == ((0, 0), (1, 2))
    twice = remove_heads(once.checkpoint, [(2, 3)])
    assert twice.heads == ((0, 0), (1, 2), (2, 3))
    expected = mask(checkpoint, inputs, twice.heads)
    torch.testing.assert_close(run(twice.checkpoint.model, inputs), expected, atol=1e-12, rtol=0)
    assert not hasattr(checkpoint.model.config, "zeroed_heads")


def test_zeros_are_found_in_the_weights_whatever_the_configuration_claims():
    model = build_model("bert")
    model.config.zeroed_heads = {"0": [0, 1], "9": "x"}  # as after training the model further
    checkpoint = Checkpoint.from_model(model, build_tokenizer())
    inputs = read_inputs(checkpoint, *PAIR)
    smaller = remove_heads(checkpoint, [(2, 1)])
    assert smaller.heads == ((2, 1),)
    assert smaller.checkpoint.model.config.zeroed_heads == {"2": [1]}
    torch.testing.assert_close(
        run(smaller.checkpoint.model, inputs), mask(checkpoint, inputs, [(2, 1)]), atol=1e-12, rtol=0
    )


def test_a_model_in_use_can_be_made_smaller():
    checkpoint = load("bert")
    inputs = read_inputs(checkpoint, *PAIR)
    expected = mask(checkpoint, inputs, [(0, 1)])
    with instrumented(checkpoint.model):
        smaller = remove_heads(checkpoint, [(0, 1)])
        clean = record(checkpoint.model, inputs)
    torch.testing.assert_close(run(smaller.checkpoint.model, inputs), expected, atol=1e-12, rtol=0)
    assert smaller.checkpoint.model.config._attn_implementation == "eager"
    torch.testing.assert_close(clean.logits, run(checkpoint.model, inputs), atol=1e-12, rtol=0)


def test_a_smaller_model_may_be_converted_and_the_other_one_stays():
    checkpoint = load("llama")
    smaller = remove_heads(checkpoint, [(0, 1)])
    smaller.checkpoint.model.half()
    assert {parameter.dtype for parameter in checkpoint.model.parameters()} == {torch.float64}


def test_shared_layers_lose_a_head_together_or_not_at_all():
    with pytest.raises(UserError, match="Head 3 of layer 1 cannot go alone: layers 1, 2"):
        remove_heads(load("albert"), [(0, 2)])
    assert remove_heads(load("albert"), [(0, 2), (1, 2)]).n_zeroed == 2


@pytest.mark.parametrize(
    ("heads", "sentence"),
    [
        ([], "choose at least one"),
        ([(3, 0)], "no head 1 in layer 4: the model has layers 1 to 3, each with heads 1 to 4"),
        ([(0, 0), (0, 4)], "no head 5 in layer 1"),
        ([(-1, 0)], "no head 1 in layer 0"),
        ([(0, 0.5)], "pairs of two indices"),
        ([(0,)], "pairs of two indices"),
        ([5], "pairs of two indices"),
    ],
)
def test_unknown_heads_are_refused_in_a_sentence(heads, sentence):
    with pytest.raises(UserError, match=sentence):
        remove_heads(load("bert"), heads)


def test_the_least_important_heads_go():
    importance = HeadImportance(np.array([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0]]), "attattr")
    assert choose_heads(importance, 0.5) == ((0, 1), (1, 0), (1, 2))
    assert choose_heads(importance, 1) == tuple((layer, head) for layer in range(2) for head in range(3))
    assert choose_heads(HeadImportance(np.zeros((1, 100)), "random"), 0.29)[-1] == (0, 27)  # 28.999…, as in curves
    for rate, sentence in ((0, "more than 0"), (1.2, "at most 1"), (0.1, "less than one head"), (float("nan"), "nan")):
        with pytest.raises(UserError, match=sentence):
            choose_heads(importance, rate)


def test_equal_cuts_leave_every_layer_what_the_fullest_one_needs():
    plain = HeadSizes(4, 4, 8)
    kept = plan_evenly([{0, 1}, {3}], plain)
    assert [part.heads for part in kept] == [[0, 2, 3], [0, 1, 2]]  # head 0 of the first layer stays as zeros
    assert [part.heads for part in plan_evenly([{0}, {3}], plain, divided=16)] == [[0, 1, 2, 3]] * 2  # 3 divides no 16
    assert [part.heads for part in plan_evenly([{0, 1, 2, 3}] * 2, plain)] == [[0]] * 2


def test_grouped_queries_lose_whole_groups_and_equally_many_heads_of_each():
    grouped = HeadSizes(8, 4, 8)  # heads 0 and 1 share keys and values, and so on
    (kept,) = plan_evenly([{0, 1, 4}], grouped)
    assert (kept.heads, kept.groups) == ([2, 3, 4, 5, 6, 7], [1, 2, 3])
    (kept,) = plan_evenly([{0, 3, 4, 7}], grouped)
    assert (kept.heads, kept.groups) == ([1, 2, 5, 6], [0, 1, 2, 3])
    first, second = plan_evenly([{0, 1, 2}, {4, 5, 6, 7}], grouped)
    assert (first.heads, first.groups) == ([2, 3, 4, 5, 6, 7], [1, 2, 3])
    assert (second.heads, second.groups) == ([0, 1, 2, 3, 4, 5], [0, 1, 2])
