"""Texts, and what it means that two results or two states of a model are the same."""

import numpy as np
import torch

from attattr_core import Attribution, Checkpoint
from attattr_core.engine.encoding import collate, encode

TEXT = "the film is not very good ."
PAIR = ("two men are playing music", "nobody is on stage")
# Lengths 8, 9, 9, 7, 13, 14: neighbours run together and the shorter ones are padded.
EXAMPLES = [
    "the film is not bad .",
    TEXT,
    "the film is dull and bad",
    "a very good film .",
    PAIR,
    ("two men are playing in a park", "nobody sleeps ."),
]


def as_texts(example: str | tuple[str, ...]) -> tuple[str, ...]:
    return (example,) if isinstance(example, str) else example


def read_inputs(checkpoint: Checkpoint, *texts: str) -> dict[str, torch.Tensor]:
    return collate(checkpoint, [encode(checkpoint, *texts)])


def assert_same(one: Attribution, other: Attribution, tolerance: float) -> None:
    for name in ("attention", "attribution", "probabilities", "output", "baseline_output", "convergence_delta"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=tolerance, rtol=0, err_msg=name)
    for name in ("tokens", "sentences", "words", "word_labels", "texts", "target", "notice"):
        assert getattr(one, name) == getattr(other, name)
    np.testing.assert_array_equal(one.n_nodes, other.n_nodes)


def take_snapshot(model: torch.nn.Module) -> dict[str, object]:
    return {
        "attention": [m.config._attn_implementation for m in model.modules() if hasattr(m, "config")],
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
        "gradients": [parameter.grad for parameter in model.parameters()],
        "training": [module.training for module in model.modules()],
        "forward": [vars(module).get("forward") for module in model.modules()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in model.modules()],
    }
