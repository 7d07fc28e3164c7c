"""Every family in the table is exact: identity, definition, completeness, padding; every other one is refused.

The models are random, in float64, and compared with their own eager attention (see `reference`).
"""

import json
from functools import cache

import numpy as np
import pytest
import torch
from engine_cases import as_texts, assert_same, take_snapshot
from random_models import CLS, build_checkpoint, build_model, in_double
from reference import attribute_by_definition, read_attention, run, run_with

from attattr_core import (
    Checkpoint,
    Settings,
    UnsupportedModelError,
    attribute,
    attribute_batch,
    load_checkpoint,
)
from attattr_core.engine import families
from attattr_core.engine.encoding import MAX_TOKENS, collate, encode, find_max_length, replace_words
from attattr_core.engine.families import FAMILIES, REFUSED, Family, check_config
from attattr_core.engine.integration import Integrator
from attattr_core.engine.quadrature import compute_nodes
from attattr_core.engine.replay import Start, compute_context, instrumented, record, replay, run_masked

PAIR = ("the film is not very good", "two men are playing")
# A ReLU puts kinks into the path, where no quadrature converges fast.
KINKED = {"mobilebert", "distilbert", "opt", "t5", "arcee", "nemotron", "persimmon"}

every_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(autouse=True)
def _double():
    with in_double():
        yield


load = cache(build_checkpoint)


def prepare(family: str) -> tuple[Checkpoint, dict[str, torch.Tensor], torch.Tensor]:
    checkpoint = load(family)
    inputs = collate(checkpoint, [encode(checkpoint, *PAIR)])
    with torch.no_grad():
        return checkpoint, inputs, checkpoint.model(**inputs).logits


def zeros(n: int) -> torch.Tensor:
    """The first example, n times."""
    return torch.zeros(n, dtype=torch.long)


@every_family
def test_recording_and_replaying_give_the_models_own_logits_and_attention(family):
    checkpoint, inputs, own = prepare(family)
    before, n = take_snapshot(checkpoint.model), 3
    with instrumented(checkpoint.model):
        clean = record(checkpoint.model, inputs)
        torch.testing.assert_close(clean.logits, own, atol=1e-12, rtol=0)
        for layer, part in enumerate(clean.layers):
            context = compute_context(part.attention, part.value).expand(n, -1, -1, -1)
            starts = [Start(layer, context, zeros(n))]
            torch.testing.assert_close(replay(checkpoint.model, clean, starts), own.expand(n, -1), atol=1e-12, rtol=0)
        if FAMILIES[family].joins:  # one row starts at the lowest layer, two at the next one, and so on
            starts = [
                Start(
                    layer, compute_context(part.attention, part.value).expand(layer + 1, -1, -1, -1), zeros(layer + 1)
                )
                for layer, part in enumerate(clean.layers)
            ]
            logits = replay(checkpoint.model, clean, starts)
            n_rows = sum(range(len(starts) + 1))
            torch.testing.assert_close(logits, own.expand(n_rows, -1), atol=1e-12, rtol=0)
    assert take_snapshot(checkpoint.model) == before
    eager = read_attention(checkpoint.model, inputs, len(clean.layers))
    for part, attention in zip(clean.layers, eager, strict=True):
        torch.testing.assert_close(part.attention, attention, atol=1e-12, rtol=0)
        if part.allowed is not None:
            assert torch.equal(part.allowed.expand_as(attention), attention > 0)


@every_family
def test_masked_attention_is_zeroed_attention(family):
    checkpoint, inputs, own = prepare(family)
    with instrumented(checkpoint.model):
        clean = record(checkpoint.model, inputs)
        n_layers = len(clean.layers)
        shape = (1, n_layers, *clean.layers[0].attention.shape[1:])
        mask = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) > 0.3).double()
        heads = mask[..., :1, :1]
        masks = torch.cat([torch.ones_like(mask), mask, heads.expand_as(mask)])
        tripled = {name: tensor.expand(3, -1) for name, tensor in inputs.items()}
        kept, entries, pruned = run_masked(checkpoint.model, tripled, masks).split(1)
    torch.testing.assert_close(kept, own, atol=1e-12, rtol=0)
    for masked, multiplier in ((entries, mask), (pruned, heads)):
        with torch.no_grad():
            change = lambda k, own, m=multiplier: own * m[:, k] if k < n_layers else own  # noqa: E731
            expected = run(checkpoint.model, inputs, change)
        torch.testing.assert_close(masked, expected, atol=1e-12, rtol=0)
        assert not torch.allclose(masked, own, atol=1e-9)


@every_family
@pytest.mark.parametrize("baseline", ["zero", "uniform", "unk"])
def test_attribution_equals_its_definition(family, baseline):
    checkpoint, inputs, own = prepare(family)
    result = attribute(checkpoint, *PAIR, settings=Settings(n_steps=3, baseline=baseline))
    assert result.target == int(own.argmax())
    assert np.abs(result.attribution).max() > 1e-3
    attention = read_attention(checkpoint.model, inputs, result.n_layers)
    starts = find_baselines(checkpoint, inputs, attention, baseline, result)
    nodes, weights = (part.tolist() for part in compute_nodes("gauss-legendre", 3))
    for layer in range(result.n_layers):
        expected = attribute_by_definition(
            checkpoint.model, inputs, layer, attention[layer], starts[layer], result.target, nodes, weights
        )
        np.testing.assert_allclose(result.attribution[layer], expected.numpy(), atol=1e-10, rtol=0)
        with torch.no_grad():
            start = run_with(checkpoint.model, inputs, layer, starts[layer]).softmax(-1)[0, result.target]
        assert result.baseline_output[layer] == pytest.approx(float(start), abs=1e-11)


def find_baselines(checkpoint, inputs, attention, baseline, result):
    """A′ of every layer, found without the engine."""
    if baseline == "zero":
        return [torch.zeros_like(own) for own in attention]
    if baseline == "uniform":
        return [(own > 0) / (own > 0).sum(-1, keepdim=True).double() for own in attention]
    special = torch.tensor([result.sentences]) == -1
    return read_attention(checkpoint.model, replace_words(checkpoint, inputs, special), result.n_layers)


@every_family
@pytest.mark.parametrize("baseline", ["zero", "uniform", "unk"])
def test_attributions_sum_to_the_change_and_more_nodes_come_closer(family, baseline):
    few, many = (attribute(load(family), *PAIR, settings=Settings(n_steps=n, baseline=baseline)) for n in (2, 128))
    for result in (few, many):
        gap = result.attribution.sum((1, 2, 3)) - (result.output - result.baseline_output)
        np.testing.assert_allclose(result.convergence_delta, gap, atol=1e-12)
    tolerance, floor = (2e-3, 1e-4) if family in KINKED else (1e-8, 1e-12)
    largest_gap = np.abs(many.convergence_delta).max()
    assert largest_gap < tolerance
    assert largest_gap < max(0.3 * np.abs(few.convergence_delta).max(), floor)


@every_family
def test_padding_changes_nothing(family):
    checkpoint, inputs, own = prepare(family)
    n_tokens = inputs["input_ids"].shape[1]
    # xlnet's head reads the last position: padding on the right, which changes what it reads, never happens to it
    sides, kept = ((5, 0), slice(5, None)) if family == "xlnet" else ((0, 5), slice(n_tokens))
    padded = {name: torch.nn.functional.pad(tensor, sides) for name, tensor in inputs.items()}
    settings = Settings(n_steps=2)
    with instrumented(checkpoint.model):
        plain, clean = record(checkpoint.model, inputs), record(checkpoint.model, padded)
        torch.testing.assert_close(clean.logits, own, atol=1e-11, rtol=0)
        for layer in range(len(plain.layers)):
            zero = torch.zeros(1, 1, 1, 1, dtype=own.dtype)
            target = own.argmax(-1)
            baselines = [zero] * len(plain.layers)
            (_, alone), (_, with_padding) = (
                next(Integrator(checkpoint.model, made, target, settings).integrate([layer], baselines))
                for made in (plain, clean)
            )
            cut = with_padding.attribution[..., kept, kept]
            torch.testing.assert_close(cut, alone.attribution, atol=1e-11, rtol=0)
            assert with_padding.attribution.abs().sum() - cut.abs().sum() == pytest.approx(0, abs=1e-11)
            torch.testing.assert_close(with_padding.convergence_delta, alone.convergence_delta, atol=1e-11, rtol=0)


@every_family
def test_a_batch_gives_what_each_example_gives_alone(family):
    examples = [PAIR[0], PAIR, "two men"]
    settings = Settings(n_steps=1, baseline="uniform")
    together = attribute_batch(load(family), examples, settings=settings)
    for example, result in zip(examples, together, strict=True):
        assert_same(result, attribute(load(family), *as_texts(example), settings=settings), 1e-11)


@every_family
def test_the_longest_text_fits_the_position_table(family):
    """The tokenizer names no limit here, so it is the model's; one position more would not fit."""
    checkpoint = load(family)
    tokenizer_limit, checkpoint.tokenizer.model_max_length = checkpoint.tokenizer.model_max_length, 1 << 40
    try:
        longest = find_max_length(checkpoint)
        encoded = encode(checkpoint, "good " * 100)
    finally:
        checkpoint.tokenizer.model_max_length = tokenizer_limit
    if family in {"t5", "mt5", "umt5", "bloom", "xlnet"}:  # positions are relative: only the general limit holds
        assert longest == MAX_TOKENS
        return
    assert longest < 102
    assert (len(encoded.tokens), encoded.n_cut) == (longest, 102 - longest)
    inputs = collate(checkpoint, [encoded])
    with torch.no_grad():
        assert checkpoint.model(**inputs).logits.isfinite().all()
    if FAMILIES[family].reserved_positions and family != "esm":  # here esm rotates and has no table
        one_more = {name: torch.nn.functional.pad(tensor, (1, 0), value=CLS) for name, tensor in inputs.items()}
        with pytest.raises((IndexError, RuntimeError), match="out of"), torch.no_grad():
            checkpoint.model(**one_more)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("albert", {"inner_group_num": 2}),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
        ("gpt_neox", {"use_parallel_residual": False}),
        ("opt", {"do_layer_norm_before": False}),
        ("esm", {"position_embedding_type": "absolute"}),
        ("modernbert", {"classifier_pooling": "mean"}),
        ("eurobert", {"classifier_pooling": "mean"}),
        ("t5", {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
        ("bert", {"is_decoder": True}),
        ("deberta", {"relative_attention": False, "pos_att_type": None}),
        ("deberta", {"pos_att_type": ["c2p"]}),
        ("deberta-v2", {"share_att_key": False, "position_buckets": -1, "conv_kernel_size": 3, "conv_act": "gelu"}),
        ("deberta-v2", {"norm_rel_ebd": "layer_norm", "pos_att_type": "c2p|p2c", "position_biased_input": True}),
        ("roformer", {"rotary_value": True}),
        ("big_bird", {"attention_type": "block_sparse"}),
        ("squeezebert", {"q_groups": 1, "v_groups": 2}),
        ("xlm", {"causal": True}),
        ("flaubert", {"summary_type": "mean"}),
        ("xlnet", {"summary_type": "first", "mem_len": None}),
        ("falcon", {"alibi": True, "multi_query": False}),
        ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
        ("bloom", {"apply_residual_connection_post_layernorm": True}),
    ],
)
def test_variants_of_a_family_equal_the_definition(family, options):
    checkpoint = Checkpoint.from_model(build_model(family, **options), load(family).tokenizer)
    inputs = collate(checkpoint, [encode(checkpoint, *PAIR)])
    result = attribute(checkpoint, *PAIR, settings=Settings(rule="left", n_steps=2))
    attention = read_attention(checkpoint.model, inputs, result.n_layers)
    for layer, own in enumerate(attention):
        expected = attribute_by_definition(
            checkpoint.model, inputs, layer, own, torch.zeros_like(own), result.target, [0, 0.5], [0.5, 0.5]
        )
        np.testing.assert_allclose(result.attribution[layer], expected.numpy(), atol=1e-10, rtol=0)


def test_a_sparse_bigbird_attends_fully_meanwhile_and_is_given_back():
    checkpoint = Checkpoint.from_model(build_model("big_bird", attention_type="block_sparse"), load("bert").tokenizer)
    modules, snapshot = list(checkpoint.model.modules()), take_snapshot(checkpoint.model)
    with instrumented(checkpoint.model):
        assert checkpoint.model.bert.attention_type == "original_full"
    assert checkpoint.model.bert.attention_type == "block_sparse"
    assert list(checkpoint.model.modules()) == modules
    assert take_snapshot(checkpoint.model) == snapshot


# ----------------------------------------------------------------------------------------------- what is refused


def compute_rise(family: str) -> float:
    """How much of the change along the path of a layer's attention comes after α = 0.05, in the layer with the most."""
    model = build_model(family)
    inputs = dict(load("roberta").tokenizer(*PAIR, return_tensors="pt"))

    def scale(layer: int, alpha: float) -> torch.Tensor:
        with torch.no_grad():
            return run(model, inputs, lambda k, own: own * alpha if k == layer else own)

    ends = [(scale(layer, 1), scale(layer, 0.05), scale(layer, 0)) for layer in range(model.config.num_hidden_layers)]
    return max(float((end - near).norm() / (end - start).norm()) for end, near, start in ends)


@pytest.mark.parametrize("family", ["gemma2", "gemma3_text", "olmo2", "olmo3", "glm4", "exaone4"])
def test_the_path_of_families_refused_as_flat_is_flat(family):
    assert "flat" in REFUSED[family]
    assert compute_rise(family) < 0.02


@every_family
def test_the_path_of_supported_families_is_not_flat(family):
    assert compute_rise(family) > 0.5


@pytest.mark.parametrize(
    ("family", "options", "reason"),
    [
        ("big_bird", {"attention_type": "block_sparse", "block_size": 16}, "block-sparse for texts of more than 176"),
        ("ibert", {"quant_mode": True}, "quant_mode"),
        ("deberta", {"talking_head": True}, "talking_head"),
        ("flaubert", {"pre_norm": True}, "pre_norm"),
        ("xlnet", {"attn_type": "uni"}, "attn_type"),
    ],
)
def test_configurations_without_one_exact_matrix_are_refused(family, options, reason):
    model = build_model(family, **options)
    with pytest.raises(UnsupportedModelError, match=reason):
        check_config(model.config)
    before = take_snapshot(model)
    with pytest.raises(UnsupportedModelError, match=reason):
        attribute(Checkpoint(model, load("bert").tokenizer, ("a", "b", "c"), "own"), *PAIR)
    assert take_snapshot(model) == before


@pytest.mark.parametrize("family", [*REFUSED, "no-such-family"])
def test_refused_families_say_why_before_weights_are_read(family, tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": family, "architectures": ["AnyForSequenceClassification"]}), encoding="utf-8"
    )
    (tmp_path / "model.safetensors").write_bytes(b"reading this would fail otherwise")
    with pytest.raises(UnsupportedModelError) as caught:
        load_checkpoint(tmp_path)
    assert repr(family) in str(caught.value)
    assert REFUSED.get(family, "not among the families that were checked") in str(caught.value)


def test_no_family_is_both_supported_and_refused():
    assert not set(FAMILIES) & set(REFUSED)


@pytest.mark.parametrize(
    ("family", "layers", "calls"),
    [
        ("mpnet", "encoder.layer", "[0, 0, 0]"),  # not routed, yet said to be
        ("deberta", "encoder.layer", "[0, 0, 0]"),
        ("diffllama", "layers", "[2, 2, 2]"),
    ],
)
def test_a_family_wrongly_in_the_table_is_refused_not_silently_empty(family, layers, calls, monkeypatch):
    monkeypatch.setitem(families.FAMILIES, family, Family(layers))
    checkpoint = Checkpoint.from_model(build_model(family), load("roberta").tokenizer)
    with pytest.raises(UnsupportedModelError) as caught:
        attribute(checkpoint, *PAIR)
    assert repr(family) in str(caught.value)
    assert calls in str(caught.value)
    assert not any("forward" in vars(module) for module in checkpoint.model.modules())
    assert checkpoint.model.config._attn_implementation == "eager"
