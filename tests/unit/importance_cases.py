"""Labelled texts for tests of head importance, and each method by its literal definition, one example at a time."""

import torch
from engine_cases import EXAMPLES, as_texts, read_inputs
from reference import attribute_by_definition, read_attention, run

from attattr_core import Checkpoint
from attattr_core.attribution import OutputKind
from attattr_core.datasets import Example, ExampleSet
from attattr_core.engine.outputs import find_output_kind
from attattr_core.engine.quadrature import compute_nodes

LABELS = (0, 2, 1, 1, 0, 2)


def build_examples(
    texts=EXAMPLES, labels=LABELS, names=("LABEL_0", "LABEL_1", "LABEL_2"), values=None, sha256="0" * 64
) -> ExampleSet:
    """The engine's examples, which are of several lengths, with labels or values."""
    values = values or [None] * len(texts)
    examples = []
    for text, label, value in zip(texts, labels, values, strict=True):
        first, *second = as_texts(text)
        examples.append(Example(first, second[0] if second else None, label, value))
    return ExampleSet(tuple(examples), tuple(names), (), "made.tsv", sha256, 0)


def compute_loss(logits: torch.Tensor, example: Example, kind: OutputKind) -> torch.Tensor:
    """The loss of one example, written out."""
    if kind == "regression":
        return (logits[0, 0] - example.value) ** 2
    if kind == "sigmoid":
        probability = logits[0, 0].sigmoid()
        return -torch.log(probability if example.value else 1 - probability)
    probabilities = logits[0].softmax(-1) if kind == "softmax" else logits[0].sigmoid()
    return -torch.log(probabilities[example.label])


def differentiate_by_definition(checkpoint: Checkpoint, example: Example, *, of_logits: bool = False) -> torch.Tensor:
    """Σ_i |∂loss/∂g_h[i]| at g = 1, a factor of row i of the head's probabilities: ⟨∂loss/∂C_h[i], C_h[i]⟩; (L, H)."""
    inputs = read_inputs(checkpoint, *filter(None, (example.text, example.text_pair)))
    shape = find_shape(checkpoint, inputs)
    gates = torch.ones(*shape, inputs["input_ids"].shape[1], 1, dtype=torch.float64, requires_grad=True)
    logits = run(checkpoint.model, inputs, lambda k, own: own * gates[k] if k < len(gates) else own)
    kind = find_output_kind(checkpoint.model.config)
    loss = logits.sum() if of_logits else compute_loss(logits, example, kind)
    return torch.autograd.grad(loss, gates)[0].abs().sum((2, 3))


def ablate_by_definition(checkpoint: Checkpoint, example: Example) -> torch.Tensor:
    """What is lost without each head, (2, L, H): right answers, and the probability of the gold answer."""
    inputs = read_inputs(checkpoint, *filter(None, (example.text, example.text_pair)))
    kind = find_output_kind(checkpoint.model.config)

    def judge(off: tuple[int, int] | None) -> torch.Tensor:
        def change(layer, own):
            keep = torch.ones(own.shape[1], dtype=own.dtype)
            if off and off[0] == layer:
                keep[off[1]] = 0
            return own * keep[:, None, None]

        with torch.no_grad():
            logits = run(checkpoint.model, inputs, change)
        loss = compute_loss(logits, example, kind)
        if kind == "regression":
            return torch.stack([-loss, torch.zeros_like(loss)])
        right = (logits[0, 0] > 0) == bool(example.value) if kind == "sigmoid" else logits.argmax() == example.label
        return torch.stack([right.double(), (-loss).exp()])

    n_layers, n_heads = find_shape(checkpoint, inputs)
    rows = [torch.stack([judge(None) - judge((k, h)) for h in range(n_heads)], 1) for k in range(n_layers)]
    return torch.stack(rows, 1)


def attribute_gold_by_definition(checkpoint: Checkpoint, example: Example, n_steps: int) -> torch.Tensor:
    """The largest entry of each head's attribution of the gold label's probability, (L, H)."""
    inputs = read_inputs(checkpoint, *filter(None, (example.text, example.text_pair)))
    attention = read_attention(checkpoint.model, inputs, find_shape(checkpoint, inputs)[0])
    nodes, weights = (part.tolist() for part in compute_nodes("gauss-legendre", n_steps))
    maps = [
        attribute_by_definition(
            checkpoint.model, inputs, layer, own, torch.zeros_like(own), example.label, nodes, weights
        )
        for layer, own in enumerate(attention)
    ]
    return torch.stack([part.amax((1, 2)) for part in maps])


def find_maxima_by_definition(checkpoint: Checkpoint, example: Example) -> torch.Tensor:
    """The largest attention probability of each head, (L, H)."""
    inputs = read_inputs(checkpoint, *filter(None, (example.text, example.text_pair)))
    maps = read_attention(checkpoint.model, inputs, find_shape(checkpoint, inputs)[0])
    return torch.stack([own[0].amax((1, 2)) for own in maps])


def find_shape(checkpoint: Checkpoint, inputs: dict[str, torch.Tensor]) -> tuple[int, int]:
    """Layers that attend in the encoder (some modules run twice), and heads."""
    config = checkpoint.model.config
    n_layers = config.num_hidden_layers * getattr(config, "inner_group_num", 1)
    return n_layers, read_attention(checkpoint.model, inputs, 1)[0].shape[1]
