"""A model is given back exactly as it was, whatever happens, and threads that share it do not see each other."""

import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread

import pytest
import torch
from engine_cases import PAIR, TEXT, assert_same, read_inputs, take_snapshot
from random_models import build_checkpoint

from attattr_core import Checkpoint, Settings, UserError, attribute, attribute_layers
from attattr_core.engine import replay as replay_module
from attattr_core.engine.families import find_family
from attattr_core.engine.replay import Start, compute_context, instrumented, record, replay


@pytest.fixture
def checkpoint() -> Checkpoint:
    return build_checkpoint("bert")


@pytest.fixture(params=["bert", "albert", "t5", "falcon", "xlm"])
def marked(request) -> Checkpoint:
    """A model in an unusual state, every part of which has to come back."""
    checkpoint = build_checkpoint(request.param)
    model = checkpoint.model
    if find_family(request.param).routed:
        model.set_attn_implementation("sdpa")
    else:
        model.config._attn_implementation = "sdpa"
    for module in list(model.modules())[::3]:
        module.training = True
        module.forward = module.forward  # somebody else's patch
    for parameter in list(model.parameters())[::2]:
        parameter.requires_grad_(False)
    return checkpoint


def find_last_linear(model: torch.nn.Module) -> torch.nn.Linear:
    return [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]


def test_the_model_comes_back_after_success(marked):
    before = take_snapshot(marked.model)
    with instrumented(marked.model):
        assert take_snapshot(marked.model) != before
    assert take_snapshot(marked.model) == before
    attribute(marked, TEXT, settings=Settings(n_steps=2, baseline="unk"))
    assert take_snapshot(marked.model) == before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_the_model_comes_back_after_an_error_at_any_pass(marked, error, call):
    before = take_snapshot(marked.model)
    n_calls = 0

    def fail(module, args):
        nonlocal n_calls
        n_calls += 1
        if n_calls == call:
            raise error("stop")

    hook = find_last_linear(marked.model).register_forward_pre_hook(fail)
    with pytest.raises(error, match="stop"):
        attribute(marked, TEXT, settings=Settings(n_steps=1))
    hook.remove()
    assert take_snapshot(marked.model) == before
    assert attribute(marked, TEXT, settings=Settings(n_steps=1)).finished.all()


def test_the_model_comes_back_after_an_unknown_target(marked):
    before = take_snapshot(marked.model)
    with pytest.raises(UserError):
        attribute(marked, TEXT, target="surprise")
    assert take_snapshot(marked.model) == before


@pytest.mark.parametrize("abandon", [lambda parts: parts.close(), lambda parts: gc.collect()])
@pytest.mark.parametrize("n_parts", [1, 2])
def test_the_model_comes_back_when_layers_are_abandoned(marked, abandon, n_parts):
    before = take_snapshot(marked.model)
    parts = attribute_layers(marked, TEXT, settings=Settings(n_steps=2))
    for _ in range(n_parts):
        next(parts)
    assert take_snapshot(marked.model) != before
    abandon(parts)
    del parts
    gc.collect()
    assert take_snapshot(marked.model) == before


def test_the_model_comes_back_when_it_cannot_be_instrumented(marked, monkeypatch):
    before = take_snapshot(marked.model)
    own = replay_module._set_attention

    def refuse(model, family, name):
        if name in ("attattr", "eager"):
            raise ValueError("no such attention")
        own(model, family, name)

    monkeypatch.setattr(replay_module, "_set_attention", refuse)
    with pytest.raises(ValueError, match="no such attention"):
        attribute(marked, TEXT)
    monkeypatch.undo()
    assert take_snapshot(marked.model) == before
    assert attribute(marked, TEXT, settings=Settings(n_steps=1)).finished.all()


def test_an_inner_user_leaves_the_model_to_the_outer_one(checkpoint):
    before = take_snapshot(checkpoint.model)
    with instrumented(checkpoint.model):
        inside = take_snapshot(checkpoint.model)
        attribute(checkpoint, TEXT, settings=Settings(n_steps=1))
        assert take_snapshot(checkpoint.model) == inside
        assert len(record(checkpoint.model, read_inputs(checkpoint, TEXT)).layers) == 3
    assert take_snapshot(checkpoint.model) == before


def test_an_abandoned_generator_may_be_collected_while_another_call_starts(checkpoint, monkeypatch):
    """The collector runs at any allocation, so perhaps inside `instrumented`, where the lock is held already."""
    other = build_checkpoint("bert")
    before = take_snapshot(other.model), take_snapshot(checkpoint.model)
    parts = attribute_layers(other, TEXT, settings=Settings(n_steps=1))
    next(parts)
    own = type(checkpoint.model).set_attn_implementation

    def collect(self, name):
        if self is checkpoint.model:
            parts.close()
        own(self, name)

    monkeypatch.setattr(type(checkpoint.model), "set_attn_implementation", collect)
    thread = Thread(target=attribute, args=(checkpoint, TEXT), kwargs={"settings": Settings(n_steps=1)}, daemon=True)
    thread.start()
    thread.join(timeout=30)
    assert not thread.is_alive(), "it waits for itself"
    assert (take_snapshot(other.model), take_snapshot(checkpoint.model)) == before


def test_a_replay_that_fails_leaves_nothing_to_the_next_pass(checkpoint):
    inputs = read_inputs(checkpoint, TEXT)
    with torch.no_grad():
        own = checkpoint.model(**inputs).logits

    def fail(module, args, kwargs):
        raise RuntimeError("stop")

    with instrumented(checkpoint.model), torch.no_grad():
        clean = record(checkpoint.model, inputs)
        context = compute_context(clean.layers[2].attention, clean.layers[2].value)
        hook = checkpoint.model.bert.embeddings.register_forward_pre_hook(fail, with_kwargs=True)
        with pytest.raises(RuntimeError, match="stop"):
            replay(checkpoint.model, clean, [Start(2, 0 * context, torch.zeros(1, dtype=torch.long))])
        hook.remove()
        torch.testing.assert_close(checkpoint.model(**inputs).logits, own, atol=1e-12, rtol=0)


@pytest.mark.parametrize("family", ["bert", "gpt2", "deberta-v2", "xlnet"])
@pytest.mark.parametrize("n_threads", [2, 4])
def test_threads_share_a_model_and_a_plain_caller_notices_nothing(family, n_threads):
    checkpoint = build_checkpoint(family)
    jobs = [
        (("the film is not bad .",), Settings(n_steps=2)),
        (PAIR, Settings(n_steps=3, baseline="uniform")),
        (("good " * 80,), Settings(n_steps=1, function="logit")),
        (("a very good film .",), Settings(n_steps=2, baseline="unk")),
    ][:n_threads]
    alone = [attribute(checkpoint, *texts, settings=settings) for texts, settings in jobs]
    inputs = read_inputs(checkpoint, *PAIR)
    with torch.no_grad():
        own = checkpoint.model(**inputs).logits
    before, start, done = take_snapshot(checkpoint.model), Barrier(n_threads + 1), Event()

    def explain(job):
        start.wait(timeout=60)
        return [attribute(checkpoint, *job[0], settings=job[1]) for _ in range(4)]

    def call_plainly():
        start.wait(timeout=60)
        logits = []
        with torch.no_grad():
            while not done.is_set() or not logits:
                logits.append(checkpoint.model(**inputs).logits)
        return logits

    with ThreadPoolExecutor(n_threads + 1) as pool:
        plain = pool.submit(call_plainly)
        futures = [pool.submit(explain, job) for job in jobs]
        try:
            together = [future.result(timeout=300) for future in futures]
        finally:
            done.set()
        called = plain.result(timeout=60)
    for expected, results in zip(alone, together, strict=True):
        for result in results:
            assert_same(result, expected, 1e-12)
    for logits in called:
        torch.testing.assert_close(logits, own, atol=1e-12, rtol=0)
    assert take_snapshot(checkpoint.model) == before
