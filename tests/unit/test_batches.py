"""Batched = single, whatever the padding, the chunks and the order in which layers are asked for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from engine_cases import EXAMPLES, PAIR, TEXT, as_texts, assert_same
from random_models import build_checkpoint, build_model, build_tokenizer

from attattr_core import Checkpoint, Settings, UserError, attribute, attribute_batch, attribute_layers
from attattr_core.engine import batches, chunks, integration, path
from attattr_core.engine.replay import replay


def count(parts: tuple) -> int:
    """Counts the rows of a replay."""
    return sum(len(start.examples) for start in parts[-1])


@pytest.fixture
def checkpoint() -> Checkpoint:
    return build_checkpoint("bert")


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2", "llama", "t5"])
@pytest.mark.parametrize(
    ("dtype", "baseline", "tolerance"),
    [(torch.float64, "uniform", 1e-11), (torch.float64, "unk", 1e-11), (torch.float32, "zero", 2e-6)],
)
def test_each_example_of_a_batch_gives_what_it_gives_alone(family, dtype, baseline, tolerance):
    checkpoint = build_checkpoint(family, dtype=dtype)
    # T5 reads its last </s> and wants equally many in each example of a batch.
    examples = EXAMPLES[:4] if family == "t5" else EXAMPLES
    settings = Settings(n_steps=3, baseline=baseline)
    batch = attribute_batch(checkpoint, examples, settings=settings)
    assert len(batch) == len(examples)
    for example, result in zip(examples, batch, strict=True):
        assert_same(result, attribute(checkpoint, *as_texts(example), settings=settings), tolerance)


def test_the_batch_above_does_pad(checkpoint, monkeypatch):
    """Without this the test above could pass because every example ran alone."""
    masks = []
    forward = checkpoint.model.forward
    monkeypatch.setattr(
        checkpoint.model, "forward", lambda **inputs: masks.append(inputs["attention_mask"]) or forward(**inputs)
    )
    attribute_batch(checkpoint, EXAMPLES, settings=Settings(n_steps=1))
    assert sum(int((mask == 0).any()) for mask in masks) > 2


def test_each_example_of_a_batch_gets_its_own_number_of_nodes(checkpoint):
    settings = Settings(tolerance=1e-4)
    batch = attribute_batch(checkpoint, EXAMPLES, settings=settings)
    assert len({int(n) for result in batch for n in result.n_nodes}) > 1
    for example, result in zip(EXAMPLES, batch, strict=True):
        assert_same(result, attribute(checkpoint, *as_texts(example), settings=settings), 1e-11)
        assert result.converged.all()


def test_a_decoder_without_a_padding_token_in_a_batch():
    checkpoint = build_checkpoint("gpt2", pad_token=False)
    examples = ["the film is not bad .", TEXT]
    batch = attribute_batch(checkpoint, examples, settings=Settings(n_steps=1))
    for example, result in zip(examples, batch, strict=True):
        assert_same(result, attribute(checkpoint, example, settings=Settings(n_steps=1)), 1e-11)


def test_mobilebert_with_a_trained_padding_embedding_in_a_batch():
    checkpoint = build_checkpoint("mobilebert")
    with torch.no_grad():
        checkpoint.model.get_input_embeddings().weight[0] = 1.0
    batch = attribute_batch(checkpoint, EXAMPLES[:2], settings=Settings(n_steps=1))
    for example, result in zip(EXAMPLES, batch, strict=False):
        assert_same(result, attribute(checkpoint, example, settings=Settings(n_steps=1)), 1e-11)


def test_an_encoder_decoder_takes_sentences_and_pairs_in_one_call():
    checkpoint = build_checkpoint("bart")
    examples = ["the film is not very good , and it is dull", PAIR]
    batch = attribute_batch(checkpoint, examples, settings=Settings(n_steps=1))
    for example, result in zip(examples, batch, strict=True):
        assert_same(result, attribute(checkpoint, *as_texts(example), settings=Settings(n_steps=1)), 1e-11)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_gives_what_the_cpu_gives(checkpoint):
    on_cpu = attribute_batch(checkpoint, EXAMPLES, settings=Settings(n_steps=5))
    checkpoint.model.to("cuda")
    for one, other in zip(attribute_batch(checkpoint, EXAMPLES, settings=Settings(n_steps=5)), on_cpu, strict=True):
        assert_same(one, other, 1e-10)


def test_an_empty_batch_is_empty(checkpoint):
    assert attribute_batch(checkpoint, []) == []


@pytest.mark.parametrize("baseline", ["zero", "unk"])
def test_results_do_not_depend_on_how_many_rows_run_at_once(checkpoint, monkeypatch, baseline):
    settings = Settings(n_steps=5, baseline=baseline)
    whole = attribute_batch(checkpoint, EXAMPLES, settings=settings)
    n_rows = []
    monkeypatch.setattr(chunks, "CPU_BYTES", 1)
    monkeypatch.setattr(path, "replay", lambda *parts: n_rows.append(count(parts)) or replay(*parts))
    for one, other in zip(attribute_batch(checkpoint, EXAMPLES, settings=settings), whole, strict=True):
        assert_same(one, other, 1e-12)
    assert set(n_rows) == {1}


def test_layers_of_a_short_text_run_in_one_pass(checkpoint, monkeypatch):
    passes = []
    monkeypatch.setattr(path, "replay", lambda *parts: passes.append(parts[-1]) or replay(*parts))
    together = attribute(checkpoint, TEXT, settings=Settings(n_steps=3))
    n_layers = checkpoint.model.config.num_hidden_layers
    ends, nodes = passes  # F(A′), then the gradients
    for one, n_rows in ((ends, 1), (nodes, 3)):
        assert [(start.layer, len(start.examples)) for start in one] == [(layer, n_rows) for layer in range(n_layers)]
    passes.clear()
    monkeypatch.setattr(chunks, "CPU_TOKENS", 3 * len(together.tokens))  # a layer's nodes
    assert_same(attribute(checkpoint, TEXT, settings=Settings(n_steps=3)), together, 1e-12)
    assert [[start.layer for start in one] for one in passes] == [[n] for n in reversed(range(n_layers)) for _ in "ab"]


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("MPS backend out of memory (x)")], ids=repr
)
def test_a_full_card_halves_the_chunks_and_gives_the_same_result(checkpoint, monkeypatch, caplog, error):
    settings = Settings(n_steps=6)
    whole = attribute_batch(checkpoint, EXAMPLES, settings=settings)
    n_rows = []

    def run(*parts):
        if count(parts) > 5:
            raise error
        n_rows.append(count(parts))
        return replay(*parts)

    monkeypatch.setattr(path, "replay", run)
    for one, other in zip(attribute_batch(checkpoint, EXAMPLES, settings=settings), whole, strict=True):
        assert "memory of cpu was short" in one.notice
        assert_same(replace(one, notice=other.notice), other, 1e-12)
    assert 2 <= max(n_rows) <= 5  # halved, not one by one
    assert "the work goes on" in caplog.text


def test_a_card_that_is_full_only_on_the_way_back(checkpoint, monkeypatch):
    """Gradients take more than the pass: of the nodes, and of the clean pass at α = 1."""
    settings = Settings(rule="gauss-lobatto", n_steps=5)
    whole = attribute_batch(checkpoint, EXAMPLES, settings=settings)
    differentiate, n_failures = torch.autograd.grad, []

    def fail(outputs, inputs):
        if len(inputs[0] if isinstance(inputs, list) else inputs) > 1:
            n_failures.append(isinstance(inputs, list))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return differentiate(outputs, inputs)

    monkeypatch.setattr(torch.autograd, "grad", fail)
    for one, other in zip(attribute_batch(checkpoint, EXAMPLES, settings=settings), whole, strict=True):
        assert "memory of cpu was short" in one.notice
        assert_same(replace(one, notice=other.notice), other, 1e-12)
    assert set(n_failures) == {True, False}


def test_what_cannot_be_cut_is_said_in_one_sentence(checkpoint, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(integration, "compute_context", fail)
    with pytest.raises(UserError, match="does not hold texts of 9 tokens: take a shorter text"):
        attribute(checkpoint, TEXT)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_card_that_is_really_full():
    """As many rows as would fit an empty card, on one whose memory is taken but for a little."""
    model = build_model("bert", dtype=torch.float32, hidden_size=192, intermediate_size=768).to("cuda")
    checkpoint = Checkpoint.from_model(model, build_tokenizer())
    settings, examples = Settings(rule="gauss-lobatto", n_steps=65), [PAIR] * 32  # 2,048 rows of half a megabyte
    whole = attribute_batch(checkpoint, examples, settings=settings)
    torch.cuda.empty_cache()
    used = torch.cuda.memory_allocated() + 100 * 2**20
    torch.cuda.set_per_process_memory_fraction(used / torch.cuda.get_device_properties(0).total_memory)
    try:
        found = attribute_batch(checkpoint, examples, settings=settings)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    for one, other in zip(found, whole, strict=True):
        assert "memory of cuda:0 was short" in one.notice
        assert_same(replace(one, notice=other.notice), other, 1e-5)


def test_what_does_not_fit_at_all_is_said_in_one_sentence(checkpoint, monkeypatch):
    def run(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(path, "replay", run)
    with pytest.raises(UserError, match="does not hold texts of 9 tokens: take a shorter text"):
        attribute(checkpoint, TEXT)
    monkeypatch.setattr(batches, "record", run)
    with pytest.raises(UserError, match="does not hold texts of 9 tokens: take a shorter text"):
        attribute(checkpoint, TEXT)


def test_other_errors_of_a_chunk_are_not_taken_for_full_memory(checkpoint, monkeypatch):
    def run(*_):
        raise RuntimeError("a size does not match")

    monkeypatch.setattr(path, "replay", run)
    with pytest.raises(RuntimeError, match="a size does not match"):
        attribute(checkpoint, TEXT)


@pytest.mark.parametrize(
    "option", [{"return_dict": False}, {"output_attentions": True}, {"output_hidden_states": True}], ids=str
)
def test_what_a_configuration_asks_the_model_to_return_does_not_matter(checkpoint, option):
    plain = attribute(checkpoint, TEXT, settings=Settings(n_steps=2))
    checkpoint.model.config.update(option)
    assert_same(attribute(checkpoint, TEXT, settings=Settings(n_steps=2)), plain, 0)


def test_layers_come_from_the_top_down(checkpoint):
    whole = attribute(checkpoint, *PAIR)
    n = whole.n_layers
    parts = list(attribute_layers(checkpoint, *PAIR))
    assert len(parts) == n + 1
    for n_done, part in enumerate(parts):
        assert part.finished.tolist() == [False] * (n - n_done) + [True] * n_done
        assert np.isnan(part.convergence_delta[: n - n_done]).all()
        assert (part.n_nodes[: n - n_done] == 0).all()
        np.testing.assert_array_equal(part.attribution[n - n_done :], whole.attribution[n - n_done :])
        np.testing.assert_array_equal(part.attention, whole.attention)
    assert_same(parts[-1], whole, 0)
