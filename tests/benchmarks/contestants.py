"""Three ways to the same attribution of one layer: this project's, the authors' procedure, and captum's.

Each contestant is a class with ``start()``, which does what is needed once for all layers, and ``attribute(layers)``,
which yields the attribution of each layer, (H, T, T). Zero baseline, the probability of the predicted class, one
example.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from attattr_core.engine.integration import Integrator
from attattr_core.engine.replay import instrumented, record
from attattr_core.settings import Settings

AUTHORS_BATCH = 16  # nodes that the authors' generate_attrscore.py runs at a time; 64 are 4 batches


class Ours:
    """The engine under one setting; ``n_nodes`` and ``baseline_output`` are kept for the report."""

    def __init__(self, model: PreTrainedModel, inputs: dict[str, Tensor], settings: Settings) -> None:
        self.model, self.inputs, self.settings = model, inputs, settings
        self.n_nodes: dict[int, int] = {}
        self.baseline_output: dict[int, float] = {}

    def start(self) -> None:
        """Records the clean pass."""
        with instrumented(self.model):
            clean = record(self.model, self.inputs)
            target = clean.logits.argmax(-1)
            self.integrator = Integrator(self.model, clean, target, self.settings)
        self.output = float(clean.logits.softmax(-1)[0, target])
        self.baselines = [torch.zeros_like(layer.attention[:1, :1]) for layer in clean.layers]

    def attribute(self, layers: Iterable[int]) -> Iterator[Tensor]:
        """Attributes layers, from the top one down in whatever order they are given."""
        with instrumented(self.model):
            for layer, result in self.integrator.integrate(list(layers), self.baselines):
                self.n_nodes[layer] = int(result.n_nodes)
                self.baseline_output[layer] = float(result.baseline_output)
                yield result.attribution[0]


class Authors:
    """The authors' procedure, step by step, on BERT's weights and without their padding to 128.

    As in their code: a clean pass for every layer; all nodes' matrices α·A made at once; for each batch of nodes a pass
    from the embeddings in which the attention of the layer is computed and then replaced, so that the layers below run
    on one row and broadcasting turns it into as many rows as there are nodes; gradients of the attention matrix;
    parameters that require gradients; a left sum. With ``plain`` also their own GELU and layer normalisation, made of
    elementary operations; without, PyTorch's kernels, which is kinder to them than their code. With ``full`` every node
    is a full forward pass, the layers below included, as the procedure reads without that broadcasting. Explained is
    ``target``, or the predicted class.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        inputs: dict[str, Tensor],
        n_nodes: int,
        *,
        plain: bool,
        full: bool = False,
        target: int | None = None,
    ) -> None:
        self.model, self.inputs, self.n_nodes, self.full = model, inputs, n_nodes, full
        self.target = target
        self.normalise: Callable = _normalise_plainly if plain else _normalise
        self.gelu: Callable = _gelu_plainly if plain else nn.functional.gelu
        self.batch = AUTHORS_BATCH if n_nodes % AUTHORS_BATCH == 0 else n_nodes

    def start(self) -> None:
        """Makes the additive mask; their code keeps nothing from layer to layer."""
        self.mask = (1.0 - self.inputs["attention_mask"][:, None, None, :].float()) * -10000.0

    def attribute(self, layers: Iterable[int]) -> Iterator[Tensor]:
        """Attributes layers."""
        trainable = [parameter for parameter in self.model.parameters() if not parameter.requires_grad]
        for parameter in trainable:
            parameter.requires_grad_(True)
        try:
            for layer in layers:
                yield self._attribute(layer)
        finally:
            for parameter in trainable:
                parameter.requires_grad_(False)

    def _attribute(self, layer: int) -> Tensor:
        logits, attention = self._run(layer, None)
        target = int(logits.argmax(-1)) if self.target is None else self.target
        step = attention.detach() / self.n_nodes  # (1, H, T, T)
        points = torch.cat([step * k for k in range(self.n_nodes)]).requires_grad_(True)
        total = torch.zeros_like(step[0])
        for first in range(0, self.n_nodes, self.batch):
            batch = points[first : first + self.batch]
            probabilities = self._run(layer, batch)[0].softmax(-1)
            (gradient,) = torch.autograd.grad(torch.unbind(probabilities[:, target]), batch)
            total = total + gradient.sum(0)
        return (total * step[0]).detach()

    def _run(self, target_layer: int, attention: Tensor | None) -> tuple[Tensor, Tensor | None]:
        bert = self.model.bert
        states = self._embed(bert.embeddings)
        if self.full and attention is not None:
            states = states.repeat(len(attention), 1, 1)
        found = None
        for index, layer in enumerate(bert.encoder.layer):
            states, own = self._run_layer(layer, states, attention if index == target_layer else None)
            found = own if index == target_layer else found
        return self.model.classifier(torch.tanh(bert.pooler.dense(states[:, 0]))), found

    def _embed(self, embeddings: nn.Module) -> Tensor:
        ids = self.inputs["input_ids"]
        segments = self.inputs.get("token_type_ids", torch.zeros_like(ids))
        positions = torch.arange(ids.shape[1])[None]
        words = embeddings.word_embeddings(ids)
        total = words + embeddings.position_embeddings(positions) + embeddings.token_type_embeddings(segments)
        return self.normalise(embeddings.LayerNorm, total)

    def _run_layer(self, layer: nn.Module, states: Tensor, attention: Tensor | None) -> tuple[Tensor, Tensor]:
        own, size = layer.attention.self, layer.attention.self.attention_head_size
        query, key, value = (
            linear(states).unflatten(-1, (-1, size)).permute(0, 2, 1, 3) for linear in (own.query, own.key, own.value)
        )  # (B, H, T, d)
        logits = query @ key.transpose(-1, -2) / math.sqrt(size) + self.mask
        probabilities = logits.softmax(-1)
        used = probabilities if attention is None else attention
        context = (used @ value).permute(0, 2, 1, 3).contiguous().flatten(2)  # (B, T, H·d)
        attended = layer.attention.output
        states = self.normalise(attended.LayerNorm, attended.dense(context) + states)
        inner = self.gelu(layer.intermediate.dense(states))
        return self.normalise(layer.output.LayerNorm, layer.output.dense(inner) + states), probabilities


def _normalise(norm: nn.LayerNorm, states: Tensor) -> Tensor:
    return norm(states)


def _normalise_plainly(norm: nn.LayerNorm, states: Tensor) -> Tensor:
    mean = states.mean(-1, keepdim=True)
    variance = (states - mean).pow(2).mean(-1, keepdim=True)
    return norm.weight * ((states - mean) / torch.sqrt(variance + norm.eps)) + norm.bias


def _gelu_plainly(states: Tensor) -> Tensor:
    return states * 0.5 * (1.0 + torch.erf(states / math.sqrt(2.0)))


class Captum:
    """captum.attr.IntegratedGradients with the layer's attention as the input of a forward function.

    The forward function is the transformers model itself, whose attention runs fused (SDPA) everywhere else; its
    parameters are frozen. The attention comes from one clean pass for all layers.
    """

    def __init__(self, model: PreTrainedModel, inputs: dict[str, Tensor], n_nodes: int, method: str) -> None:
        self.model, self.inputs, self.n_nodes, self.method = model, inputs, n_nodes, method

    def start(self) -> None:
        """Runs the clean pass and keeps every layer's attention."""
        with ExitStack() as stack, torch.no_grad():
            run = stack.enter_context(_Replacing(self.model))
            run.keep = []
            logits = self.model(**self.inputs).logits
            self.attention, self.target = run.keep, int(logits.argmax(-1))

    def attribute(self, layers: Iterable[int]) -> Iterator[Tensor]:
        """Attributes layers."""
        for layer in layers:
            yield self._attribute(layer)

    def _attribute(self, layer: int) -> Tensor:
        from captum.attr import IntegratedGradients

        with _Replacing(self.model) as run:

            def compute(attention: Tensor) -> Tensor:
                run.layer, run.attention = layer, attention
                inputs = {name: tensor.expand(len(attention), -1) for name, tensor in self.inputs.items()}
                return self.model(**inputs).logits.softmax(-1)

            gradients = IntegratedGradients(compute)
            return gradients.attribute(
                self.attention[layer], target=self.target, n_steps=self.n_nodes, method=self.method
            )[0].detach()


class _Replacing:
    """While it lasts, the model's attention can be read (``keep``) or replaced in one layer; parameters are frozen."""

    current: "_Replacing | None" = None

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.keep: list[Tensor] | None = None
        self.layer, self.attention = -1, None

    def __enter__(self) -> "_Replacing":
        self.before = self.model.config._attn_implementation
        self.trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        for parameter in self.trainable:
            parameter.requires_grad_(False)
        self.model.set_attn_implementation("benchmark")
        _Replacing.current = self
        return self

    def __exit__(self, *_: object) -> None:
        _Replacing.current = None
        self.model.set_attn_implementation(self.before)
        for parameter in self.trainable:
            parameter.requires_grad_(True)


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    **_: object,
) -> tuple[Tensor, None]:
    run = _Replacing.current
    if run.attention is not None and module.layer_idx == run.layer:
        return (run.attention @ value).transpose(1, 2), None
    if run.keep is not None:
        logits = query @ key.transpose(-1, -2) * scaling
        run.keep.append((logits if attention_mask is None else logits + attention_mask).softmax(-1))
        return (run.keep[-1] @ value).transpose(1, 2), None
    context = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scaling)
    return context.transpose(1, 2), None


AttentionInterface.register("benchmark", _attend)
AttentionMaskInterface.register("benchmark", eager_mask)
